"""Where the time of a run goes: into waiting for data, steps, and what is done between them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, get_args

Part = Literal["data", "step", "validation", "checkpoint", "samples", "evaluation", "other"]
PARTS: tuple[Part, ...] = get_args(Part)
"""The parts: waiting for a batch, computing with it, and what is done between steps.

`other` is the start of a phase, and the hashes of frozen tensors.
"""


class Seconds:
    """Seconds by part since they were last read.

    All of the time is in one part or another, as with a stopwatch: a lap ends where the next one
    begins. A lap costs one reading of the clock.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self.spent: dict[Part, float] = dict.fromkeys(PARTS, 0.0)
        self.since = clock()

    def start(self) -> None:
        """Count from now on; what was before is in no part."""
        self.since = self.clock()

    def lap(self, part: Part) -> None:
        """Count the time since the lap before as that of a part."""
        now = self.clock()
        self.spent[part] += now - self.since
        self.since = now

    def read(self) -> dict[str, float]:
        """The seconds of the parts that took any, since the last reading."""
        found = {str(part): round(spent, 4) for part, spent in self.spent.items() if spent > 0}
        self.spent = dict.fromkeys(PARTS, 0.0)
        return found


def waiting(seconds: dict[str, float]) -> float:
    """The share of the time that was spent waiting for data, from 0 to 1."""
    return seconds.get("data", 0.0) / (sum(seconds.values()) or 1.0)


def between(seconds: dict[str, float]) -> float:
    """The share of the time that was spent between steps: on validation, checkpoints, grids."""
    inside = seconds.get("data", 0.0) + seconds.get("step", 0.0)
    return 1 - inside / (sum(seconds.values()) or inside or 1.0) if seconds else 0.0
