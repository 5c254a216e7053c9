"""What each step of a run trains on: images, noise, noise levels and conditions.

All of it is a function of the plan and the step: draws are numbered over the whole run, and each
number has its own random numbers (growlang_runtime.data.draws).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.net import Net
from growlang.plans.learning_rate import Span, spans
from growlang.plans.plan import Plan
from growlang.spec.automatic import chosen
from growlang.spec.recipe import Phase, Settings
from growlang_runtime.conditioning.conditioner import (
    Conditioner,
    classes_of,
    dropped,
    fields_read,
    numbers_read,
)
from growlang_runtime.conditioning.readings import Reading
from growlang_runtime.data.autoencoder import Autoencoder
from growlang_runtime.data.corrupt import Budget, Corrupt
from growlang_runtime.data.draws import Noise, uniforms
from growlang_runtime.data.identity import recorded_of_phases
from growlang_runtime.data.images import Images, Indexes
from growlang_runtime.data.latents import Latents
from growlang_runtime.data.mix import Batch, Mix, prefetch
from growlang_runtime.data.sequences import Sequences, Vocabulary
from growlang_runtime.train.transfer import AHEAD, Link, Ring, link_to

Item = TypeVar("Item")
WHOLE = slice(None)
"""The share of a process that trains alone: all of a batch."""
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Data:
    """A phase whose number of steps is known, its span of the run, and its images."""

    phase: Phase
    span: Span
    images: Mix
    first_draw: int
    noise: int = 1
    """How noise is drawn: `DRAWS` of the plan."""

    def draws(self, step: int) -> range:
        """Numbers of the draws of a step of the run."""
        batch = self.phase.settings.batch
        first = self.first_draw + (step - self.span.first) * batch
        return range(first, first + batch)


class Part(NamedTuple):
    """Images that go through the net together, on the device: x and eps (B, C, H, W).

    Of texts x are ids (B, length + 1), and eps has nothing.
    """

    x: Tensor
    eps: Tensor
    t: Tensor
    """What times are made of, (B,) float64, where noise levels are computed: on the device if it
    has float64."""
    conditions: dict[str, Tensor]


@dataclass(frozen=True)
class StepBatch:
    """The inputs of one step: images (B, C, H, W), noise, what times are made of, conditions.

    `t` are uniform numbers of [0, 1), (B,) float64: the times at uniform levels.
    """

    x: Tensor
    noise: Noise
    t: Tensor
    conditions: dict[str, Tensor]
    corrupt: tuple[Corrupt, ...] = ()
    """The samples that were to be in it and could not be used."""
    readings: dict[str, Reading] = field(default_factory=dict)
    """What the conditions could not read, of the whole batch."""

    def tensors(self) -> dict[str, Tensor]:
        """What goes to the device before the step; its noise is made there."""
        noise = {} if self.noise.made is None else {"noise": self.noise.made}
        named = {f"condition.{name}": value for name, value in self.conditions.items()}
        return {"x": self.x, "t": self.t} | noise | named

    def having(self, tensors: Mapping[str, Tensor]) -> StepBatch:
        """This batch with others for what `tensors` gave."""
        conditions = {name: tensors[f"condition.{name}"] for name in self.conditions}
        noise = replace(self.noise, made=tensors.get("noise"))
        x, t = tensors["x"], tensors["t"]
        return replace(self, x=x, t=t, noise=noise, conditions=conditions)

    def parts(self, size: int, device: torch.device, count: int | None = None) -> Iterator[Part]:
        """The batch in order, `size` images at a time, on a device; in `count` parts, if given.

        Processes with fewer images so have as many parts as others, the last ones of one image.
        """
        total = len(self.x)
        count = -(-total // size) if count is None else count
        start = 0
        for left in reversed(range(count)):
            length = min(size, total - start - left)
            yield Part(
                self.x.narrow(0, start, length).to(device),
                self.noise.part(slice(start, start + length)).on(device),
                self.t.narrow(0, start, length).to(where_levels_are(device)),
                {n: v.narrow(0, start, length).to(device) for n, v in self.conditions.items()},
            )
            start += length

    def drawn(self) -> dict[str, Tensor]:
        """All that the net was given, by name, on the CPU."""
        eps = self.noise.on(self.x.device)
        found = {"x": self.x, "eps": eps, "t": self.t, **self.conditions}
        return {name: tensor.cpu() for name, tensor in found.items()}


def where_levels_are(device: torch.device) -> torch.device:
    """Where noise levels are computed, in float64: on the device, but MPS has none."""
    return torch.device("cpu") if device.type == "mps" else device


def indexes_of(plan: Plan, net: Net, data_root: Path, device: torch.device = CPU) -> Indexes:
    """The indexes of a plan's data, of what its net reads; none is opened yet.

    A VAE that makes latents of images computes on the device.
    """
    reads, vae = fields_read(net.encoders), Autoencoder.of(net, device)
    return Indexes(data_root, reads, semantics=plan.semantics, vae=vae)


def open_data(
    phases: Sequence[Phase],
    net: Net,
    indexes: Indexes,
    budget: Budget | None = None,
    noise: int = 1,
) -> list[Data]:
    """Open the data of all phases, turn epochs into steps, and `auto` into numbers.

    `noise` is the plan's number of how it is drawn. A source that several phases draw from goes on
    where the phase before left it.
    """
    first, given = 0, dict[str, int]()
    opened: list[tuple[Phase, Mix, int]] = []
    budget = Budget(0, indexes.data_root) if budget is None else budget
    for phase in phases:
        settings = phase.settings
        images = open_mix(settings, net, indexes, budget, first=first, given=given)
        steps = phase.steps
        if steps is None:
            steps = math.ceil((phase.epochs or 0) * len(images) / settings.batch)
        if steps < 1:
            raise GrowlangError(f"phase {phase.name} has no steps")
        opened.append((phase.model_copy(update={"steps": steps}), images, first))
        first += steps * settings.batch
        given = images.given(first)
    known = chosen([phase for phase, _, _ in opened], [len(images) for _, images, _ in opened])
    return [
        Data(phase, span, images, draw, noise)
        for phase, span, (_, images, draw) in zip(known, spans(known), opened, strict=True)
    ]


def open_mix(
    settings: Settings,
    net: Net,
    indexes: Indexes,
    budget: Budget | None = None,
    *,
    first: int = 0,
    given: Mapping[str, int] | None = None,
    held_out: bool = False,
) -> Mix:
    """The mix of a phase's sources, as its net reads them: images, latents, or tokens."""
    if net.of_tokens:
        vocabulary = Vocabulary(net.result.width, net.result.positions)
        return Sequences(
            settings.data,
            vocabulary,
            settings.seed,
            indexes,
            budget,
            first=first,
            given=given,
            held_out=held_out,
        )
    images = Images(
        settings.data,
        settings.transform,
        net.pixels,
        settings.seed,
        indexes,
        budget,
        classes=classes_of(net.encoders),
        first=first,
        given=given,
        held_out=held_out,
        decoder=settings.decoder,
        numbers=numbers_read(net.encoders),
    )
    vae = indexes.vae or Autoencoder.of(net)
    return images if vae is None else Latents(images, vae)


