"""What the runs came to: the held-out loss over compute, as a table, JSON and a plot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from compute import training_flops
from finished import lines_of
from plots import chart
from tables import Table, spread
from ways import Way

import growlang

COLOURS = dict(
    zip(
        Way,
        ("#999999", "#0072b2", "#56b4e9", "#d55e00", "#e69f00", "#009e73", "#cc79a7"),
        strict=True,
    )
)
"""Of ways: Okabe and Ito's, which the colour-blind tell apart."""


class Curve(NamedTuple):
    """The held-out loss of a way, of what it grew from and then of what it grew into."""

    way: Way
    seed: int
    flops: tuple[float, ...]
    """Operations of training up to each validation, those of the source included."""
    loss: tuple[float, ...]
    """Nats a byte, of the weights themselves."""
    grown_at: float
    """Operations of what it grew from; 0 from scratch."""


def curve_of(way: Way, seed: int, spec: growlang.Checked, folder: Path) -> Curve:
    """What the runs of a way say of their validation."""
    flops, loss, before = list[float](), list[float](), 0.0
    grown_at = 0.0
    for part in filter(None, (spec.parent, spec)):
        plan = growlang.plan(part)
        total = float(training_flops(plan))
        for line in lines_of(folder / part.name / "main"):
            if line.get("event") == "validation":
                flops.append(before + total * line["step"] / (plan.steps or 1))
                loss.append(line["plain"])
        if part is not spec:
            grown_at = total
        before += total
    return Curve(way, seed, tuple(flops), tuple(loss), grown_at)


def as_json(found: Sequence[Curve]) -> str:
    """All curves as one JSON object."""
    rows: list[dict[str, Any]] = [curve._asdict() for curve in found]
    return json.dumps({"curves": rows}, indent=1) + "\n"


def table(found: Sequence[Curve]) -> Table:
    """A line for each way: the loss that it ends with, and its compute."""
    lines = []
    for way in Way:
        some = [curve for curve in found if curve.way is way]
        if some:
            lines.append(
                [
                    str(way),
                    str(len(some)),
                    spread([curve.loss[-1] for curve in some], 3),
                    f"{mean(curve.flops[-1] for curve in some):.2e}",
                    f"{mean(curve.grown_at / curve.flops[-1] for curve in some):.0%}",
                ]
            )
    head = ["way", "seeds", "held-out loss, nats a byte", "operations", "of them before growth"]
    return Table("A GPT of bytes, grown and from scratch at equal compute", head, lines)


def picture(found: Sequence[Curve]) -> str:
    """The held-out loss over compute: a line for each seed of a way."""
    with chart(1, 3.6) as ((axis,), text):
        for way in Way:
            some = [curve for curve in found if curve.way is way]
            for number, curve in enumerate(some):
                label = str(way) if number == 0 else None
                axis.plot(curve.flops, curve.loss, color=COLOURS[way], alpha=0.6, label=label)
        axis.set_yscale("log")
        axis.set_xlabel("operations of training, source included")
        axis.set_ylabel("held-out loss, nats a byte")
        if axis.lines:
            axis.legend(frameon=False, fontsize=7)
    return text.getvalue()
