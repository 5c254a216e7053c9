"""What an evaluation found: values, floors, and the protocol of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from growlang.shown import Shown
from growlang.tables import table_of
from growlang.version import __version__

FORMAT_VERSION = 1
ONCE = ("generated", "real", "floor_real", "floor_other")
"""Parts of a protocol that are shown beside the value."""


@dataclass(frozen=True)
class Result:
    """One metric of one evaluation."""

    name: str
    value: float
    floor: float | None
    """The same between real images and other real ones; None where it is not measured."""
    better: str
    """Whether `lower` or `higher` values are better."""
    details: Mapping[str, Any]
    protocol: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "name": self.name,
            "value": self.value,
            "floor": self.floor,
            "better": self.better,
            "details": dict(self.details),
            "protocol": dict(self.protocol),
        }


@dataclass(frozen=True, repr=False)
class Evaluation(Shown):
    """What one set of weights was found to be worth, with one guidance."""

    run: str
    """The run, as RUN or RUN@STEP."""
    step: int | None
    weights: Mapping[str, Any]
    """Their SHA-256, and whether they are averages."""
    drawn: Mapping[str, Any]
    """How the images were drawn; empty where no metric looks at images."""
    reference: Mapping[str, Any]
    """What the real images are."""
    results: tuple[Result, ...]
    file: Path | None = None
    """Where it was written."""

    def __getitem__(self, name: str) -> float:
        """The value of a metric, such as `evaluation["fid"]`."""
        return next(r.value for r in self.results if r.name == name)

    def __repr__(self) -> str:
        shown = ", ".join(f"{r.name} {number(r.value)}" for r in self.results)
        return f"Evaluation({self.run}: {shown})"

    @property
    def guidance(self) -> float | None:
        """The guidance with which the images were drawn."""
        return self.drawn.get("guidance")

    @property
    def values(self) -> dict[str, float]:
        """The values by metric."""
        return {result.name: result.value for result in self.results}

    def as_json(self) -> dict[str, Any]:
        """With a `format_version`: `run`, `step`, `weights`, `drawn`, `reference`, `metrics`."""
        return {
            "format_version": FORMAT_VERSION,
            "growlang": __version__,
            "run": self.run,
            "step": self.step,
            "weights": dict(self.weights),
            "drawn": dict(self.drawn),
            "reference": dict(self.reference),
            "metrics": [result.as_json() for result in self.results],
        }

    def print(self, out: Console) -> None:
        """A table of the metrics, and the protocol."""
        step = "" if self.step is None else f", step {self.step:,}"
        out.print(f"{self.run}{step}", markup=False)
        table = table_of("<metric", "value", "floor", "images", "real", "<better")
        for r in self.results:
            counts = [f"{r.protocol[n]:,}" if n in r.protocol else "" for n in ONCE[:2]]
            table.add_row(escape(r.name), number(r.value), number(r.floor), *counts, r.better)
        out.print(table)
        for line in protocol_lines([self]):
            out.print(line, markup=False)


@dataclass(frozen=True, repr=False)
class Evaluations(Shown):
    """Several evaluations side by side: runs, or values of guidance, or both."""

    rows: tuple[Evaluation, ...]
    files: tuple[Path, ...] = ()
    """Tables and pictures that were written."""

    def __repr__(self) -> str:
        return f"Evaluations({len(self.rows)} of {len({row.run for row in self.rows})} runs)"

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Evaluation:
        return self.rows[index]

    def __iter__(self) -> Any:
        return iter(self.rows)

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics, in their order."""
        return tuple(dict.fromkeys(r.name for row in self.rows for r in row.results))

    def as_json(self) -> dict[str, Any]:
        """With a `format_version`: `evaluations`, and `files` that were written."""
        return {
            "format_version": FORMAT_VERSION,
            "evaluations": [row.as_json() for row in self.rows],
            "files": [str(file) for file in self.files],
        }

    def print(self, out: Console) -> None:
        """One table: a line for each evaluation, a column for each metric, the floors below."""
        if len(self.rows) == 1:
            self.rows[0].print(out)
        else:
            self._print_all(out)
        for file in self.files:
            out.print(str(file), markup=False)

    def _print_all(self, out: Console) -> None:
        table = table_of("<run", "step", "guidance", *self.names)
        for row in self.rows:
            values = [number(row.values.get(name)) for name in self.names]
            step = "" if row.step is None else f"{row.step:,}"
            table.add_row(escape(row.run), step, number(row.guidance), *values)
        floors = [{r.name: r.floor for r in row.results} for row in self.rows]
        if any(v is not None for found in floors for v in found.values()):
            shown = [_common([f.get(name) for f in floors]) for name in self.names]
            table.add_row("floor: real images", "", "", *shown)
        out.print(table)
        for line in (*differing(self.rows), *protocol_lines(self.rows)):
            out.print(line, markup=False)


def number(value: float | None) -> str:
    """A value in four digits."""
    return "" if value is None else f"{value:.4g}"


def _common(floors: Sequence[float | None]) -> str:
    found = {number(f) for f in floors}
    return found.pop() if len(found) == 1 else "differ"


def differing(rows: Sequence[Evaluation]) -> list[str]:
    """What keeps values from being compared: other references, counts, extractors or seeds."""
    lines = []
    if len({row.reference.get("sha256") for row in rows}) > 1:
        lines.append("The references differ: distances to them do not compare.")
    for name in ("count", "prompts", "seed"):
        if len({str(row.drawn.get(name)) for row in rows}) > 1:
            lines.append(f"`{name}` differs between the lines: values do not quite compare.")
    return lines


def protocol_lines(rows: Sequence[Evaluation]) -> list[str]:
    """The protocol, a line for what it is of; of several evaluations, that of the first."""
    row = rows[0]
    lines = ["protocol"]
    if row.drawn:
        lines.append(f"  images: {_said(row.drawn)}")
    lines.append(f"  weights: {_said(row.weights)}")
    if row.reference:
        lines.append(f"  reference: {_said(row.reference)}")
    for result in row.results:
        said = {k: v for k, v in result.protocol.items()}
        lines.append(f"  {result.name}: {_said(said)}")
        if result.details:
            lines.append(f"  {result.name} in detail: {_said(result.details)}")
    return lines


def _said(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {_short(v)}" for name, v in values.items())


def _short(value: Any) -> str:
    if isinstance(value, float):
        return number(value)
    if isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef"):
        return value[:12]
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{k} {_short(v)}" for k, v in value.items()) + ")"
    if isinstance(value, list):
        return "[" + ", ".join(map(_short, value)) + "]"
    return str(value)
