// The upper picture is cut off where the slider stands.

export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector(".root");
  if (!root.querySelector("input")) build(root);
  const [under, over] = root.querySelectorAll("img");
  const [left, right] = root.querySelectorAll(".names span");
  [left.textContent, right.textContent] = data.labels;
  [over.src, under.src] = [data.left, data.right];
  [over.alt, under.alt] = data.labels;
  root.querySelector("input").setAttribute("aria-label", `From ${data.labels.join(" to ")}`);
  return undefined;
}

function build(root) {
  const names = element(root, "div", "names");
  element(names, "span");
  element(names, "span");
  const frame = element(root, "div", "frame");
  element(frame, "img");
  const over = element(frame, "img", "over");
  const edge = element(frame, "div", "edge");
  const slider = element(frame, "input");
  Object.assign(slider, { type: "range", min: 0, max: 100, step: 0.5, value: 50 });
  slider.oninput = () => {
    over.style.clipPath = `inset(0 ${100 - slider.value}% 0 0)`;
    edge.style.left = `${slider.value}%`;
  };
  slider.oninput();
}

function element(parent, tag, name = "") {
  const made = parent.appendChild(document.createElement(tag));
  if (name) made.className = name;
  return made;
}
