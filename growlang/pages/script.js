// Pointing, clicking and the keyboard.

const nodeAt = (target) => {
  const found = target.closest("[data-node]");
  return found ? data.nets[found.dataset.net].nodes[found.dataset.node] : null;
};

/** Keeps a node in the panel; with none, nothing is kept. */
function choose(node) {
  for (const one of drawing.querySelectorAll(".pinned")) one.classList.remove("pinned");
  state.pinned = node;
  if (node) places.get(node).button.classList.add("pinned");
  show(node);
}

const buttons = () => [...drawing.querySelectorAll("button.node")].filter((one) => one.offsetParent);

/** One button of the drawing is in the order of Tab: the one that had the focus last. */
function rove(button) {
  for (const one of drawing.querySelectorAll('button.node[tabindex="0"]')) one.tabIndex = -1;
  if (button) button.tabIndex = 0;
}

const STEPS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

/** The closest button in a direction: what lies beside the way counts three times. */
function nearest(from, [dx, dy]) {
  const middle = (one) => {
    const { left, right, top, bottom } = one.getBoundingClientRect();
    return [(left + right) / 2, (top + bottom) / 2];
  };
  const [x, y] = middle(from);
  let best = null, least = Infinity;
  for (const one of buttons()) {
    const [u, v] = middle(one), along = dx * (u - x) + dy * (v - y), beside = dx ? Math.abs(v - y) : Math.abs(u - x);
    if (along <= 2 || one === from) continue;
    const far = along + 3 * beside;
    if (far < least) [best, least] = [one, far];
  }
  return best;
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const at = document.activeElement;
  if (event.key === "Escape") return clear();
  if (event.key === "/" && at !== search) {
    event.preventDefault();
    search.focus();
    return search.select();
  }
  if (at === search && event.key === "ArrowDown") {
    event.preventDefault();
    const first = buttons().find((one) => !one.classList.contains("dim"));
    return first?.focus();
  }
  if (!at.matches?.("button.node")) return;
  const all = buttons();
  const to = event.key in STEPS ? nearest(at, STEPS[event.key]) : event.key === "Home" ? all[0] : event.key === "End" ? all[all.length - 1] : null;
  if (to) {
    event.preventDefault();
    to.focus();
  } else if (event.key in STEPS) event.preventDefault();
}

/** Esc takes back one thing at a time: the search, the filter, what is chosen. */
function clear() {
  if (search.value || document.activeElement === search) {
    search.value = "";
    state.words = [];
    search.blur();
  } else if (state.kinds.size) state.kinds.clear();
  else {
    choose(null);
    return;
  }
  filtered();
}

drawing.addEventListener("pointerover", (event) => {
  const node = nodeAt(event.target);
  const folder = event.target.closest("button.folder");
  if (node && node !== state.shown) show(node);
  else if (folder && !node) showFold(folder.fold);
});
drawing.addEventListener("pointerleave", () => show(state.pinned));
drawing.addEventListener("focusin", (event) => {
  const node = nodeAt(event.target);
  if (event.target.matches("button.node")) rove(event.target);
  if (node) show(node);
  else if (event.target.fold) showFold(event.target.fold);
});
drawing.addEventListener("click", (event) => {
  const node = nodeAt(event.target), folder = event.target.closest("button.folder");
  if (node && folder) {
    reveal(node);
    places.get(node).button.focus();
    choose(node);
  } else if (folder) {
    setOpen(folder.fold, !folder.fold.open);
    settled();
    showFold(folder.fold);
  } else if (node) choose(state.pinned === node ? null : node);
});
addEventListener("keydown", onKey);

draw();
drawing.append(overlay);
buildControls();
refresh();
settled();
show(null);
rove(buttons()[0]);
new ResizeObserver(() => settled()).observe(drawing);
