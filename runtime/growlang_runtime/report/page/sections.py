"""The sections of a page: each is HTML, or nothing where the runs have nothing to say of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from growlang.growth.mapping import CATEGORIES
from growlang.pages.markup import Child, Html, element, joined, table
from growlang.spec.recipe import Phase
from growlang_runtime.report.history import lowest
from growlang_runtime.report.page.facts import Facts, Line
from growlang_runtime.report.settings import Value, settings_of

SHOWN = 40
"""Lines of one kind that are listed; of the rest it is told how many there are."""
LONGEST = 16_000
"""Characters of the specs of all runs together that are shown."""


class Section(NamedTuple):
    """A part of the page with a heading."""

    id: str
    title: str
    inner: Html


Made = Callable[[Sequence[Facts]], Html]


def key(index: int) -> Html:
    """The mark of a run's colour."""
    return element("span", class_=f"key k{index % 8}", aria_hidden="true")


def title_of(runs: Sequence[Facts], index: int) -> Html | None:
    """The name of a run above what is about it alone; None if there is no other."""
    return element("h3", key(index), runs[index].name) if len(runs) > 1 else None


def each(runs: Sequence[Facts], make: Callable[[Facts], Child]) -> Html:
    """What is made of each run that has it, below its name."""
    parts = ((i, make(run)) for i, run in enumerate(runs))
    return joined([(title_of(runs, i), part) for i, part in parts if part])


# --- overview ------------------------------------------------------------------------------------


def overview(runs: Sequence[Facts]) -> Html:
    """What each run is, how far it came, and how it fares."""
    head = ["run", "model", "recipe", "state", "step", "loss", "validation", "best", "at step"]
    rows = [_about(run, i) for i, run in enumerate(runs)]
    reasons = [
        element("p", element("strong", run.name), f": {run.summary.reason}", class_="bad")
        for run in runs
        if run.summary.reason
    ]
    return joined(table(head, rows, numbers=(4, 5, 6, 7, 8)), reasons)


def _about(run: Facts, index: int) -> list[Child]:
    summary, history = run.summary, run.summary.history
    best = lowest(history.averaged)
    of = f" of {summary.steps:,}" if summary.steps is not None else ""
    state = element("span", summary.state, class_=f"state {summary.state}")
    return [
        element("span", key(index), run.name),
        run.plan.model,
        run.plan.recipe,
        state,
        f"{summary.step:,}{of}",
        f"{history.training[-1].loss:.4f}" if history.training else "",
        f"{history.averaged[-1].loss:.4f}" if history.averaged else "",
        f"{best.loss:.4f}" if best else "",
        f"{best.step:,}" if best else "",
    ]


# --- time ----------------------------------------------------------------------------------------

PART_NAMES = {
    "data": "waiting for data",
    "step": "steps",
    "validation": "validation",
    "checkpoint": "checkpoints",
    "samples": "sample grids",
    "evaluation": "evaluation",
    "other": "starts of phases, hashes",
}


def time_split(runs: Sequence[Facts]) -> Html:
    """A bar for each run, and the seconds."""
    told = [(i, run) for i, run in enumerate(runs) if run.seconds]
    if not told:
        return Html()
    parts = list(dict.fromkeys(part for _, run in told for part in run.seconds))
    bars = [_bar(run, i, len(runs) > 1) for i, run in told]
    legend = [
        element("li", element("span", class_=f"key part-{part}"), PART_NAMES.get(part, part))
        for part in parts
    ]
    head: list[Child] = ["part", *(joined(key(i), run.name) for i, run in told)]
    rows = [[PART_NAMES.get(part, part), *(_spent(run, part) for _, run in told)] for part in parts]
    rows.append(["all", *(f"{sum(run.seconds.values()):,.1f} s" for _, run in told)])
    numbers = range(1, len(told) + 1)
    return joined(bars, element("ul", legend, class_="legend"), table(head, rows, [*numbers]))


def _bar(run: Facts, index: int, named: bool) -> Html:
    total = sum(run.seconds.values())
    pieces = [
        element(
            "span",
            class_=f"part-{part}",
            style=f"width:{100 * spent / total:.3f}%",
            title=f"{PART_NAMES.get(part, part)}: {spent:,.1f} s, {spent / total:.1%}",
        )
        for part, spent in run.seconds.items()
    ]
    label = ", ".join(
        f"{PART_NAMES.get(p, p)} {spent / total:.1%}" for p, spent in run.seconds.items()
    )
    title = element("p", key(index), run.name, class_="above") if named else None
    return joined(title, element("div", pieces, class_="bar", role="img", aria_label=label))


def _spent(run: Facts, part: str) -> str:
    spent, total = run.seconds.get(part), sum(run.seconds.values())
    return "" if spent is None else f"{spent:,.1f} s ({spent / total:.1%})"


# --- plan and lineage ----------------------------------------------------------------------------


def plan(runs: Sequence[Facts]) -> Html:
    """The phases, the settings side by side, the nets, and the specs."""
    left = LONGEST // len(runs)

    def own(run: Facts) -> Html:
        spec = _folded(f"spec: {run.plan.spec}", _cut(run.plan.source, left))
        return joined(_phases(run), _net(run), spec)

    return joined(each(runs, own), element("h3", "Settings"), _settings(runs))


