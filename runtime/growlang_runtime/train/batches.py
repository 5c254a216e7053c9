"""What each step of a run trains on: images, noise, noise levels and conditions.

All of it is a function of the plan and the step: draws are numbered over the whole run, and each
number has its own random numbers (growlang_runtime.data.draws).
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.net import Net
from growlang.plans.plan import Plan
from growlang.spec.automatic import chosen
from growlang.spec.recipe import Phase
from growlang_runtime.conditioning.conditioner import Conditioner, classes_of, dropped, fields_read
from growlang_runtime.conditioning.readings import Reading
from growlang_runtime.data.corrupt import Budget, Corrupt
from growlang_runtime.data.draws import batch_normals, uniforms
from growlang_runtime.data.images import Batch, Images, Indexes, prefetch
from growlang_runtime.train.learning_rate import Span, spans

Item = TypeVar("Item")
WHOLE = slice(None)
"""The share of a process that trains alone: all of a batch."""


@dataclass(frozen=True)
class Data:
    """A phase whose number of steps is known, its span of the run, and its images."""

    phase: Phase
    span: Span
    images: Images
    first_draw: int

    def draws(self, step: int) -> range:
        """Numbers of the draws of a step of the run."""
        batch = self.phase.settings.batch
        first = self.first_draw + (step - self.span.first) * batch
        return range(first, first + batch)


@dataclass(frozen=True)
class StepBatch:
    """The inputs of one step, on the CPU: images and noise (B, C, H, W), times (B,) float64."""

    x: Tensor
    eps: Tensor
    t: Tensor
    conditions: dict[str, Tensor]
    corrupt: tuple[Corrupt, ...] = ()
    """The samples that were to be in it and could not be used."""
    readings: dict[str, Reading] = field(default_factory=dict)
    """What the conditions could not read, of the whole batch."""

    def parts(self, size: int, count: int | None = None) -> Iterator[StepBatch]:
        """The batch in order, `size` images at a time; in `count` parts, if it is given.

        Processes with fewer images so have as many parts as others, the last ones of one image.
        """
        total = len(self.x)
        count = -(-total // size) if count is None else count
        start = 0
        for left in reversed(range(count)):
            part = slice(start, start + min(size, total - start - left))
            start = part.stop
            conditions = {name: value[part] for name, value in self.conditions.items()}
            yield StepBatch(self.x[part], self.eps[part], self.t[part], conditions)

    @staticmethod
    def joined(shares: Sequence[StepBatch]) -> StepBatch:
        """A batch from the shares of several processes, in their order."""
        conditions = {
            name: torch.cat([share.conditions[name] for share in shares])
            for name in shares[0].conditions
        }
        x, eps, t = (
            torch.cat([getattr(share, part) for share in shares]) for part in ("x", "eps", "t")
        )
        return StepBatch(x, eps, t, conditions)

    def to(self, device: torch.device) -> StepBatch:
        """The batch on a device; the times stay on the CPU, where noise levels are computed."""
        conditions = {name: value.to(device) for name, value in self.conditions.items()}
        return replace(self, x=self.x.to(device), eps=self.eps.to(device), conditions=conditions)


def indexes_of(plan: Plan, net: Net, data_root: Path) -> Indexes:
    """The indexes of a plan's data, of what its net reads; none is opened yet."""
    return Indexes(data_root, fields_read(net.encoders), semantics=plan.semantics)


def open_data(
    phases: Sequence[Phase],
    net: Net,
    indexes: Indexes,
    budget: Budget | None = None,
) -> list[Data]:
    """Open the data of all phases, turn epochs into steps, and `auto` into numbers.

    A source that several phases draw from goes on where the phase before left it.
    """
    first, given = 0, dict[str, int]()
    opened: list[tuple[Phase, Images, int]] = []
    budget = Budget(0, indexes.data_root) if budget is None else budget
    for phase in phases:
        settings = phase.settings
        images = Images(
            settings.data,
            settings.transform,
            net.image,
            settings.seed,
            indexes,
            budget,
            classes=classes_of(net.encoders),
            first=first,
            given=given,
        )
        steps = phase.steps
        if steps is None:
            steps = math.ceil((phase.epochs or 0) * len(images) / settings.batch)
        if steps < 1:
            raise GrowlangError(f"phase {phase.name} has no steps")
        opened.append((phase.model_copy(update={"steps": steps}), images, first))
        first += steps * settings.batch
        given = images.given(first)
    known = chosen([phase for phase, _, _ in opened])
    return [
        Data(phase, span, images, draw)
        for phase, span, (_, images, draw) in zip(known, spans(known), opened, strict=True)
    ]


def identities(data: Sequence[Data]) -> dict[str, str]:
    """What the data of a run is, by source: see `Index.identity`.

    Where phases have different sources of one name, both enter.
    """
    found: dict[str, dict[str, None]] = {}
    for part in data:
        for name, identity in part.images.identity.items():
            found.setdefault(name, {})[identity] = None
    return {name: "+".join(several) for name, several in found.items()}


def step_batches(
    data: Data, conditioner: Conditioner, start: int, workers: int, share: slice = WHOLE
) -> Generator[StepBatch]:
    """The batches of a phase from step `start` of the run to the phase's end, in order.

    Of each, the `share` of a process. They are prepared in the background; close the generator to
    stop that.
    """
    steps = range(start, data.span.first + data.span.steps)
    draws = (data.draws(step)[share] for step in steps)
    batches = prefetch(data.images, draws, max(1, workers))
    return _ahead(_prepared(data, conditioner, steps, batches, share))


def _prepared(
    data: Data, conditioner: Conditioner, steps: range, batches: Generator[Batch], share: slice
) -> Generator[StepBatch]:
    # The collector of garbage, in whose hands an error would leave it, must not wait for threads.
    with closing(batches):
        for step, batch in zip(steps, batches, strict=True):
            yield step_batch(data, conditioner, data.draws(step), batch, share)


def step_batch(
    data: Data,
    conditioner: Conditioner,
    step: Sequence[int],
    batch: Batch,
    share: slice = WHOLE,
) -> StepBatch:
    """The inputs of a step from its images, with what is random about the rest.

    `step` are the draws of the whole step, of which `batch` has the images of a share.
    """
    settings, draws = data.phase.settings, step[share]
    null = dropped(settings.seed, draws, settings.objective.dropped(), list(conditioner.conditions))
    encoded = conditioner.read(batch.captions, batch.labels, null)
    return StepBatch(
        batch.images,
        batch_normals(settings.seed, draws, "noise", tuple(batch.images.shape[1:])),
        noise_times(settings.seed, step)[share],
        encoded.inputs,
        batch.corrupt,
        encoded.readings,
    )


def noise_times(seed: int, draws: Sequence[int]) -> Tensor:
    """Times in [0, 1) of the draws of one step, (B,) float64.

    One uniform number for the step, then evenly spaced around the circle: each time is uniform,
    and every batch covers all noise levels (low-discrepancy sampling, arXiv 2107.00630, app. I.1).
    """
    offset = uniforms(seed, draws[0], "time", 1)[0]
    places = torch.arange(len(draws), dtype=torch.float64) / len(draws)
    return torch.remainder(places + offset, 1.0)


def _ahead(items: Generator[Item]) -> Generator[Item]:
    """The same items, each computed in the background while the one before is used."""
    end = object()
    with closing(items), ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        pending = pool.submit(next, items, end)
        while (item := pending.result()) is not end:
            pending = pool.submit(next, items, end)
            yield item  # type: ignore[misc]
