"""What a run told while it went on: its losses by step, read back from `metrics.jsonl`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from growlang.plans.weights_header import METRICS


class Point(NamedTuple):
    """A loss at a step."""

    step: int
    loss: float


Curve = tuple[Point, ...]


@dataclass(frozen=True)
class History:
    """The curves of a run, which are empty where it has told nothing."""

    training: Curve = ()
    """The mean loss of a step's batch."""
    averaged: Curve = ()
    """The loss on held-out images of the averaged weights."""
    plain: Curve = ()
    """The same of the weights themselves."""
    step: int = 0
    """The last step that it told of."""

    @property
    def curves(self) -> dict[str, Curve]:
        """The curves that have points, by name."""
        plain = {"validation of plain weights": self.plain}
        named = {"loss": self.training, "validation": self.averaged} | plain
        return {name: curve for name, curve in named.items() if curve}


def history_of(run: Path, until: int | None = None) -> History:
    """The history of the run in a folder, up to a step; lines that were cut short are left out."""
    said = [v for v in lines_of(run) if until is None or v["step"] <= until]
    validated = [v for v in said if v.get("event") == "validation"]
    return History(
        _curve([v for v in said if "event" not in v], "loss"),
        _curve(validated, "averaged"),
        _curve(validated, "plain"),
        max((v["step"] for v in said), default=0),
    )


def lowest(curve: Iterable[Point]) -> Point | None:
    """The first point of the lowest loss; None where there is none."""
    return min(curve, key=lambda point: point.loss, default=None)


def _curve(lines: Sequence[dict[str, Any]], name: str) -> Curve:
    found = ((v["step"], v.get(name)) for v in lines)
    return tuple(Point(step, loss) for step, loss in found if isinstance(loss, int | float))


def lines_of(run: Path) -> Iterator[dict[str, Any]]:
    """The lines of a run's metrics, the oldest first, but those that were cut short.

    Each has its `step`. There are none where there is no file.
    """
    try:
        texts = (run / METRICS).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for text in texts:
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and type(line.get("step")) is int:
            yield line
