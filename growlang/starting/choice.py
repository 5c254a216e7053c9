"""How large a net, and how many steps of it, fit a budget of minutes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import NamedTuple

ENOUGH = 2000
"""Steps that a budget of ten minutes is to have: fewer leave shapes unclear."""
SHARE = 0.9
"""Of the budget, what steps may take; the rest is for the start, the sample grid and saving."""
KNOWN = (128, 3e-3)
"""A width, and the learning rate at which nets of it learn fast from a few images."""


class Rung(NamedTuple):
    """A size of net: channels of all its parts, and blocks of its core."""

    width: int
    depth: int


LADDER = (
    Rung(64, 2),
    Rung(128, 2),
    Rung(128, 3),
    Rung(192, 4),
    Rung(256, 6),
    Rung(384, 8),
    Rung(512, 12),
    Rung(768, 12),
    Rung(1024, 16),
)
"""The sizes that are tried, each about twice as costly as the one before."""


@dataclass(frozen=True)
class Choice:
    """A net and its training: what the templates are filled with."""

    width: int
    depth: int
    batch: int
    steps: int = 1

    @property
    def lr(self) -> float:
        """The learning rate: falls with the width (arXiv 2203.03466), and is never above 3e-3."""
        width, rate = KNOWN
        return float(f"{min(rate, rate * width / self.width):.1g}")


def batch_on(device: str) -> int:
    """Images of a step on a kind of device: as few as it computes well."""
    return 16 if device == "cpu" else 64


def choose(
    seconds: Callable[[Choice], float],
    minutes: float,
    batch: int,
    ladder: Sequence[Rung] = LADDER,
) -> Choice:
    """The largest net that makes enough steps in a budget.

    Where none does, it is the smallest, with half of the batch: of the same compute, more steps of
    fewer images make better shapes.

    `seconds` measures a step. Nets are tried from the smallest up. What is enough grows with the
    root of the budget, so that half of a longer one goes into the net and half into its steps.
    """
    enough = ENOUGH * sqrt(max(1.0, minutes / 10))
    chosen = None
    for rung in ladder:
        tried = _timed(Choice(rung.width, rung.depth, batch), seconds, minutes)
        if chosen is None and tried.steps < enough:
            return _timed(replace(tried, batch=max(1, batch // 2)), seconds, minutes)
        if chosen is None or tried.steps >= enough:
            chosen = tried
        if tried.steps < enough:
            break
    assert chosen is not None, "the ladder has no rungs"
    return chosen


def _timed(choice: Choice, seconds: Callable[[Choice], float], minutes: float) -> Choice:
    """The choice with the steps that fit."""
    return replace(choice, steps=steps_within(minutes, seconds(choice)))


def steps_within(minutes: float, seconds: float) -> int:
    """Steps of so many seconds that fit a budget, in two digits and at least one."""
    count = max(1, int(SHARE * 60 * minutes / seconds))
    unit = int(10 ** max(0, len(str(count)) - 2))
    return count // unit * unit