def _phases(run: Facts) -> Html:
    head = ["phase", "length", "batch", "optimizer", "lr", "schedule", "trained", "frozen"]
    every = len(run.plan.child_net().table)
    ends = {stretch.name: stretch.end - stretch.first for stretch in run.stretches}
    rows = [_phase(phase, ends.get(phase.name), every) for phase in run.plan.phases]
    return table(head, rows, numbers=(2, 4, 6, 7))


def _phase(phase: Phase, ran: int | None, every: int) -> list[Child]:
    settings = phase.settings
    steps = phase.steps if phase.steps is not None else ran
    length = f"{steps:,} steps" if steps is not None else f"{phase.epochs:g} epochs"
    schedule = settings.lr_schedule
    return [
        phase.name,
        length,
        f"{settings.batch:,}",
        settings.optimizer.call,
        f"{settings.optimizer.lr:g}",
        schedule if isinstance(schedule, str) else getattr(schedule, "call", ""),
        f"{every - len(phase.frozen):,}",
        f"{len(phase.frozen):,}",
    ]


def _settings(runs: Sequence[Facts]) -> Html:
    said = [settings_of(run.plan) for run in runs]
    names = list(dict.fromkeys(name for settings in said for name in settings))
    rows = [(name, [settings.get(name, "") for settings in said]) for name in names]
    head: list[Child] = ["setting", *(joined(key(i), run.name) for i, run in enumerate(runs))]
    if len(runs) == 1:
        return _folded(f"{len(rows)} settings", table(["setting", "value"], _cells(rows)))
    apart = [row for row in rows if len(set(map(str, row[1]))) > 1]
    same = [(name, values[:1]) for name, values in rows if len(set(map(str, values))) == 1]
    shown = table(head, _cells(apart)) if apart else element("p", "All settings are the same.")
    return joined(
        shown,
        _folded(f"{len(same)} settings are the same", table([*head[:1], "all"], _cells(same))),
    )


def _cells(rows: Sequence[tuple[str, list[Value]]]) -> list[list[Child]]:
    return [[name, *(str(value) for value in values)] for name, values in rows]


def _net(run: Facts) -> Html:
    net = run.plan.child_net()
    rows: list[list[Child]] = []
    for component in net.components:
        tensors = [t for node in net.of(str(component.name)) for t in node.tensors]
        size = sum(tensor.parameters for tensor in tensors)
        rows.append([str(component.name), str(component.output), f"{len(tensors):,}", f"{size:,}"])
    inner = table(["component", "output", "tensors", "parameters"], rows, numbers=(2, 3))
    hashes = [("net", run.plan.net_hash), ("spec", run.plan.spec_hash), ("run", run.plan.run_hash)]
    shown = table(["hash", "sha256"], [[n, element("code", value)] for n, value in hashes])
    return _folded(f"net: {net.name}, {net.parameters:,} parameters", joined(inner, shown))


def lineage(runs: Sequence[Facts]) -> Html:
    """Where the weights of each run come from, and what becomes of its parent's tensors."""
    if not any(run.plan.parent or run.plan.branch for run in runs):
        return Html()
    return each(runs, _lineage)


def _lineage(run: Facts) -> Child:
    if run.plan.parent is None and run.plan.branch is None:
        return None
    steps: list[Child] = []
    for ancestor in run.lineage():
        hashes = [
            element("small", f"{name} ", element("code", value[:16], title=value))
            for name, value in ancestor.hashes.items()
        ]
        steps.append(element("li", element("strong", ancestor.title), hashes))
        steps.append(element("li", ancestor.how, class_="how"))
    own = element("strong", f"{run.plan.model}/{run.plan.recipe}: {run.path}")
    net = element("small", "net ", element("code", run.plan.net_hash[:16], title=run.plan.net_hash))
    steps.append(element("li", own, net, class_="own"))
    return joined(element("ol", steps, class_="lineage"), _mapping(run))


def _mapping(run: Facts) -> Child:
    counts: dict[str, Counter[str]] = {}
    for entry in run.plan.mapping:
        counts.setdefault(str(entry.component), Counter())[entry.category] += 1
    if not counts:
        return None
    used = [c for c in CATEGORIES if any(count[c] for count in counts.values())]
    rows = [
        [name, *(f"{count[c]:,}" if count[c] else "" for c in used)]
        for name, count in counts.items()
    ]
    return joined(
        element("h4", "Tensors of the parent in this net"),
        table(["component", *used], rows, numbers=[*range(1, len(used) + 1)]),
    )


# --- what happened -------------------------------------------------------------------------------


def proofs(runs: Sequence[Facts]) -> Html:
    """The hashes of frozen tensors at the start and the end of each phase."""
    return each(runs, _proofs)


