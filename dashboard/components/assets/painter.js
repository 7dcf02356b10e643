// Paints which pixels are lost. Python hears of it when the pointer is lifted or a button pressed.

const LOST = "rgba(220, 60, 50, 0.72)";
const MOST_UNDO = 100;

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  const root = parentElement.querySelector(".root");
  root.painter ??= build(root);
  root.painter.update(data, (bits, revision) => setStateValue("mask", { bits, revision }));
  return undefined;
}

function build(root) {
  let width = 0;
  let height = 0;
  let revision = null;
  let send = () => {};
  let lost = [];
  let done = [];
  let undone = [];
  let tool = "Brush";
  let stroke = null;
  const picture = new Image();

  const bar = element(root, "div", "bar");
  let group = element(bar, "div", "group");
  const tools = {};
  for (const name of ["Brush", "Erase", "Rectangle"]) {
    tools[name] = button(name, () => choose(name));
  }
  const label = element(group, "label");
  label.append("Size");
  const size = element(label, "input");
  Object.assign(size, { type: "range", min: 1, max: 9, value: 3 });
  group = element(bar, "div", "group");
  button("Invert", () => change(lost.map((bit) => !bit)));
  button("Clear", () => change(lost.map(() => false)));
  const undo = button("Undo", () => travel(done, undone));
  const redo = button("Redo", () => travel(undone, done));
  const stage = element(root, "div", "stage");
  const canvas = element(stage, "canvas", "canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("aria-label", "Image to paint the mask on");
  const readout = element(root, "div", "readout quiet");

  function button(name, press) {
    const made = element(group, "button");
    made.type = "button";
    made.textContent = name;
    made.onclick = press;
    return made;
  }

  function choose(name) {
    tool = name;
    for (const [key, made] of Object.entries(tools)) {
      made.setAttribute("aria-pressed", String(key === name));
    }
    size.disabled = name === "Rectangle";
  }

  function report() {
    draw();
    send(lost.map((bit) => (bit ? "0" : "1")).join(""), revision);
  }

  function remember(before) {
    done.push(before);
    if (done.length > MOST_UNDO) done.shift();
    undone = [];
  }

  function change(next) {
    remember(lost);
    lost = next;
    report();
  }

  function travel(from, to) {
    if (!from.length) return;
    to.push(lost);
    lost = from.pop();
    report();
  }

  function draw() {
    const scale = canvas.width / width;
    const pen = canvas.getContext("2d");
    pen.imageSmoothingEnabled = false;
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    pen.fillStyle = LOST;
    lost.forEach((bit, place) => {
      if (!bit) return;
      pen.fillRect(scale * (place % width), scale * Math.floor(place / width), scale, scale);
    });
    const count = lost.filter(Boolean).length;
    readout.textContent = `${lost.length - count} of ${lost.length} pixels observed; red is lost.`;
    undo.disabled = !done.length;
    redo.disabled = !undone.length;
  }

  function place(event) {
    const box = canvas.getBoundingClientRect();
    const edge = (box.width - canvas.clientWidth) / 2;
    return [
      ((event.clientX - box.left - edge) / canvas.clientWidth) * width,
      ((event.clientY - box.top - edge) / canvas.clientHeight) * height,
    ];
  }

  // A pixel is painted when its centre is: under the pen, or in the rectangle.
  function fill(inside) {
    const value = tool !== "Erase";
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        if (inside(x + 0.5, y + 0.5)) lost[y * width + x] = value;
      }
    }
  }

  function paint(to) {
    if (tool === "Rectangle") {
      lost = stroke.before.slice();
      const [left, right] = [stroke.from[0], to[0]].map(Math.floor).sort((a, b) => a - b);
      const [top, bottom] = [stroke.from[1], to[1]].map(Math.floor).sort((a, b) => a - b);
      fill((x, y) => x > left && x < right + 1 && y > top && y < bottom + 1);
    } else {
      const [ax, ay] = stroke.last;
      const [dx, dy] = [to[0] - ax, to[1] - ay];
      const length = dx * dx + dy * dy || 1;
      const radius = Math.max(0.71, Number(size.value) / 2);
      fill((x, y) => {
        const along = Math.max(0, Math.min(1, ((x - ax) * dx + (y - ay) * dy) / length));
        return Math.hypot(x - ax - along * dx, y - ay - along * dy) <= radius;
      });
    }
    stroke.last = to;
    draw();
  }

  canvas.onpointerdown = (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    const at = place(event);
    stroke = { before: lost, from: at, last: at };
    lost = lost.slice();
    paint(at);
  };
  canvas.onpointermove = (event) => {
    if (stroke) paint(place(event));
  };
  canvas.onpointerup = canvas.onpointercancel = () => {
    if (!stroke) return;
    remember(stroke.before);
    stroke = null;
    report();
  };
  canvas.onkeydown = (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
    event.preventDefault();
    if (event.shiftKey) travel(undone, done);
    else travel(done, undone);
  };
  choose("Brush");

  return {
    update(data, sender) {
      send = sender;
      if (data.revision !== revision || data.width !== width || data.height !== height) {
        const other = data.width !== width || data.height !== height;
        if (!other && revision !== null) remember(lost);
        if (other) [done, undone] = [[], []];
        ({ width, height, revision } = data);
        lost = Array.from(data.mask, (bit) => bit === "0");
        const scale = Math.max(1, Math.floor(364 / Math.max(width, height)));
        Object.assign(canvas, { width: width * scale, height: height * scale });
      }
      if (picture.src !== data.picture) {
        picture.onload = draw;
        picture.src = data.picture;
      } else draw();
    },
  };
}

function element(parent, tag, name = "") {
  const made = parent.appendChild(document.createElement(tag));
  if (name) made.className = name;
  return made;
}
