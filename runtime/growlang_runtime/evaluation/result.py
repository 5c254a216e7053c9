"""What an evaluation found: values, floors, and the protocol of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import isfinite
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from growlang.tables.parts import table_of
from growlang.tables.shown import Shown
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
            "value": known(self.value),
            "floor": known(self.floor),
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


def known(value: float | None) -> float | None:
    """NaN and infinity, which JSON does not have, are None."""
    return value if value is not None and isfinite(value) else None


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
    """The protocol, a line for what it is of; what differs between several has a line for each."""
    return ["protocol", *chain.from_iterable(_part(name, rows) for name in _parts(rows))]


def _parts(rows: Sequence[Evaluation]) -> list[str]:
    """What a protocol is of, in its order, where anything is said of it."""
    names = dict.fromkeys(name for row in rows for name, said in _protocol(row).items() if said)
    return list(names)


def _protocol(row: Evaluation) -> dict[str, Mapping[str, Any]]:
    found = {"images": row.drawn, "weights": row.weights, "reference": row.reference}
    for result in row.results:
        found |= {result.name: result.protocol, f"{result.name} in detail": result.details}
    return found


def _part(name: str, rows: Sequence[Evaluation]) -> Iterator[str]:
    said = [_protocol(row).get(name, {}) for row in rows]
    same = {k: v for k, v in said[0].items() if all(k in s and s[k] == v for s in said)}
    yield f"  {name}: {_said(same)}" if same else f"  {name}"
    for row, one in zip(rows, said, strict=True):
        if own := {k: v for k, v in one.items() if k not in same}:
            yield f"    {_label(row)}: {_said(own)}"


def _label(row: Evaluation) -> str:
    return row.run if row.guidance is None else f"{row.run}, guidance {number(row.guidance)}"


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