def _proofs(run: Facts) -> Child:
    rows: list[list[Child]] = []
    for proof in run.proofs:
        same, over = proof.start == proof.end, proof.end is not None
        word = "unchanged" if same else "CHANGED" if over else "not over yet"
        look = "good" if same else "bad" if over else ""
        digests = [element("code", d or "") for d in dict.fromkeys((proof.start, proof.end)) if d]
        verdict = element("span", word, class_=look)
        rows.append([proof.phase, f"{proof.tensors:,}", verdict, joined(digests)])
    head = ["phase", "frozen tensors", "from start to end", "sha256"]
    return table(head, rows, numbers=(1,)) if rows else None


def skipped(runs: Sequence[Facts]) -> Html:
    """Steps that were skipped, warnings, and how the run failed."""
    return each(runs, _skipped)


def _skipped(run: Facts) -> Child:
    steps, warnings = run.events("skipped"), run.events("warning")
    parts: list[Child] = []
    if steps:
        rows = [
            [f"{x['step']:,}", x.get("phase"), x.get("loss"), x.get("grad_norm")] for x in steps
        ]
        total = f"{len(steps):,} steps were skipped: loss or gradient were not finite."
        parts.append(element("p", total))
        parts.append(_first(rows, ["step", "phase", "loss", "gradient norm"], (0, 2, 3)))
    for line in run.events("failed"):
        parts.append(
            element("p", f"Failed at step {line['step']:,}: {line.get('text')}", class_="bad")
        )
    if warnings:
        told = [(text, [x["step"] for x in same]) for text, same in _alike(warnings)]
        rows = [[", ".join(f"{step:,}" for step in at[:3]), text] for text, at in told]
        parts.append(element("h4", "Warnings"))
        parts.append(_first(rows, ["step", "warning"], (0,)))
    return joined(parts) if parts else None


def _alike(lines: Sequence[Line]) -> Iterator[tuple[str, Iterator[Line]]]:
    def text(line: Line) -> str:
        return str(line.get("text"))

    return groupby(sorted(lines, key=lambda line: (text(line), line["step"])), text)


def left_out(runs: Sequence[Facts]) -> Html:
    """Samples that could not be used, and captions that were cut."""
    return each(runs, _left_out)


def _left_out(run: Facts) -> Child:
    corrupt, captions = run.events("corrupt"), _captions(run)
    parts: list[Child] = []
    if corrupt:
        names = [name for name in corrupt[0] if name not in ("step", "event")]
        parts.append(
            element("p", f"{len(corrupt):,} samples could not be used; others took their places.")
        )
        rows = [[f"{x['step']:,}", *(str(x.get(n, "")) for n in names)] for x in corrupt]
        parts.append(_first(rows, ["step", *names], (0,)))
    if captions:
        head = ["condition", "captions read", "truncated", "without words"]
        parts.append(table(head, captions, numbers=(1, 2, 3)))
    return joined(parts) if parts else None


def _captions(run: Facts) -> list[list[Child]]:
    """What conditions could not read: at the run's end, else up to its newest checkpoint."""
    told = {str(x.get("condition")): x for x in run.events("captions")}
    if not told and run.record is not None and run.until is None:
        told = {name: dict(counts) for name, counts in run.record.readings.items()}
    names = ("captions", "cut", "wordless")
    return [
        [name, *(f"{counts.get(n, 0):,}" for n in names)]
        for name, counts in told.items()
        if counts.get("cut") or counts.get("wordless")
    ]


def environment(runs: Sequence[Facts]) -> Html:
    """What the runs computed with, and when they were resumed."""
    said = [dict(run.environment()) for run in runs]
    for run, values in zip(runs, said, strict=True):
        if run.resumes:
            values["resumed at step"] = ", ".join(f"{step:,}" for step in run.resumes[-20:])
    names = list(dict.fromkeys(name for values in said for name in values))
    if not names:
        return Html()
    head: list[Child] = ["", *(joined(key(i), run.name) for i, run in enumerate(runs))]
    return table(head, [[name, *(values.get(name, "") for values in said)] for name in names])


# --- pieces --------------------------------------------------------------------------------------


def _first(rows: Sequence[Sequence[Child]], head: Sequence[Child], numbers: Sequence[int]) -> Html:
    """A table of the first rows, and how many more there are."""
    more = len(rows) - SHOWN
    rest = element("p", f"and {more:,} more, in metrics.jsonl") if more > 0 else None
    return joined(table(head, rows[:SHOWN], numbers), rest)


def _folded(title: str, inner: Child) -> Html:
    """Something that is shown when its title is clicked."""
    shown = inner if isinstance(inner, Html) else element("pre", element("code", inner), tabindex=0)
    return element("details", element("summary", title), shown)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}\n... the rest is in the run's folder"


SECTIONS: tuple[tuple[str, str, Made], ...] = (
    ("time", "Where the time went", time_split),
    ("plan", "Plan", plan),
    ("lineage", "Lineage", lineage),
    ("frozen", "Frozen tensors", proofs),
    ("skipped", "Skipped steps and warnings", skipped),
    ("left-out", "Data left out", left_out),
    ("environment", "Environment", environment),
)
"""Sections that are tables, in their order."""


def sections(runs: Sequence[Facts]) -> Iterator[Section]:
    """The sections that have something to say."""
    for id, title, make in SECTIONS:
        if inner := make(runs):
            yield Section(id, title, inner)
