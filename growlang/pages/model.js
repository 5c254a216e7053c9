// The data of the page, and what follows from it: the kinds of each node, what is said of it.

const data = JSON.parse(document.getElementById("data").textContent);
const root = document.documentElement;
const compared = data.page === "diff";
const { tables } = data;

const state = {
  kinds: new Set(),  // those that are shown; none stands for all
  words: [],         // what is searched for, in lower case
  pinned: null,      // the node that was chosen, with its net
  shown: null,       // the node that is pointed at, or has the focus
  phase: 0,
  measure: "parameters",
};

const make = (name, text, attributes = {}) => {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(key, value);
  return made;
};
const count = (number, one, many = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
const exact = (number) => number.toLocaleString("en");
const digits = (number) => (number >= 1000 ? exact(Math.round(number)) : String(Number(number.toPrecision(4))));
const short = (number) => {
  for (const [size, unit] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]]) {
    if (number >= size) return `${Number((number / size).toPrecision(3))} ${unit}`;
  }
  return String(number);
};
const bytes = (number) => {
  for (const [power, unit] of [[40, "TiB"], [30, "GiB"], [20, "MiB"], [10, "KiB"]]) {
    if (number >= 2 ** power) return `${Number((number / 2 ** power).toPrecision(3))} ${unit}`;
  }
  return `${number} B`;
};

const FLOAT = 4;  // bytes of an activation
const MEASURES = {
  parameters: { name: "parameters", of: (node) => node.parameters, say: short },
  flops: { name: "FLOPs", of: (node) => node.flops, say: (n) => (n ? short(n) : "0") },
  saved: { name: "activations", of: (node) => FLOAT * node.saved, say: bytes },
};

for (const [side, net] of data.nets.entries()) {
  net.index = side;
  net.nodes.forEach((node, index) => {
    node.net = net;
    node.index = index;
    [node.op, ...node.args] = tables.calls[node.call];
    node.full = `${node.op}(${node.args.join(", ")})`;
    const first = node.args[0] && node.args[0].match(/ = (\d+)$/);
    node.brief = first ? `${node.op}(${first[1]})` : node.op;
    node.tensors = tables.layouts[node.layout].map(([suffix, shape], i) => ({
      name: suffix ? `${node.path}.${suffix}` : node.path, suffix: suffix || node.path, shape, index: i,
    }));
    for (const tensor of node.tensors) {
      if (node.outcome === undefined) continue;
      const [kind, reason, other] = tables.outcomes[node.outcome][tensor.index];
      const [rule, why] = tables.reasons[reason];
      Object.assign(tensor, { kind, rule, reason: why, other });
    }
    node.others ??= [];
  });
  for (const box of net.boxes) for (const at of box.nodes) net.nodes[at].box = box;
}

/** The nodes of the other net that begin as this one, or that it begins as. */
const others = (node) => node.others.map((at) => data.nets[1 - node.net.index].nodes[at]);

/** The tensors of the other net that belong to one of a node: their names, or nothing. */
function counterpart(node, tensor) {
  if (tensor.other === null || tensor.other === undefined) return "";
  return tensor.other === 0 ? `${others(node)[0].path}.${tensor.suffix}` : tensor.other;
}

/** Of each kind by its index: how many tensors of the node are of it. */
function kindsOf(node) {
  const found = new Map();
  const add = (kind) => found.set(kind, (found.get(kind) || 0) + 1);
  if (compared) for (const tensor of node.tensors) add(tensor.kind);
  else if (data.phases.length) {
    for (const tensor of node.tensors) add(isFrozen(node, tensor.index) ? 1 : 0);
  }
  return new Map([...found].sort(([a], [b]) => a - b));
}

function isFrozen(node, tensor) {
  const { frozen, partly } = data.phases[state.phase];
  return frozen.includes(node.index) || (partly[node.index] || []).includes(tensor);
}

/** All that is said of a node, in lower case: what a search looks through. */
function textOf(node) {
  node.text ??= [node.path, node.full, node.box ? node.box.component : "", tables.places[node.at],
    ...node.tensors.flatMap((tensor) => [tensor.name, tensor.shape, tensor.rule || "", tensor.reason || "", counterpart(node, tensor),
      tensor.kind === undefined ? "" : `${data.kinds[tensor.kind].id} ${data.kinds[tensor.kind].name}`])].join("\n").toLowerCase();
  return node.text;
}

const isFound = (node) => state.words.every((word) => textOf(node).includes(word));
const isOfKind = (node) => !state.kinds.size || [...kindsOf(node).keys()].some((kind) => state.kinds.has(kind));
const matches = (node) => isFound(node) && isOfKind(node);

/** What a screen reader says of a node. */
function saying(node) {
  const kinds = [...kindsOf(node)].map(([kind, n]) => `${exact(n)} ${data.kinds[kind].name}`);
  const what = node.tensors.length ? [...kinds, `${exact(node.parameters)} parameters`] : ["no tensors"];
  return `${node.path}, ${node.full}, ${what.join(", ")}`;
}