def identities(data: Sequence[Data]) -> dict[str, str]:
    """What the data of a run is, by source, as plans record it: see `Index.identity`.

    Where phases have different sources of one name, both enter.
    """
    return recorded_of_phases(part.images.identity for part in data)


def step_batches(
    data: Data,
    conditioner: Conditioner,
    start: int,
    workers: int,
    device: torch.device = CPU,
    share: slice = WHOLE,
) -> Generator[StepBatch]:
    """The batches of a phase from step `start` of the run to the phase's end, in order.

    Of each, the `share` of a process. They are prepared in the background for a device; close the
    generator to stop that.
    """
    steps = range(start, data.span.end)
    draws = (data.draws(step)[share] for step in steps)
    batches = prefetch(data.images, draws, max(1, workers))
    made = _prepared(data, conditioner, steps, batches, device, share)
    link = link_to(device)
    return _ahead(made) if link is None else on_device(made, link)


def on_device(batches: Generator[StepBatch], link: Link) -> Generator[StepBatch]:
    """The same batches on the link's device, to which they are copied in the background."""
    ring = Ring(link)
    sent = ((batch, ring.send(batch.tensors())) for batch in batches)
    with closing(batches), closing(_ahead(sent, AHEAD)) as arriving:
        for batch, copies in arriving:
            yield batch.having(copies.receive())


def _prepared(
    data: Data,
    conditioner: Conditioner,
    steps: range,
    batches: Generator[Batch],
    device: torch.device,
    share: slice,
) -> Generator[StepBatch]:
    # The collector of garbage, in whose hands an error would leave it, must not wait for threads.
    with closing(batches):
        for step, batch in zip(steps, batches, strict=True):
            made = step_batch(data, conditioner, data.draws(step), batch, share)
            yield replace(made, noise=made.noise.ahead(device))


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
    encoded = conditioner.read(batch.captions, batch.labels, null, batch.numbers)
    noise = Noise(settings.seed, draws, tuple(batch.images.shape[1:]), data.noise)
    given = conditioner.without_full_masks(encoded.inputs) | conditioner.targets(batch.labels)
    return StepBatch(
        batch.images,
        noise if settings.objective.has_noise else noise.none(),
        noise_times(settings.seed, step)[share],
        given,
        batch.corrupt,
        encoded.readings,
    )


def noise_times(seed: int, draws: Sequence[int]) -> Tensor:
    """Numbers of [0, 1) of the draws of one step, (B,) float64: at uniform levels, their times.

    One uniform number for the step, then evenly spaced around the circle: each is uniform,
    and every batch covers all noise levels (low-discrepancy sampling, arXiv 2107.00630, app. I.1).
    """
    offset = uniforms(seed, draws[0], "time", 1)[0]
    places = torch.arange(len(draws), dtype=torch.float64) / len(draws)
    return torch.remainder(places + offset, 1.0)


def _ahead(items: Generator[Item], count: int = 1) -> Generator[Item]:
    """The same items, of which `count` are computed in the background while one is used."""
    end = object()
    with closing(items), ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        pending = deque(pool.submit(next, items, end) for _ in range(count))
        while (item := pending.popleft().result()) is not end:
            pending.append(pool.submit(next, items, end))
            yield item  # type: ignore[misc]
