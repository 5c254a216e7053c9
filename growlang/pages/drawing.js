// The drawing: rows by resolution, in each the boxes of the nets, in each box its nodes.

const SMALL = 24, UNFOLDED = 4;  // in nets of so few nodes, repeats of so few are shown one by one
const INLINE = 6;  // cells that stand in the line of their fold
const small = Math.max(...data.nets.map((net) => net.nodes.length)) <= SMALL;
const drawing = document.getElementById("drawing");
const places = new Map();  // of each node: its button, the fold that it is in, its cell there

const sign = (kind) => {
  const { id, sign, name } = data.kinds[kind];
  return make("span", sign, { class: `sign ${id}`, title: name, "aria-hidden": "true" });
};

function draw() {
  drawing.className = compared ? "two" : "one";
  if (data.rows.some((row) => row.id === "ends")) drawing.append(styled(make("div", "resolution", { class: "label" }), { gridRow: 1 }));
  const stages = data.rows.filter((row) => row.id.startsWith("stage."));
  const step = Math.min(20, 110 / Math.max(1, stages.length));
  data.rows.forEach((row, r) => {
    if (r % 2) drawing.append(styled(make("div", "", { class: "stripe" }), { gridRow: r + 2 }));
    const label = styled(make("div", row.label, { class: "label", title: row.title }), { gridRow: r + 2 });
    label.style.setProperty("--row", r);
    drawing.append(label);
  });
  for (const net of data.nets) drawing.append(drawNet(net, step, stages));
  if (compared) {
    const gutter = styled(make("div", "", { class: "gutter", id: "gutter", "aria-hidden": "true" }), { gridRow: `2 / span ${data.rows.length}` });
    drawing.append(gutter);
  }
}

const styled = (element, style) => Object.assign(element.style, style) && element;

function drawNet(net, step, stages) {
  const section = make("section", "", { class: `net net${net.index}`, "aria-label": net.side ? `${net.side}: ${net.name}` : net.name });
  const head = make("h2", net.name, { class: "name" });
  head.append(make("small", `${net.side ? `${net.side}, ` : ""}${net.about}, ${short(net.parameters)} parameters`));
  if (compared) section.append(head);
  const filled = data.rows.map((row) => net.boxes.filter((box) => box.row === row.id));
  const last = filled.findLastIndex((boxes) => boxes.length);
  const ends = data.rows.findIndex((row) => row.id === "ends");
  data.rows.forEach((row, r) => {
    const cell = make("div", "", { class: "cell", role: "group", "aria-label": `${row.title} of ${net.name}` });
    cell.style.gridRow = r + 2;
    cell.style.setProperty("--row", r);
    if (net.side) cell.dataset.side = `${net.side}: ${net.name}`;
    const deep = row.id === "core" && ends >= 0 ? stages.length : Math.max(0, stages.indexOf(row));
    cell.style.setProperty("--inset", `calc(${deep} * min(${step}px, 1.1vw))`);
    if (filled[r].length) filled[r].forEach((box) => cell.append(drawBox(net, box)));
    else if (ends >= 0 && r > ends && r < last) cell.classList.add("through");
    else cell.classList.add("empty");
    if (filled[r].some((box) => box.side !== "whole")) cell.classList.add("arms");
    if (filled[r].some((box) => box.side === "whole") && row.id === "conditions") cell.classList.add("beside");
    section.append(cell);
  });
  return section;
}

function drawBox(net, box) {
  const arm = box.side === "encode" ? " · down" : box.side === "decode" ? " · up" : "";
  const plain = ["stem", "head"].includes(box.component);
  const frame = make("div", "", { class: `box ${box.side}`, role: "group", "aria-label": `${box.component}${plain ? "" : arm}` });
  const top = make("div", "", { class: "top" });
  const name = make("span", box.component, { class: "component" });
  if (arm && !plain) name.append(make("small", arm));
  top.append(name);
  if (box.verdict && net.boxes.find((one) => one.component === box.component) === box) {
    const { level, reason } = box.verdict;
    top.append(make("span", level, { class: `verdict ${level.replaceAll(" ", "-")}`, title: reason || "the same function as the parent's" }));
  }
  top.append(make("span", box.output, { class: "shape" }));
  frame.append(top);
  if (box.note) frame.append(make("p", box.note, { class: "note" }));
  if (box.nodes.length) frame.append(make("div", "", { class: "sums" }));
  box.frame = frame;
  let at = 0;
  for (const [, period, repeats] of box.groups) {
    const nodes = box.nodes.slice(at, at + period * repeats).map((i) => net.nodes[i]);
    frame.append(repeats > 1 ? drawFold(nodes, period, repeats) : drawNodes(nodes, "alone"));
    at += period * repeats;
  }
  return frame;
}

function drawNodes(nodes, how) {
  const list = make("div", "", { class: `nodes ${how}` });
  nodes.forEach((node) => list.append(drawNode(node, how)));
  return list;
}

/** A node's button: alone by its call, among repeats of one kind by its number, else by both. */
function drawNode(node, how) {
  const button = make("button", "", { class: "node", type: "button", tabindex: "-1", "data-net": node.net.index, "data-node": node.index });
  const number = how !== "alone" && node.path.match(/\.(\d+)$/);
  button.append(make("span", "", { class: "signs" }));
  if (number) button.append(make("span", number[1], { class: "number" }));
  if (!number || how === "mixed") button.append(make("span", node.brief, { class: "call" }));
  button.append(make("span", "", { class: "amount" }));
  places.set(node, { ...places.get(node), button });
  return button;
}

