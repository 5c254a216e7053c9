// The controls: search, the legend that filters, phases, measures, folding, light and dark.

const controls = document.getElementById("controls");
const search = make("input", "", { type: "search", id: "search", placeholder: "Search: tensor, component, rule …  ( / )", "aria-label": "search tensors, components, rules and places", autocomplete: "off", spellcheck: "false" });
const status = make("output", "", { id: "found", "aria-live": "polite" });
const foldAll = make("button", "unfold all", { type: "button", id: "fold" });
const scheme = make("button", "dark / light", { type: "button", id: "scheme", "aria-label": "dark or light colours" });
const every = data.nets.flatMap((net) => net.nodes);

function buildControls() {
  const tools = document.getElementById("tools");
  tools.append(search, status, foldAll, scheme);
  foldAll.hidden = !allFolds().length;
  if (!compared) buildPhases();
  const legend = make("div", "", { class: "legend", role: "group", "aria-label": "filter by what becomes of tensors" });
  data.kinds.forEach((kind, index) => {
    if (compared ? !kind.tensors : !data.phases.length) return;
    const button = make("button", "", { type: "button", "aria-pressed": "false", "data-kind": kind.id, title: kind.means });
    button.append(sign(index), make("span", kind.name), make("small", ""));
    button.addEventListener("click", () => {
      if (!state.kinds.delete(index)) state.kinds.add(index);
      filtered();
    });
    legend.append(button);
  });
  if (legend.children.length) controls.append(legend);
  if (!compared) buildMeasures();
  search.addEventListener("input", () => {
    state.words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    filtered();
  });
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    next(event.shiftKey ? -1 : 1);
  });
  foldAll.addEventListener("click", () => {
    const open = allFolds().some((fold) => !fold.open);
    allFolds().forEach((fold) => setOpen(fold, open));
    settled();
  });
  const dark = matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("click", () => {
    root.dataset.scheme = (root.dataset.scheme || (dark.matches ? "dark" : "light")) === "dark" ? "light" : "dark";
  });
}

/** After a change of what is filtered: colours, lines, legend. */
function filtered() {
  refresh();
  drawLinks();
}

/** After a change of the layout: lines, and what is lit. */
function settled() {
  foldAll.textContent = allFolds().some((fold) => !fold.open) ? "unfold all" : "fold all";
  drawLinks();
  light(state.shown);
}

/** What is found, in words; the legend's numbers. */
function said() {
  const found = every.filter(matches).length, narrowed = state.words.length || state.kinds.size;
  status.textContent = !narrowed ? "" : found ? `${exact(found)} of ${count(every.length, "block")}` : "nothing matches: Esc clears";
  status.classList.toggle("none", Boolean(narrowed) && !found);
  for (const button of controls.querySelectorAll("[data-kind]")) {
    const index = data.kinds.findIndex((kind) => kind.id === button.dataset.kind), kind = data.kinds[index];
    button.setAttribute("aria-pressed", String(state.kinds.has(index)));
    const [tensors, parameters] = compared ? [kind.tensors, kind.parameters] : data.phases[state.phase].totals[index];
    button.querySelector("small").textContent = compared ? `${count(tensors, "tensor")}, ${short(parameters)}` : `${short(parameters)} parameters`;
  }
}

let last = -1;
/** Goes to the next block that is found. */
function next(step) {
  const found = every.filter(matches);
  if (!found.length || !(state.words.length || state.kinds.size)) return;
  last = (found.indexOf(every[last]) + step + found.length) % found.length;
  const node = found[last];
  last = every.indexOf(node);
  reveal(node);
  choose(node);
  anchor(node).scrollIntoView({ block: "center" });
}

/** Unfolds what a node is in. */
function reveal(node) {
  const { fold } = places.get(node);
  if (fold && !fold.open) {
    setOpen(fold, true);
    settled();
  }
}

// --- phases and costs ---------------------------------------------------------------------------

function buildPhases() {
  if (!data.phases.length) return controls.append(make("p", "This spec has no recipe: there are no phases to show.", { class: "hint" }));
  const steps = data.phases.map((phase) => phase.steps ?? 0), whole = steps.reduce((a, b) => a + b, 0);
  const strip = make("div", "", { class: "phases", role: "group", "aria-label": `phases of the recipe ${data.recipe}` });
  data.phases.forEach((phase, index) => {
    const button = make("button", "", { type: "button", "aria-pressed": String(index === 0), "data-phase": phase.name });
    const frozen = phase.totals[1][1], part = frozen / (frozen + phase.totals[0][1] || 1);
    button.style.flexGrow = whole ? Math.max(0.12, steps[index] / whole) : 1;
    const bar = make("span", "", { class: "split", "aria-hidden": "true" });
    bar.append(styled(make("i", "", { class: "frozen" }), { width: `${100 * part}%` }), make("i", "", { class: "trained" }));
    button.append(make("b", phase.name), make("span", phase.length), make("small", frozen ? `${short(frozen)} frozen` : "nothing frozen"), bar);
    button.addEventListener("click", () => {
      state.phase = index;
      for (const other of strip.children) other.setAttribute("aria-pressed", String(other === button));
      told.textContent = phase.told;
      filtered();
      show(state.shown);
    });
    strip.append(button);
  });
  const told = make("p", data.phases[0].told, { class: "told", id: "told", "aria-live": "polite" });
  controls.append(strip, told);
}

function buildMeasures() {
  const group = make("div", "", { class: "measures", role: "group", "aria-label": "what the bars show" });
  group.append(make("span", "bars:"));
  for (const [id, measure] of Object.entries(MEASURES)) {
    const button = make("button", measure.name, { type: "button", "aria-pressed": String(id === state.measure), "data-measure": id });
    button.addEventListener("click", () => {
      state.measure = id;
      for (const other of group.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button));
      refresh();
    });
    group.append(button);
  }
  controls.append(group);
}
