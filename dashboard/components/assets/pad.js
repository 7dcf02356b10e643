// A sheet of paper: every line goes to Python when the pen is lifted.

const SIDE = 280;
const PEN = 22;

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  const root = parentElement.querySelector(".root");
  root.send = (strokes) => setStateValue("strokes", strokes);
  if (root.querySelector("canvas")) return undefined;

  const strokes = (data.strokes ?? []).map((stroke) => stroke.slice());
  const canvas = root.appendChild(document.createElement("canvas"));
  canvas.className = "pad";
  canvas.width = SIDE;
  canvas.height = SIDE;
  canvas.setAttribute("aria-label", "Paper to draw on with the mouse");
  const bar = root.appendChild(document.createElement("div"));
  bar.className = "bar";
  const undo = button("Undo", () => strokes.pop());
  const clear = button("Clear", () => strokes.splice(0));
  let drawing = false;

  function button(text, change) {
    const made = bar.appendChild(document.createElement("button"));
    made.type = "button";
    made.textContent = text;
    made.onclick = () => {
      change();
      draw();
      root.send(strokes);
    };
    return made;
  }

  function draw() {
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, SIDE, SIDE);
    pen.lineWidth = PEN;
    pen.lineCap = "round";
    pen.lineJoin = "round";
    pen.strokeStyle = "black";
    if (!strokes.length) {
      pen.fillStyle = "#8a94a6";
      pen.font = "16px sans-serif";
      pen.textAlign = "center";
      pen.fillText("Draw an eight here", SIDE / 2, SIDE / 2);
    }
    for (const stroke of strokes) {
      pen.beginPath();
      pen.moveTo(...stroke[0]);
      // A dot is a line of no length.
      for (const point of stroke) pen.lineTo(...point);
      pen.stroke();
    }
    undo.disabled = clear.disabled = strokes.length === 0;
  }

  function place(event) {
    const box = canvas.getBoundingClientRect();
    const scale = SIDE / box.width;
    const round = (value) => Math.round(10 * value * scale) / 10;
    return [round(event.clientX - box.left), round(event.clientY - box.top)];
  }

  canvas.onpointerdown = (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    drawing = true;
    strokes.push([place(event)]);
    draw();
  };
  canvas.onpointermove = (event) => {
    if (!drawing) return;
    strokes.at(-1).push(place(event));
    draw();
  };
  canvas.onpointerup = canvas.onpointercancel = () => {
    if (!drawing) return;
    drawing = false;
    root.send(strokes);
  };
  draw();
  return undefined;
}
