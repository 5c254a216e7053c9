"""The curves of a page as data: what its script draws."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from growlang.net import ComponentName
from growlang.plans.learning_rate import Span, scales, spans
from growlang.spec.recipe import Phase
from growlang_runtime.report.page.facts import Facts, Line
from growlang_runtime.report.page.thinning import means, number, rounded, thinned
from growlang_runtime.report.seconds import between, waiting

Look = Literal["main", "faint", "dashed"]
Values = list[float | int | None]


class Series(NamedTuple):
    """One curve: of which run, its name, how it is drawn, and its points."""

    run: int
    name: str
    look: Look
    x: list[int]
    y: Values


class Chart(NamedTuple):
    """Curves that share their axes."""

    id: str
    title: str
    log: bool
    """Whether the scale is logarithmic at first."""
    series: list[Series]


def charts(runs: Sequence[Facts], most: int) -> list[Chart]:
    """The charts that have curves; `most` is about how many steps of each run are shown."""
    kept = [_kept(run, most) for run in runs]
    made = [
        Chart("loss", "Training loss", True, _losses(runs, kept)),
        Chart("validation", "Validation loss", True, _validation(runs)),
        Chart("levels", "Validation loss by noise level", True, _levels(runs)),
        Chart("lr", "Learning rate by group", False, _rates(runs, kept)),
        Chart("grad-norm", "Norm of the gradient", True, _plain(runs, kept, "grad_norm")),
        Chart("speed", "Images per second", False, _speeds(runs, kept)),
        Chart("data-wait", "Waiting for data (% of the time)", False, _waits(runs, kept)),
    ]
    made += _evaluations(runs)
    made += [
        Chart(f"own-{n}", n.replace("_", " "), True, _plain(runs, kept, n)) for n in _own(runs)
    ]
    return [chart for chart in made if any(series.x for series in chart.series)]


def data_of(runs: Sequence[Facts], most: int) -> dict[str, Any]:
    """All that the script draws: axes of steps that curves share, charts, and marks of runs."""
    axes: dict[tuple[int, ...], int] = {}
    drawn = []
    for chart in charts(runs, most):
        series = [
            {
                "run": one.run,
                "name": one.name,
                "look": one.look,
                "x": axes.setdefault(tuple(one.x), len(axes)),
                "y": one.y,
            }
            for one in chart.series
            if one.x
        ]
        drawn.append({"id": chart.id, "title": chart.title, "log": chart.log, "series": series})
    marks = [
        {"name": run.name, "phases": [list(s) for s in run.stretches], "resumes": run.resumes}
        for run in runs
    ]
    return {"axes": [list(axis) for axis in axes], "charts": drawn, "runs": marks}


def _kept(run: Facts, most: int) -> list[int]:
    return thinned(run.rows, most)


def _losses(runs: Sequence[Facts], kept: Sequence[list[int]]) -> list[Series]:
    found = []
    for index, (run, chosen) in enumerate(zip(runs, kept, strict=True)):
        mean = means([number(row.get("loss")) for row in run.rows])
        averaged = any(value is not None for value in mean)
        look: Look = "faint" if averaged else "main"
        found.append(_series(index, "loss", look, run.rows, chosen, "loss"))
        if averaged:
            steps = [run.rows[i]["step"] for i in chosen]
            found.append(
                Series(index, "mean loss", "main", steps, [rounded(mean[i]) for i in chosen])
            )
    return found


def _validation(runs: Sequence[Facts]) -> list[Series]:
    found = []
    for index, run in enumerate(runs):
        lines = run.events("validation")
        every = range(len(lines))
        found.append(_series(index, "averaged weights", "main", lines, every, "averaged"))
        found.append(_series(index, "plain weights", "dashed", lines, every, "plain"))
    return found


def _levels(runs: Sequence[Facts]) -> list[Series]:
    """The loss of the averaged weights by noise level, of a run that is alone."""
    if len(runs) > 1:
        return []
    found: dict[str, tuple[list[int], Values]] = {}
    for line in runs[0].events("validation"):
        for level in line.get("levels") or ():
            name = f"log-SNR {level.get('log_snr', 0.0):.3g}"
            steps, values = found.setdefault(name, ([], []))
            steps.append(line["step"])
            values.append(rounded(number(level.get("averaged"))))
    return [Series(0, name, "main", *points) for name, points in found.items()]


def _evaluations(runs: Sequence[Facts]) -> list[Chart]:
    """What was measured on images while the runs trained, by metric, with its floor."""
    told = [run.events("evaluation") for run in runs]
    names = dict.fromkeys(n for lines in told for line in lines for n in line.get("metrics", ()))
    found = []
    for name in names:
        series = []
        for index, lines in enumerate(told):
            for key, label, look in LINES:
                rows = [{"step": x["step"], **x.get(key, {})} for x in lines]
                series.append(_series(index, f"{name}{label}", look, rows, range(len(rows)), name))
        found.append(Chart(f"evaluation-{name}", f"Evaluation: {name}", False, series))
    return found


LINES: tuple[tuple[str, str, Look], ...] = (("metrics", "", "main"), ("floors", " floor", "dashed"))
"""The curves of a metric: where its values are in a line, and how they are called and drawn."""


def _own(runs: Sequence[Facts]) -> list[str]:
    """Numbers that lines of some runs alone have, such as the errors of a net that retains ends."""
    names = dict.fromkeys(n for run in runs for row in run.rows for n in row if n not in USUAL)
    return [
        n for n in names if any(number(row.get(n)) is not None for run in runs for row in run.rows)
    ]


USUAL = frozenset(
    {"step", "phase", "loss", "lr", "grad_norm", "images_per_s", "memory", "seconds", "skipped"}
)
"""What the lines of all runs have; each has its place on the page."""


def _plain(runs: Sequence[Facts], kept: Sequence[list[int]], name: str) -> list[Series]:
    label = name.replace("_per_s", "/s").replace("_", " ")
    return [
        _series(index, label, "main", run.rows, chosen, name)
        for index, (run, chosen) in enumerate(zip(runs, kept, strict=True))
    ]


def _speeds(runs: Sequence[Facts], kept: Sequence[list[int]]) -> list[Series]:
    """The speed as it was told, and that of the steps alone, without what is done between them."""
    found = _plain(runs, kept, "images_per_s")
    for index, (run, chosen) in enumerate(zip(runs, kept, strict=True)):
        rows = [run.rows[i] for i in chosen if isinstance(run.rows[i].get("seconds"), dict)]
        if any(between(row["seconds"]) > 0 for row in rows):
            steps = [row["step"] for row in rows]
            found.append(Series(index, "in steps alone", "dashed", steps, [*map(_inside, rows)]))
    return found


def _inside(row: Line) -> float | int | None:
    told, share = number(row.get("images_per_s")), between(row["seconds"])
    return None if told is None or share >= 1 else rounded(told / (1 - share))


def _waits(runs: Sequence[Facts], kept: Sequence[list[int]]) -> list[Series]:
    found = []
    for index, (run, chosen) in enumerate(zip(runs, kept, strict=True)):
        told = [i for i in chosen if isinstance(run.rows[i].get("seconds"), dict)]
        shares = [rounded(100 * waiting(run.rows[i]["seconds"])) for i in told]
        steps = [run.rows[i]["step"] for i in told]
        found.append(Series(index, "data wait", "main", steps, shares))
    return found


def _series(
    run: int, name: str, look: Look, rows: Sequence[Line], chosen: Iterable[int], key: str
) -> Series:
    """The values of rows that have one; where it is no finite number, the curve has a gap."""
    told = [rows[i] for i in chosen if key in rows[i]]
    return Series(
        run, name, look, [r["step"] for r in told], [rounded(number(r[key])) for r in told]
    )


# --- learning rates ------------------------------------------------------------------------------


def _rates(runs: Sequence[Facts], kept: Sequence[list[int]]) -> list[Series]:
    found = []
    for index, (run, chosen) in enumerate(zip(runs, kept, strict=True)):
        phases = run.plan.phases
        trained = {p.name: (p, s) for p, s in zip(phases, spans(phases), strict=True)}
        rows = [run.rows[i] for i in chosen if number(run.rows[i].get("lr")) is not None]
        groups: dict[str, tuple[list[int], Values]] = {}
        for row in rows:
            for name, factor in _factors(run, row, trained.get(row.get("phase", ""))):
                steps, values = groups.setdefault(name, ([], []))
                steps.append(row["step"])
                values.append(rounded(row["lr"] * factor))
        for name, (steps, values) in groups.items():
            look: Look = "main" if name == BASE else "dashed"
            found.append(Series(index, name, look, steps, values))
    return found


BASE = "lr"
"""The group of the tensors without a factor of their own."""
NEW = "new tensors"
"""The group of those whose learning rate rises over the first steps of a phase."""


def _factors(run: Facts, row: Line, at: tuple[Phase, Span] | None) -> Iterator[tuple[str, float]]:
    """The factors on the learning rate at a step, by group: those of the phase, and of what is new.

    The line of a step tells of the update that made it, which is that of `step - 1` from 0.
    """
    yield BASE, 1.0
    if at is None:
        return
    phase, span = at
    rising = run.plan.mapping.new if phase.rewarm else frozenset()
    scale = scales(phase, span, row["step"] - 1, rising)
    for title, name in _groups(phase, rising).items():
        yield title, scale.get(name, 1.0)


def _groups(phase: Phase, rising: frozenset[str]) -> dict[str, str]:
    """The groups of tensors with a learning rate of their own, each with one of its tensors."""
    groups: dict[tuple[bool, float | None], list[str]] = {}
    for name in dict.fromkeys([*phase.lr_scale, *sorted(rising)]):
        groups.setdefault((name in rising, phase.lr_scale.get(name)), []).append(name)
    return {_title(names, *group): names[0] for group, names in groups.items()}


def _title(names: Sequence[str], new: bool, factor: float | None) -> str:
    if factor is None:
        return NEW
    parts = dict.fromkeys(str(ComponentName.of_tensor(name)) for name in names)
    return f"{NEW if new else BASE} of {', '.join(parts)} (x {factor:g})"
