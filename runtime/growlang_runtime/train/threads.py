"""How many threads a run computes with: as asked, as recorded, or the number that is fastest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import torch

from growlang_runtime.diffusion.objective import loss_of
from growlang_runtime.storage.record import Environment
from growlang_runtime.train.batches import step_batches
from growlang_runtime.train.freezing import freeze

if TYPE_CHECKING:
    from growlang_runtime.train.trainer import Trainer

STEPS = 3
"""Steps that are timed with each number of threads, after one that is not."""
GAIN = 0.95
"""More threads are taken only where a step takes at most this share of the best time so far."""
HOPELESS = 3.0
"""A number of threads whose first step takes as many times the best one is not tried further."""
VARIABLE = "OMP_NUM_THREADS"
"""The variable of the environment that says how many threads there are."""


class Choice(NamedTuple):
    """A number of threads, and the seconds that a step took with each that was tried."""

    threads: int
    seconds: Mapping[int, float]

    def __str__(self) -> str:
        tried = ", ".join(f"{count}: {s:.3g} s" for count, s in self.seconds.items())
        return f"threads: {self.threads} (a step takes, by threads, {tried})"


def usable_cores() -> int:
    """The cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def counts(cores: int | None = None) -> list[int]:
    """The numbers of threads to try: 1, 2, 4, ... and the cores that this process may use."""
    cores = usable_cores() if cores is None else cores
    return [*(1 << i for i in range(cores.bit_length()) if 1 << i < cores), cores]


def use_threads(count: int | None) -> None:
    """Compute with so many threads; None: with as many as now."""
    if count is not None:
        torch.set_num_threads(count)


def fastest(step: Callable[[], object], tried: Iterable[int], clock: Callable[[], float]) -> Choice:
    """The number of threads with which `step` is fastest, which it is then computed with.

    `step` must leave the state of the run as it is. What is beside the run on the machine is
    measured with it: a thread that waits for a busy core costs more than it brings. Larger numbers
    are tried as long as they are faster.
    """
    seconds: dict[int, float] = {}
    best = 0
    for count in tried:
        torch.set_num_threads(count)
        seconds[count] = _seconds(step, 1, clock)
        if best and seconds[count] > HOPELESS * seconds[best]:
            break
        seconds[count] = _seconds(step, STEPS, clock)
        if best and seconds[count] > GAIN * seconds[best]:
            break
        best = count
    torch.set_num_threads(best)
    return Choice(best, seconds)


def _seconds(step: Callable[[], object], steps: int, clock: Callable[[], float]) -> float:
    """The mean time of a step."""
    begun = clock()
    for _ in range(steps):
        step()
    return (clock() - begun) / steps


def choose_threads(trainer: Trainer) -> None:
    """Compute with as many threads as are fastest for the gradients of a run's next step.

    Weights, averages, moments and what is drawn from the data stay as they are.
    """
    data = next(d for d in trainer.data if trainer.step < d.span.end)
    freeze(trainer.module, frozenset(data.phase.frozen))
    objective = loss_of(data.phase.settings.objective, trainer.net)
    with closing(step_batches(data, trainer.previews.conditioner, trainer.step, 1)) as batches:
        batch = next(batches)
    chosen = fastest(
        lambda: trainer.stepper.gradients(data, objective, batch, trainer.step),
        counts(),
        trainer.options.clock,
    )
    trainer.display.say(str(chosen))
    trainer.metrics.write(
        step=trainer.step, event="threads", threads=chosen.threads, seconds=dict(chosen.seconds)
    )


def kept(asked: int | str | None, recorded: Environment, processor: str) -> int | None:
    """The threads to resume a run with; None: as PyTorch has them.

    What was recorded, for results that are the same bit for bit, unless a number is asked for, the
    environment has one, or the processor is another one, with which they could not be the same.
    """
    if isinstance(asked, int):
        return asked
    if asked is None and VARIABLE in os.environ:
        return None
    return recorded.threads if recorded.processor == processor else None
