"""The steps of a warm-up that is counted in epochs or images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Literal, NamedTuple

from growlang.spec.rates import Epochs, Images
from growlang.spec.recipe import Phase


def warmup_of(phase: Phase) -> int | Literal["auto"]:
    """The steps of a phase's warm-up; `auto` where they are not known yet."""
    warmup = phase.settings.warmup
    if isinstance(warmup, Epochs | Images):
        return "auto" if phase.warmup_steps is None else phase.warmup_steps
    return warmup


class _Stretch(NamedTuple):
    """A phase that a warm-up goes over: its steps, and how much of the warm-up one of them is."""

    steps: int | None
    each: float | None


def counted(phases: Sequence[Phase], images: Sequence[int] = ()) -> Iterator[Phase]:
    """The phases with the steps of their warm-ups, where these are known.

    `images` are those of the data of each phase. What a recipe's warm-up leaves over of one phase
    goes on in the next, with that phase's batch and data.
    """
    for index, phase in enumerate(phases):
        warmup = phase.settings.warmup
        if not isinstance(warmup, Epochs | Images):
            yield phase
            continue
        over = range(index, index + 1) if phase.own_schedule else range(len(phases))
        sizes = {i: phases[i].settings.batch for i in over}
        stretches = [
            _Stretch(phases[i].steps, warmup.at_each_step(sizes[i], images[i] if images else None))
            for i in over
        ]
        yield phase.model_copy(update={"warmup_steps": _steps(warmup.count, stretches)})


def _steps(left: float, stretches: Sequence[_Stretch]) -> int | None:
    """Steps until nothing is left of a warm-up; beyond the last phase they go on as in it."""
    done = 0
    for number, (steps, each) in enumerate(stretches, 1):
        if each is None:
            return None
        needed = _whole(left / each)
        if number == len(stretches) or (steps is not None and needed <= steps):
            return done + needed
        if steps is None:
            return None
        left, done = left - steps * each, done + steps
    return None


def _whole(steps: float) -> int:
    """Steps rounded up, but for what floating point adds."""
    return ceil(round(steps, 6))
