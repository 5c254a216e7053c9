"""Two runs held side by side: settings that differ, losses at common steps, curves and grids."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.markup import escape

from growlang.diagnostics import GrowlangError
from growlang.plans.weights_header import run_of
from growlang.tables.parts import table_of
from growlang.tables.shown import Shown
from growlang_runtime.report.curves import drawn
from growlang_runtime.report.history import Curve, History, history_of
from growlang_runtime.report.png import require_png
from growlang_runtime.report.runs import RunSummary, summary_of
from growlang_runtime.report.settings import differing, settings_of
from growlang_runtime.report.side_by_side import (
    Grid,
    grids_of,
    matching,
    write_side_by_side,
)
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.place import Place, located, place_of
from growlang_runtime.storage.run import recorded_plan

FORMAT_VERSION = 1
ROWS = 10
"""Common steps that are printed, evenly spread; all are in the JSON."""


class Row(NamedTuple):
    """The losses of both at a step."""

    step: int
    a: float
    b: float


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """What differs between two runs; its text is that of `growlang compare`."""

    a: RunSummary
    b: RunSummary
    settings: tuple[tuple[str, str, str], ...]
    """The settings that differ: name, value in a, value in b."""
    histories: tuple[History, History]
    """What each told, up to the step that was named."""
    grids: tuple[Grid, Grid] | None
    """A sample grid of each, of the same step if there is one."""
    output: Path | None = None
    """Where the grids were written beside each other."""

    def __repr__(self) -> str:
        return f"Comparison({self.a.path}, {self.b.path}: {len(self.settings)} settings differ)"

    @property
    def losses(self) -> dict[str, tuple[Row, ...]]:
        """The losses at common steps, by the name of the curve."""
        a, b = (history.curves for history in self.histories)
        return {name: rows for name in a if name in b and (rows := _common(a[name], b[name]))}

    def as_json(self) -> dict[str, Any]:
        """With a `format_version`: `a`, `b`, `settings`, `losses` by curve, `grids`."""
        grids = [{"path": str(g.path), "step": g.step} for g in self.grids or ()]
        return {
            "format_version": FORMAT_VERSION,
            "a": self.a.as_json(),
            "b": self.b.as_json(),
            "settings": [dict(zip(("name", "a", "b"), s, strict=True)) for s in self.settings],
            "losses": {n: [row._asdict() for row in rows] for n, rows in self.losses.items()},
            "grids": dict(zip("ab", grids, strict=False)),
            "output": str(self.output) if self.output else None,
        }

    def print(self, out: Console) -> None:
        """Tables of settings and losses, and the curves."""
        for name, run in (("a", self.a), ("b", self.b)):
            step = f"{run.step:,} of {run.steps:,}" if run.steps is not None else f"{run.step:,}"
            out.print(f"{name}  {run.path}  {run.state}, step {step}", markup=False)
        out.print()
        if self.settings:
            table = table_of("<setting", "<a", "<b")
            for row in self.settings:
                table.add_row(*map(escape, row))
            out.print(table)
        else:
            out.print("no setting differs")
        self._print_losses(out)
        for name in dict.fromkeys(name for h in self.histories for name in h.curves):
            lines = drawn([history.curves.get(name, ()) for history in self.histories])
            if lines:
                out.print(f"\n{name} over the steps, logarithmic")
                out.print("\n".join(lines), markup=False, no_wrap=True)
        if self.output:
            out.print(f"\nsample grids: {self.output}", markup=False)

    def _print_losses(self, out: Console) -> None:
        for name, rows in self.losses.items():
            table = table_of("step", f"{name}, a", f"{name}, b", "b - a")
            for row in _spread(rows):
                change = row.b - row.a
                values = [f"{row.a:.4f}", f"{row.b:.4f}", f"{change:+.4f}"]
                table.add_row(f"{row.step:,}", *values)
            out.print()
            out.print(table)
        if not self.losses:
            out.print("\nthey have no step in common at which both told a loss")


def compare(a: Path, b: Path, output: Path | None = None) -> Comparison:
    """Two runs, each RUN, RUN@STEP or RUN@best, of which nothing later than the step is read.

    With `output`, their sample grids are written beside each other as a PNG. Raises GrowlangError
    if one is no run, if there are no grids, or if `output` exists.
    """
    if output is not None:
        require_png(output, new=True)
    sides = [side_of(path) for path in (a, b)]
    runs, ends = [run for run, _ in sides], [end for _, end in sides]
    settings = differing(*(settings_of(recorded_plan(run)) for run in runs))
    first, last = (history_of(run, end) for run, end in sides)
    grids = matching(*(grids_of(run, end) for run, end in sides))
    if output is not None:
        _write(runs, ends, grids, output)
    summaries = [summary_of(run) for run in runs]
    return Comparison(summaries[0], summaries[1], tuple(settings), (first, last), grids, output)


def side_of(written: Path, done: str = "compared") -> tuple[Path, int | None]:
    """The run's folder, and the step at which it is looked at; None for its end.

    Raises GrowlangError for what is no run; `done` says what is done with runs.
    """
    place: Place = place_of(written)
    found = located(written)
    if place.at is None:
        if found.is_dir():
            return run_of(found), None
        what = "is a file" if found.exists() else "does not exist"
        raise GrowlangError(f"{written} {what}: only runs are {done}", help="name a run's folder")
    if isinstance(place.at, int):
        return place.run, place.at
    try:
        return place.run, checkpoint.read(found).step
    except checkpoint.TornCheckpoint as torn:
        raise GrowlangError(f"{found} is damaged: {torn}") from torn


def _write(
    runs: list[Path], ends: list[int | None], grids: tuple[Grid, Grid] | None, output: Path
) -> None:
    if grids is None:
        without = next(r for r, end in zip(runs, ends, strict=True) if not grids_of(r, end))
        raise GrowlangError(
            f"{without} has no sample grids yet",
            help="leave --output out, or train with --sample-every N; phases end with a grid",
        )
    titles = [f"{run}, step {grid.step:,}" for run, grid in zip(runs, grids, strict=True)]
    write_side_by_side([(t, g.path) for t, g in zip(titles, grids, strict=True)], output)


def _common(a: Curve, b: Curve) -> tuple[Row, ...]:
    others = dict(b)
    return tuple(Row(step, loss, others[step]) for step, loss in a if step in others)


def _spread(rows: tuple[Row, ...]) -> list[Row]:
    """At most `ROWS` of them, evenly spread, with the first and the last."""
    if len(rows) <= ROWS:
        return list(rows)
    return [rows[i * (len(rows) - 1) // (ROWS - 1)] for i in range(ROWS)]
