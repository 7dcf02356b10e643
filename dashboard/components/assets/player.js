// Plays a descent back: all frames are in one picture, so that playing asks nothing of the server.

const NAMES = ["Ideal", "Corrupted", "Cost J", "Output", "Difference"];
const SVG = "http://www.w3.org/2000/svg";
const BEST = "#d97706";
const OTHERS = "#7c8aa5";

export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector(".root");
  // Streamlit calls again at every rerun of the page; the same film goes on where it was.
  if (root.dataset.film === data.film) return undefined;
  root.dataset.film = data.film;
  root.stop?.();
  root.replaceChildren();

  const panels = root.appendChild(element("div", "panels"));
  const canvases = {};
  for (const name of NAMES) {
    const cell = panels.appendChild(element("div"));
    cell.appendChild(element("b")).textContent = name;
    if (name === "Cost J") {
      cell.appendChild(drawCurve(data));
      continue;
    }
    const canvas = element("canvas");
    canvas.width = data.width;
    canvas.height = data.height;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", name);
    canvases[name] = cell.appendChild(canvas);
  }
  const marker = panels.querySelector("circle");
  const passed = panels.querySelector(".passed");

  const bar = root.appendChild(element("div", "bar"));
  const back = button(bar, "\u2039 Back", "One step back");
  const play = button(bar, "\u25B6 Play", "Play or pause");
  const forward = button(bar, "Next \u203A", "One step forward");
  const slider = bar.appendChild(element("input"));
  Object.assign(slider, { type: "range", min: 0, max: data.frames.length - 1, value: 0 });
  slider.setAttribute("aria-label", "Step");
  const speed = bar.appendChild(element("select"));
  speed.setAttribute("aria-label", "Speed");
  for (const [label, rate] of [["slow", 4], ["normal", 12], ["fast", 30]]) {
    speed.add(new Option(label, rate, rate === 12, rate === 12));
  }
  const readout = root.appendChild(element("div", "readout quiet"));

  const reel = new Image();
  const still = new Image();
  let timer = 0;

  function show(frame) {
    const { width, height } = data;
    slider.value = frame;
    const pictures = [
      ["Ideal", still, 0, 0],
      ["Corrupted", still, width, 0],
      ["Output", reel, 0, frame * height],
      ["Difference", reel, width, frame * height],
    ];
    for (const [name, image, x, y] of pictures) {
      const pen = canvases[name].getContext("2d");
      pen.drawImage(image, x, y, width, height, 0, 0, width, height);
    }
    const step = data.frames[frame];
    const seen = data.points.filter((point) => point[0] <= step);
    passed.setAttribute("points", seen.map((point) => point.slice(1).join()).join(" "));
    const last = seen.at(-1);
    marker.setAttribute("visibility", last ? "visible" : "hidden");
    if (last) {
      marker.setAttribute("cx", last[1]);
      marker.setAttribute("cy", last[2]);
    }
    readout.textContent = `Step ${step} of ${data.frames.at(-1)}. ${data.words[frame]}`;
    back.disabled = frame === 0;
    forward.disabled = frame === data.frames.length - 1;
  }

  function pause() {
    clearTimeout(timer);
    timer = 0;
    play.textContent = "\u25B6 Play";
  }

  function tick() {
    const frame = Number(slider.value) + 1;
    if (frame >= data.frames.length) return pause();
    show(frame);
    timer = setTimeout(tick, 1000 / Number(speed.value));
    return undefined;
  }

  function move(by) {
    pause();
    show(Math.max(0, Math.min(data.frames.length - 1, Number(slider.value) + by)));
  }

  play.onclick = () => {
    if (timer) return pause();
    play.textContent = "\u25AE\u25AE Pause";
    if (Number(slider.value) === data.frames.length - 1) show(0);
    timer = setTimeout(tick, 1000 / Number(speed.value));
    return undefined;
  };
  back.onclick = () => move(-1);
  forward.onclick = () => move(1);
  slider.oninput = () => move(0);
  root.stop = pause;

  reel.src = data.reel;
  still.src = data.still;
  Promise.all([reel.decode(), still.decode()]).then(() => {
    show(0);
    root.dataset.ready = "yes";
  });
  return () => pause();
}

// The whole curve faint, and what has passed, which grows as the film plays.
function drawCurve(data) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${data.width} ${data.height}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "Cost over the steps");
  const all = data.points.map((point) => point.slice(1).join()).join(" ");
  for (const [name, colour, width] of [["whole", OTHERS, 0.3], ["passed", BEST, 0.7]]) {
    const line = svg.appendChild(document.createElementNS(SVG, "polyline"));
    line.setAttribute("class", name);
    line.setAttribute("points", name === "whole" ? all : "");
    line.setAttribute("fill", "none");
    line.setAttribute("stroke", colour);
    line.setAttribute("stroke-width", width);
  }
  const dot = svg.appendChild(document.createElementNS(SVG, "circle"));
  dot.setAttribute("r", 0.9);
  dot.setAttribute("fill", BEST);
  return svg;
}

function element(tag, name = "") {
  const made = document.createElement(tag);
  if (name) made.className = name;
  return made;
}

function button(bar, text, label) {
  const made = bar.appendChild(element("button"));
  made.type = "button";
  made.textContent = text;
  made.setAttribute("aria-label", label);
  made.title = label;
  return made;
}
