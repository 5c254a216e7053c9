// Lines between the nets: in the gutter between components, and from a node to its counterparts.

const SVG = "http://www.w3.org/2000/svg";
const drawn = (name, attributes) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};
const overlay = drawn("svg", { class: "lines", "aria-hidden": "true" });

/** The lines between the components of both nets, one for each pair of rows. */
function drawLinks() {
  if (!compared) return;
  const gutter = document.getElementById("gutter"), box = gutter.getBoundingClientRect();
  const svg = drawn("svg", { width: box.width, height: box.height });
  gutter.replaceChildren(svg);
  const rowOf = (net, name) => net.boxes.find((one) => one.component === name);
  const pairs = new Map();
  for (const [from, to, kind, tensors] of data.links) {
    const ends = [rowOf(data.nets[0], from), rowOf(data.nets[1], to)];
    if (!ends[0] || !ends[1]) continue;
    const key = `${ends[0].row} ${ends[1].row}`;
    const pair = pairs.get(key) || { ends, kinds: new Map() };
    pair.kinds.set(kind, (pair.kinds.get(kind) || 0) + tensors);
    pairs.set(key, pair);
  }
  for (const { ends, kinds } of pairs.values()) {
    const edges = ends.map((end) => [...end.frame.parentElement.children].map((one) => one.getBoundingClientRect()));
    const x0 = Math.max(...edges[0].map((edge) => edge.right)) - box.left, x1 = Math.min(...edges[1].map((edge) => edge.left)) - box.left;
    const [y0, y1] = ends.map((end) => {
      const { top, height } = end.frame.parentElement.getBoundingClientRect();
      return top + Math.min(height / 2, 60) - box.top;
    });
    const main = [...kinds].sort((a, b) => b[1] - a[1])[0][0], w = box.width;
    const off = state.kinds.size && ![...kinds.keys()].some((kind) => state.kinds.has(kind));
    svg.append(drawn("path", { d: `M${x0} ${y0} C${w / 2} ${y0} ${w / 2} ${y1} ${x1} ${y1}`, class: `${data.kinds[main].id}${off ? " dim" : ""}` }));
    const chip = make("div", "", { class: `chip${off ? " dim" : ""}` });
    for (const [kind, n] of [...kinds].sort(([a], [b]) => a - b)) {
      const part = make("span", "", { title: `${count(n, "tensor")} ${data.kinds[kind].name}` });
      part.append(sign(kind), document.createTextNode(exact(n)));
      chip.append(part);
    }
    chip.style.top = `${(y0 + y1) / 2}px`;
    gutter.append(chip);
  }
}

/** Lights a node and its counterparts, and draws lines between them. */
function light(node) {
  for (const lit of drawing.querySelectorAll(".lit, .twin")) lit.classList.remove("lit", "twin");
  overlay.replaceChildren();
  if (!node) return;
  anchor(node).classList.add("lit");
  const origin = drawing.getBoundingClientRect();
  overlay.setAttribute("width", origin.width);
  overlay.setAttribute("height", origin.height);
  for (const other of others(node)) {
    anchor(other).classList.add("twin");
    const [left, right] = (node.net.index === 0 ? [node, other] : [other, node]).map((one) => anchor(one).closest("button").getBoundingClientRect());
    const x0 = left.right - origin.left, y0 = (left.top + left.bottom) / 2 - origin.top;
    const x1 = right.left - origin.left, y1 = (right.top + right.bottom) / 2 - origin.top;
    const bend = Math.max(30, (x1 - x0) / 2);
    overlay.append(drawn("path", { d: `M${x0} ${y0} C${x0 + bend} ${y0} ${x1 - bend} ${y1} ${x1} ${y1}` }),
      drawn("circle", { cx: x0, cy: y0, r: 3 }), drawn("circle", { cx: x1, cy: y1, r: 3 }));
  }
}