let folds = 0;
/** Blocks that repeat: a line with a cell for each node, below which they are listed. */
function drawFold(nodes, period, repeats) {
  const open = small && nodes.length <= UNFOLDED, id = `fold${folds++}`;
  const frame = make("div", "", { class: "fold" });
  const button = make("button", "", { class: `node folder${nodes.length <= INLINE ? " short" : ""}`, type: "button", tabindex: "-1", "aria-expanded": String(open), "aria-controls": id });
  const names = nodes.slice(0, period).map((node) => node.brief).join(", ");
  const cells = make("span", "", { class: "cells", "aria-hidden": "true" });
  button.append(make("span", "", { class: "arrow", "aria-hidden": "true" }), make("span", "", { class: "signs" }), make("span", names, { class: "call" }),
    make("b", `× ${repeats}`), cells, make("span", "", { class: "amount" }));
  const list = drawNodes(nodes, period === 1 ? "numbered" : "mixed");
  list.id = id;
  const fold = { frame, button, list, nodes, names, repeats };
  for (const node of nodes) {
    const cell = make("span", "", { class: "mark", "data-net": node.net.index, "data-node": node.index });
    cells.append(cell);
    places.set(node, { ...places.get(node), cell, fold });
  }
  button.fold = fold;
  frame.append(button, list);
  setOpen(fold, open);
  return frame;
}

function setOpen(fold, open) {
  fold.open = open;
  fold.button.setAttribute("aria-expanded", String(open));
  fold.list.hidden = !open;
  fold.frame.classList.toggle("open", open);
}

const allFolds = () => [...new Set([...places.values()].map((place) => place.fold).filter(Boolean))];

/** What stands for a node now: its button, or where it is folded its cell, or else the fold. */
const anchor = (node) => {
  const { button, cell, fold } = places.get(node);
  if (!fold || fold.open) return button;
  return cell.offsetParent ? cell : fold.button;
};

/** Colours, amounts and what is dimmed: all that the filter, the phase and the measure change. */
function refresh() {
  const measure = MEASURES[state.measure];
  drawing.dataset.narrowed = String(state.words.length > 0 || state.kinds.size > 0);
  const totals = data.nets.map((net) => net.nodes.reduce((sum, node) => sum + measure.of(node), 0));
  const share = (element, net, amount) => {
    element.style.setProperty("--share", compared ? "0%" : `${(100 * amount) / (totals[net.index] || 1)}%`);
  };
  for (const [node, { button, cell }] of places) {
    const kinds = [...kindsOf(node).keys()], dim = !matches(node);
    button.querySelector(".signs").replaceChildren(...kinds.map(sign));
    button.querySelector(".amount").textContent = node.tensors.length || !compared ? measure.say(measure.of(node)) : "";
    button.className = `node ${kinds.length ? data.kinds[kinds[0]].id : "plain"}${dim ? " dim" : ""}`;
    button.setAttribute("aria-label", saying(node));
    share(button, node.net, measure.of(node));
    if (cell) {
      cell.replaceChildren(...kinds.map((kind) => make("i", "", { class: data.kinds[kind].id })));
      cell.classList.toggle("dim", dim);
    }
  }
  for (const fold of allFolds()) {
    const amount = fold.nodes.reduce((sum, node) => sum + measure.of(node), 0), found = fold.nodes.filter(matches).length;
    fold.button.querySelector(".amount").textContent = measure.say(amount);
    fold.button.classList.toggle("uniform", new Set(fold.nodes.map((node) => [...kindsOf(node).keys()].join())).size === 1);
    fold.button.querySelector(".signs").replaceChildren(...sums(fold.nodes).map(([kind]) => sign(kind)));
    fold.button.classList.toggle("dim", !found);
    share(fold.button, fold.nodes[0].net, amount);
    const told = sums(fold.nodes).map(([kind, n]) => `${exact(n)} ${data.kinds[kind].name}`);
    fold.button.setAttribute("aria-label", `${fold.names}, ${fold.repeats} times: ${told.join(", ") || "no tensors"}; ${measure.say(amount)} ${measure.name}`);
  }
  for (const net of data.nets) for (const box of net.boxes) total(box, net, measure, totals[net.index]);
  said();
}

const sums = (nodes) => {
  const found = new Map();
  for (const node of nodes) for (const [kind, n] of kindsOf(node)) found.set(kind, (found.get(kind) || 0) + n);
  return [...found].sort(([a], [b]) => a - b);
};

function total(box, net, measure, whole) {
  const line = box.frame.querySelector(".sums");
  if (!line) return;
  const nodes = box.nodes.map((at) => net.nodes[at]), amount = nodes.reduce((sum, node) => sum + measure.of(node), 0);
  const parts = sums(nodes).map(([kind, n]) => {
    const part = make("span", "", { class: "sum" });
    part.append(sign(kind), make("span", compared ? exact(n) : data.kinds[kind].name));
    part.title = `${count(n, "tensor")} ${data.kinds[kind].name}`;
    return part;
  });
  const percent = whole ? (100 * amount) / whole : 0;
  const shown = compared ? measure.say(amount) : `${measure.say(amount)} · ${percent >= 10 ? Math.round(percent) : percent >= 0.01 || !percent ? Number(percent.toPrecision(1)) : "under 0.01"} %`;
  line.replaceChildren(...parts, make("span", amount || !compared ? shown : "no tensors", { class: "amount" }));
  box.frame.style.setProperty("--share", compared ? "0%" : `${percent}%`);
}
