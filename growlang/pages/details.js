// The panel below: what is said of the node that is pointed at, focused or chosen.

const details = document.getElementById("details");
const HINT = compared
  ? "Point at a block, or tap it, to see its shape, the rule that made it, and where its spec says so; click to keep it here. Blocks of the other net that it comes from, or that come from it, light up."
  : "Point at a block, or tap it, to see its shape, what it costs, and where its spec says so; click to keep it here.";
const KEYS = "Arrow keys go from block to block, Enter folds and unfolds, / searches, Esc clears.";

function show(node) {
  state.shown = node;
  light(node);
  if (!node) return details.replaceChildren(make("p", `${HINT} ${KEYS}`, { class: "hint" }));
  const top = make("div", "", { class: "facts" });
  const title = make("h2", node.path);
  for (const [kind, n] of kindsOf(node)) {
    const part = make("span", "", { class: "sum" });
    part.append(sign(kind), document.createTextNode(`${exact(n)} ${data.kinds[kind].name}`));
    title.append(part);
  }
  top.append(title, make("code", node.full), facts(node));
  details.replaceChildren(top, node.tensors.length ? tensorTable(node) : make("p", "It has no tensors.", { class: "hint" }));
}

/** What is said of blocks that repeat. */
function showFold(fold) {
  const { nodes } = fold, [first, last] = [nodes[0], nodes[nodes.length - 1]];
  state.shown = null;
  light(null);
  const title = make("h2", `${first.path} … ${last.path.split(".").pop()}`), top = make("div", "", { class: "facts" });
  for (const [kind, n] of sums(nodes)) {
    const part = make("span", "", { class: "sum" });
    part.append(sign(kind), document.createTextNode(`${exact(n)} ${data.kinds[kind].name}`));
    title.append(part);
  }
  const amount = (of) => nodes.reduce((sum, node) => sum + of(node), 0);
  const told = `${fold.names}, ${fold.repeats} times: ${exact(amount(MEASURES.parameters.of))} parameters, ${short(amount(MEASURES.flops.of))} FLOPs, ${bytes(amount(MEASURES.saved.of))} of activations in fp32.`;
  top.append(title, make("p", `${told} Enter or a click ${fold.open ? "folds" : "unfolds"} them.`));
  details.replaceChildren(top);
}

function facts(node) {
  const list = make("dl"), verdict = node.box && node.box.verdict;
  const add = (name, value, long = true) => {
    if (!value) return;
    const told = make("dd", "", { class: long ? "long" : "brief" });
    told.append(value);
    list.append(make("dt", name), told);
  };
  add("shape", `${tables.shapes[node.in]} → ${tables.shapes[node.out]}`);
  add("parameters", exact(node.parameters), false);
  add("FLOPs", node.flops ? short(node.flops) : "0", false);
  add("activations", `${bytes(FLOAT * node.saved)} in fp32`);
  add("spec", tables.places[node.at] ? make("code", tables.places[node.at]) : "");
  const reads = node.reads.map((one) => (typeof one === "number" ? node.net.nodes[one].path : one));
  add("reads", reads.join(", "));
  if (compared) {
    const all = others(node).map((one) => one.path);
    add(node.net.index ? "from" : "becomes", all.length > 6 ? `${all.slice(0, 6).join(", ")} and ${all.length - 6} more` : all.join(", "));
    if (verdict) add("function", `${verdict.level}${verdict.reason ? `: ${verdict.reason}` : ""}`);
  } else {
    const frozen = data.phases.filter((phase) => phase.frozen.includes(node.index)).map((phase) => phase.name);
    const partly = data.phases.filter((phase) => phase.partly[node.index]).map((phase) => phase.name);
    if (data.phases.length && node.tensors.length) add("frozen in", [...frozen, ...partly.map((name) => `${name} (partly)`)].join(", ") || "no phase");
    if (verdict) add("function", `${verdict.level}${verdict.reason ? `: ${verdict.reason}` : ""}`);
  }
  return list;
}

function tensorTable(node) {
  const head = compared ? ["", "tensor", "shape", node.net.index ? "from" : "becomes", "rule", "reason"] : ["", "tensor", "shape"];
  const frame = make("div", "", { class: "tensors", tabindex: "0", role: "group", "aria-label": `tensors of ${node.path}` }), table = make("table");
  const row = make("tr");
  head.forEach((name) => row.append(make("th", name, { scope: "col" })));
  const body = make("tbody");
  for (const tensor of node.tensors) {
    const line = make("tr"), first = make("td");
    const kind = compared ? tensor.kind : data.phases.length ? (isFrozen(node, tensor.index) ? 1 : 0) : null;
    if (kind !== null) {
      first.append(sign(kind));
      first.setAttribute("aria-label", data.kinds[kind].name);
    }
    line.append(first, make("td", tensor.suffix), make("td", tensor.shape, { class: "shape" }));
    if (compared) {
      const near = tensor.other === 0 ? others(node)[0].path : tensor.other;
      line.append(make("td", near === node.path ? "the same" : near || "–"), make("td", tensor.rule), make("td", tensor.reason));
    }
    body.append(line);
  }
  const top = make("thead");
  top.append(row);
  table.append(top, body);
  frame.append(table);
  return frame;
}
