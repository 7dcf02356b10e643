// An enlarged picture of which a pixel is chosen: by a click, or by the arrow keys.

const LARGEST = 364;

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  const root = parentElement.querySelector(".root");
  root.pixels ??= build(root);
  root.pixels.update(data, (row, column) => setStateValue("pixel", { row, column }));
  return undefined;
}

function build(root) {
  const canvas = root.appendChild(document.createElement("canvas"));
  canvas.className = "pixels";
  canvas.tabIndex = 0;
  const readout = root.appendChild(document.createElement("div"));
  readout.className = "readout quiet";
  const picture = new Image();
  let size = { width: 1, height: 1 };
  let chosen = null;
  let send = () => {};

  function draw() {
    const scale = canvas.width / size.width;
    const pen = canvas.getContext("2d");
    pen.imageSmoothingEnabled = false;
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    if (!chosen) return;
    const [row, column] = chosen;
    // Two lines, of which one is seen on paper and one on ink.
    for (const [colour, edge] of [["#ffffff", 3], ["#d9480f", 1.5]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = 3;
      pen.strokeRect(
        column * scale - edge, row * scale - edge, scale + 2 * edge, scale + 2 * edge,
      );
    }
    readout.textContent = `Row ${row}, column ${column}.`;
  }

  function choose(row, column) {
    const inside = (value, end) => Math.max(0, Math.min(end - 1, value));
    chosen = [inside(row, size.height), inside(column, size.width)];
    draw();
    send(...chosen);
  }

  canvas.onclick = (event) => {
    const box = canvas.getBoundingClientRect();
    const edge = (box.width - canvas.clientWidth) / 2;
    const share = (at, from, length) => (at - from - edge) / length;
    choose(
      Math.floor(share(event.clientY, box.top, canvas.clientHeight) * size.height),
      Math.floor(share(event.clientX, box.left, canvas.clientWidth) * size.width),
    );
  };
  canvas.onkeydown = (event) => {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const move = moves[event.key];
    if (!move || !chosen) return;
    event.preventDefault();
    choose(chosen[0] + move[0], chosen[1] + move[1]);
  };

  return {
    update(data, sender) {
      send = sender;
      size = { width: data.width, height: data.height };
      canvas.setAttribute("aria-label", data.label);
      const scale = Math.max(1, Math.floor(LARGEST / Math.max(size.width, size.height)));
      const [width, height] = [size.width * scale, size.height * scale];
      if (canvas.width !== width || canvas.height !== height) {
        Object.assign(canvas, { width, height });
      }
      chosen = data.chosen;
      if (picture.src !== data.picture) {
        picture.onload = draw;
        picture.src = data.picture;
      } else draw();
    },
  };
}
