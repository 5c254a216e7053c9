"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const several = data.runs.length > 1;
  const plots = [];

  const make = (name, text, attributes = {}) => {
    const node = document.createElement(name);
    if (text) node.textContent = text;
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  const shown = (value) =>
    value == null ? "–" : Math.abs(value) >= 1e5 || (value && Math.abs(value) < 1e-3)
      ? value.toExponential(3) : String(Number(value.toPrecision(5)));
  const steps = (value) => value.toLocaleString("en");

  // --- curves -------------------------------------------------------------------------------

  const samePhases = data.runs.every((run) => JSON.stringify(run.phases) === JSON.stringify(data.runs[0].phases));

  function table(chart, log) {
    // One axis of steps for all curves: where one has no value of its own, it has none here.
    const all = [...new Set(chart.series.flatMap((series) => data.axes[series.x]))].sort((a, b) => a - b);
    const place = new Map(all.map((step, i) => [step, i]));
    const columns = chart.series.map((series) => {
      const column = new Array(all.length).fill(undefined);
      data.axes[series.x].forEach((step, i) => {
        const value = series.y[i];
        column[place.get(step)] = log && value !== null && value <= 0 ? null : value;
      });
      return column;
    });
    return [all, ...columns];
  }

  function look(chart, series, index) {
    const solid = chart.series.filter((other) => other.look !== "faint");
    const of = several ? series.run : series.look === "faint" ? 0 : Math.max(0, solid.indexOf(series));
    return {
      label: several ? `${data.runs[series.run].name} ${series.name}` : series.name,
      stroke: () => colour(`--c${of % 8}`) + (series.look === "faint" ? "59" : ""),
      width: series.look === "main" ? 1.8 : 1.2,
      dash: series.look === "dashed" ? [6, 4] : undefined,
      points: { show: data.axes[series.x].length === 1, size: 6 },
      value: (u, value) => shown(value),
    };
  }

  function bands(u) {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    const x = (step) => u.valToPos(step, "x", true);
    if (samePhases) {
      data.runs[0].phases.forEach(([name, first, end], i) => {
        ctx.fillStyle = colour("--band");
        if (i % 2 === 0) ctx.fillRect(x(first), bbox.top, x(end) - x(first), bbox.height);
        const left = Math.max(x(first), bbox.left), right = Math.min(x(end), bbox.left + bbox.width);
        ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
        ctx.fillStyle = colour("--soft");
        ctx.textBaseline = "top";
        ctx.textAlign = "left";
        if (ctx.measureText(name).width + 12 < right - left) ctx.fillText(name, left + 5 * devicePixelRatio, bbox.top + 3 * devicePixelRatio);
      });
    } else {
      const height = 5 * devicePixelRatio;
      data.runs.forEach((run, r) => run.phases.forEach(([, first, end], i) => {
        ctx.globalAlpha = i % 2 === 0 ? 0.75 : 0.3;
        ctx.fillStyle = colour(`--c${r % 8}`);
        ctx.fillRect(x(first), bbox.top + r * (height + devicePixelRatio), x(end) - x(first), height);
      }));
      ctx.globalAlpha = 1;
    }
    data.runs.forEach((run, r) => run.resumes.forEach((step) => {
      ctx.strokeStyle = several ? colour(`--c${r % 8}`) : colour("--soft");
      ctx.fillStyle = ctx.strokeStyle;
      ctx.lineWidth = devicePixelRatio;
      ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(x(step), bbox.top);
      ctx.lineTo(x(step), bbox.top + bbox.height);
      ctx.stroke();
      ctx.setLineDash([]);
      const foot = bbox.top + bbox.height, side = 4 * devicePixelRatio;
      ctx.beginPath();
      ctx.moveTo(x(step) - side, foot);
      ctx.lineTo(x(step) + side, foot);
      ctx.lineTo(x(step), foot - 1.6 * side);
      ctx.fill();
    }));
    ctx.restore();
  }

  let moving = false;
  function together(u, key) {
    if (key !== "x" || moving) return;
    moving = true;
    const { min, max } = u.scales.x;
    for (const plot of plots) if (plot.u !== u && plot.u.scales.x.min !== undefined) plot.u.setScale("x", { min, max });
    moving = false;
  }

  const everything = () => {
    const ends = data.axes.flatMap((axis) => [axis[0], axis[axis.length - 1]]);
    const min = Math.min(...ends), max = Math.max(...ends);
    return { min: Math.min(min, 0), max: max > min ? max : min + 1 };
  };
  const whole = everything();

  // A logarithmic scale ends at a round number near its values, not at the next power of ten.
  const decades = (u, min, max) => (min == null ? [0.1, 1] : uPlot.rangeLog(min, max, 10, false));

  function draw(plot) {
    const { chart, box, log } = plot;
    const range = plot.u ? { ...plot.u.scales.x } : whole;
    if (plot.u) plot.u.destroy();
    const axis = { stroke: () => colour("--soft"), grid: { stroke: () => colour("--line"), width: 1 },
      ticks: { stroke: () => colour("--line"), width: 1 }, font: "11px system-ui, sans-serif" };
    const options = {
      width: box.clientWidth, height: 250,
      scales: { x: { time: false, range: (u, min, max) => [min, max] }, y: log ? { distr: 3, range: decades } : {} },
      axes: [{ ...axis, values: (u, all) => all.map(steps), space: 60 },
        { ...axis, size: 64, values: (u, all) => all.map((v) => (v == null ? "" : shown(v))) }],
      series: [{ label: "step", value: (u, value) => (value == null ? "–" : steps(value)) },
        ...chart.series.map((series, i) => look(chart, series, i))],
      cursor: { sync: { key: "steps" }, drag: { x: true, y: false } },
      hooks: { drawClear: [], drawAxes: [bands], setScale: [together] },
    };
    plot.u = new uPlot(options, table(chart, log), box);
    moving = true;
    plot.u.setScale("x", { min: range.min, max: range.max });
    moving = false;
  }

  const zoom = (u, factor) => {
    const { min, max } = u.scales.x;
    const at = u.cursor.left >= 0 ? u.posToVal(u.cursor.left, "x") : (min + max) / 2;
    u.setScale("x", { min: Math.max(whole.min, at - (at - min) * factor), max: Math.min(whole.max, at + (max - at) * factor) });
  };
  const reset = (u) => u.setScale("x", whole);

  function moved(plot, event) {
    const u = plot.u, x = u.data[0];
    const [low, high] = [u.valToIdx(u.scales.x.min), u.valToIdx(u.scales.x.max)];
    const jump = event.shiftKey ? Math.max(1, Math.round((high - low) / 10)) : 1;
    let at = u.cursor.idx ?? low;
    if (event.key === "ArrowRight") at += jump;
    else if (event.key === "ArrowLeft") at -= jump;
    else if (event.key === "Home") at = low;
    else if (event.key === "End") at = high;
    else if (event.key === "+" || event.key === "=") return zoom(u, 0.5), true;
    else if (event.key === "-") return zoom(u, 2), true;
    else if (event.key === "Escape" || event.key === "0") return reset(u), true;
    else return false;
    at = Math.min(high, Math.max(low, at));
    u.setCursor({ left: u.valToPos(x[at], "x"), top: u.over.clientHeight / 2 });
    plot.said.textContent = `step ${steps(x[at])}: ` + u.series.slice(1)
      .map((series, i) => [series, u.data[i + 1][at]]).filter(([, value]) => value != null)
      .map(([series, value]) => `${series.label} ${shown(value)}`).join(", ");
    return true;
  }

  function add(chart, parent) {
    const frame = make("div", "", { class: "chart", tabindex: "0", role: "group", "data-chart": chart.id,
      "aria-label": `${chart.title}: left and right arrow read values, plus and minus zoom, escape shows all` });
    const top = make("div", "", { class: "top" }), tools = make("span", "", { class: "tools" });
    const scale = make("button", "log", { type: "button", "aria-pressed": String(chart.log) });
    const all = make("button", "all steps", { type: "button" });
    const said = make("p", "", { class: "hidden", "aria-live": "polite" }), box = make("div");
    tools.append(scale, all);
    top.append(make("h3", chart.title), tools);
    frame.append(top, box, said);
    parent.append(frame);
    const plot = { chart, box, said, frame, log: chart.log, u: null };
    plots.push(plot);
    scale.addEventListener("click", () => {
      plot.log = !plot.log;
      scale.setAttribute("aria-pressed", String(plot.log));
      draw(plot);
    });
    all.addEventListener("click", () => reset(plot.u));
    box.addEventListener("dblclick", () => reset(plot.u));
    frame.addEventListener("keydown", (event) => {
      if (event.target === frame && !event.ctrlKey && !event.metaKey && !event.altKey && moved(plot, event)) event.preventDefault();
    });
  }

  const parent = document.getElementById("charts");
  if (parent) {
    parent.before(make("p", "Drag over a curve to zoom in, double-click to see all; a name below a curve hides it. " +
      "With the keyboard: arrows read values, + and - zoom, Escape shows all." +
      (data.runs.some((run) => run.resumes.length) ? " Dotted lines mark where a run was resumed." : "") +
      (samePhases ? "" : " Strips at the top are the phases of each run."), { class: "hint" }));
    data.charts.forEach((chart) => add(chart, parent));
    plots.forEach(draw);  // once all are there, and the width of each is known
    let waiting = 0;
    addEventListener("resize", () => {
      cancelAnimationFrame(waiting);
      waiting = requestAnimationFrame(() => plots.forEach(({ u, box }) => u.setSize({ width: box.clientWidth, height: 250 })));
    });
  }

  // --- sample grids -------------------------------------------------------------------------

  const slider = document.getElementById("step");
  if (slider) {
    const known = slider.dataset.steps.split(" ").map(Number);
    const show = () => {
      const at = known[Number(slider.value)];
      document.getElementById("step-shown").textContent = `step ${steps(at)}`;
      slider.setAttribute("aria-valuetext", `step ${steps(at)}`);
      for (const figure of document.querySelectorAll("figure.grid")) {
        const pictures = [...figure.querySelectorAll("img")];
        const past = pictures.filter((picture) => Number(picture.dataset.step) <= at);
        const chosen = past.length ? past[past.length - 1] : pictures[0];
        for (const picture of pictures) picture.hidden = picture !== chosen;
        figure.querySelector(".at").textContent = `step ${steps(Number(chosen.dataset.step))}`;
      }
    };
    let timer = 0;
    const play = document.getElementById("play");
    const stop = () => { clearInterval(timer); timer = 0; play.textContent = "play"; };
    slider.addEventListener("input", () => { stop(); show(); });
    play.addEventListener("click", () => {
      if (timer) return stop();
      if (Number(slider.value) === known.length - 1) slider.value = 0;
      show();
      play.textContent = "pause";
      timer = setInterval(() => {
        slider.value = Number(slider.value) + 1;
        show();
        if (Number(slider.value) >= known.length - 1) stop();
      }, 500);
    });
    show();
  }

  // --- dark and light -----------------------------------------------------------------------

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const redraw = () => plots.forEach(({ u }) => u.redraw(false));
  document.getElementById("scheme").addEventListener("click", () => {
    const now = root.dataset.scheme || (dark.matches ? "dark" : "light");
    root.dataset.scheme = now === "dark" ? "light" : "dark";
    redraw();
  });
  dark.addEventListener("change", redraw);
})();
