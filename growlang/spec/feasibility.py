"""What of a recipe's settings cannot do what it says, told by the compiler and by a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from growlang.spec.recipe import Phase
from growlang.spec.warmups import warmup_of


class LongWarmup(NamedTuple):
    """A warm-up that is not over when what it is part of ends."""

    phase: str | None
    """The phase that it begins; None where it begins the recipe."""
    warmup: int
    steps: int
    """Steps after which no phase follows that goes by it."""
    setting: Literal["warmup", "rewarm"] = "warmup"


def long_warmups(phases: Sequence[Phase]) -> list[LongWarmup]:
    """The warm-ups that never end, of phases whose steps are known so far."""
    found = [
        LongWarmup(phase.name, _warmup(phase), phase.steps)
        for phase in phases
        if phase.own_schedule and phase.steps is not None and _warmup(phase) > phase.steps
    ]
    found += [
        LongWarmup(phase.name, phase.rewarm, phase.steps, "rewarm")
        for phase in phases
        if phase.steps is not None and phase.rewarm > phase.steps
    ]
    shared = [i for i, phase in enumerate(phases) if not phase.own_schedule]
    counts = [phase.steps for phase in phases[: shared[-1] + 1]] if shared else []
    if shared and None not in counts:
        steps = sum(count or 0 for count in counts)
        warmup = _warmup(phases[shared[-1]])
        found += [LongWarmup(None, warmup, steps)] if warmup > steps else []
    return found


def _warmup(phase: Phase) -> int:
    """The steps of a warm-up; 0 of one that is not known yet, or was chosen for the steps."""
    steps = warmup_of(phase)
    return 0 if steps == "auto" else steps


def never_dropped(drop: float | Mapping[str, float], conditions: Sequence[str]) -> list[str]:
    """The conditions that training never drops; guidance needs that each is dropped at times."""
    if isinstance(drop, Mapping):
        return [name for name in conditions if not drop.get(name)]
    return [] if drop else list(conditions)
