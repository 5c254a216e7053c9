"""The loss on held-out images, by noise level: at the same images, noise and levels every time.

Its draws have a seed of their own and are numbered from 0, whatever step the run is at; nothing of
it enters a draw of training, and the net is run without dropout and without gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from growlang.net import Net, digest
from growlang.plans.plan import Plan
from growlang.signatures.canonical import canonical
from growlang_runtime.conditioning.conditioner import Conditioner
from growlang_runtime.data.corrupt import Budget, Corrupt
from growlang_runtime.data.draws import Noise
from growlang_runtime.data.identity import recorded
from growlang_runtime.data.images import Indexes
from growlang_runtime.diffusion.objective import Objective, denoiser, loss_of, with_weights
from growlang_runtime.distributed.sharding import reshard
from growlang_runtime.train.batches import CPU, Part, StepBatch, open_mix

DRAWS, LEVELS = 128, 8
"""Draws of a validation, and the noise levels to which they are dealt in turn."""
CLASSIFIED = 2048
"""Most draws of a validation of a model that classifies."""
SALT = 0x56414C4944
"""Makes the seed of its draws another than that of training."""
KEPT = 256 << 20
"""Most bytes of images and noise that are kept for the next time; more are made anew."""
COST = 0.05
"""Most of the run's time that it takes by default, a step as three passes forward."""
OFTEN, SELDOM = 200, 5
"""By default a run is validated at least `SELDOM` times, and at most `OFTEN` times."""


class Level(NamedTuple):
    """The mean losses at one noise level."""

    t: float
    log_snr: float
    averaged: float
    plain: float


@dataclass(frozen=True)
class Losses:
    """What one validation found: the mean loss of the averaged and of the plain weights."""

    averaged: float
    plain: float
    levels: tuple[Level, ...]
    """None of a model of tokens or one that classifies, which have no noise."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """What else was measured of the averaged weights, such as their `accuracy`, as a mean."""

    def as_json(self) -> dict[str, Any]:
        """The values of a line of metrics; NaN and infinity are None there."""
        rows = [{n: _known(v) for n, v in level._asdict().items()} for level in self.levels]
        return {"averaged": self.averaged, "plain": self.plain, **self.scores, "levels": rows}

    def scalars(self) -> dict[str, float]:
        """The curves: the two means, and that of the averaged weights at each level."""
        named = {"validation/averaged": self.averaged, "validation/plain": self.plain}
        named |= {f"validation/{name}": score for name, score in self.scores.items()}
        return named | {f"validation/averaged_t={v.t:.4f}": v.averaged for v in self.levels}


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def usual_interval(steps: int, batch: int, draws: int = DRAWS) -> int:
    """Steps between validations where none are said: a round number that costs little."""
    cheap = 2 * draws / (3 * batch * COST)
    wanted = min(max(cheap, steps / OFTEN, 1), max(steps / SELDOM, 1))
    power = 10 ** math.floor(math.log10(wanted))
    return int(max(factor * power for factor in (1, 2, 5) if factor * power <= wanted))


class Validation:
    """The fixed draws of a run's validation. Raises GrowlangError for data that cannot be read."""

    def __init__(
        self,
        plan: Plan,
        net: Net,
        conditioner: Conditioner,
        indexes: Indexes,
        budget: Budget,
        most: int = CLASSIFIED,
    ) -> None:
        declared = plan.validation
        assert declared is not None
        self.net, self.conditioner = net, conditioner
        last = plan.phases[-1].settings  # by its objective the weights are sampled
        first = plan.phases[0].settings
        self.settings = first.model_copy(update={"objective": last.objective})
        self.seed, self.noise = self.settings.seed ^ SALT, plan.draws
        own = {"data": declared.data, "transform": declared.transform, "seed": self.seed}
        settings = self.settings.model_copy(update=own)
        held_out = bool(declared.holdout)
        self.mix = open_mix(settings, net, indexes, budget, held_out=held_out)
        self.corrupt: tuple[Corrupt, ...] = ()
        """Held-out images that could not be used and that others stand for, as far as read."""
        said = [
            canonical(declared),
            canonical(self.settings.objective),
            recorded(self.mix.identity),
        ]
        drawn = [self.noise] if self.noise > 1 else []
        self._places: Sequence[int] = self.mix.once(most) if net.predicts else range(DRAWS)
        self.identity = digest([*said, self.seed, self.draws, LEVELS, *drawn])
        """A hash of what is measured: losses of one identity can be compared."""
        self._parts: list[StepBatch] = []

    @property
    def draws(self) -> int:
        """How many draws are measured: of a model that classifies, each image held out once."""
        return len(self._places)

    def measure(
        self, module: nn.Module, averages: Mapping[str, Tensor], device: torch.device, size: int
    ) -> Losses:
        """The losses of the module's own weights and of their averages, `size` draws at a time.

        The module is left in the mode of evaluation.
        """
        module.eval()
        averaged = with_weights(module, averages)
        plain, mean, scores = [], [], dict[str, list[Tensor]]()
        for part in self._batches(size):
            (there,) = part.parts(size, device)
            plain.append(self._measured(module, there)[0])
            losses, measured = self._measured(averaged, there)
            mean.append(losses)
            for name, values in measured.items():
                scores.setdefault(name, []).append(values)
        reshard(module)
        means = {name: float(torch.cat(values).mean()) for name, values in scores.items()}
        return self._summary(torch.cat(mean), torch.cat(plain), means)

    @torch.no_grad()
    def _measured(
        self, module: Callable[..., Tensor], part: Part
    ) -> tuple[Tensor, dict[str, Tensor]]:
        objective = loss_of(self.settings.objective, self.net).of_batch(part.conditions)
        with torch.autocast(part.x.device.type, torch.bfloat16, self.settings.precision == "bf16"):
            denoise = denoiser(module, self.net, part.conditions)
            t = objective.trained_at(part.t)
            losses, scores = objective.measured(denoise, part.x, part.eps, t)
        named = {name: values.double().cpu() for name, values in scores.items()}
        return losses.double().cpu(), named

    def _summary(self, averaged: Tensor, plain: Tensor, scores: Mapping[str, float]) -> Losses:
        objective = loss_of(self.settings.objective, self.net)
        times = objective.trained_at(levels())
        log_snr = objective.log_snr(times) if isinstance(objective, Objective) else ()
        found = [
            Level(float(t), float(snr), *(float(x[i::LEVELS].mean()) for x in (averaged, plain)))
            for i, (t, snr) in enumerate(zip(times, log_snr, strict=False))
        ]
        return Losses(float(averaged.mean()), float(plain.mean()), tuple(found), scores)

    def _batches(self, size: int) -> Iterator[StepBatch]:
        if self._parts:
            yield from self._parts
            return
        parts = []
        for first in range(0, self.draws, size):
            part = self._batch(self._places[first : first + size])
            parts.append(part)
            yield part
        self.corrupt = tuple(corrupt for part in parts for corrupt in part.corrupt)
        bytes_ = sum(2 * part.x.numel() * part.x.element_size() for part in parts)
        self._parts = parts if bytes_ <= KEPT else []

    def _batch(self, draws: Sequence[int]) -> StepBatch:
        batch = self.mix.batch(draws)
        encoded = self.conditioner.read(batch.captions, batch.labels, numbers=batch.numbers)
        noise = Noise(self.seed, draws, tuple(batch.images.shape[1:]), self.noise)
        noise = noise.ahead(CPU) if self.settings.objective.has_noise else noise.none()
        times = levels()[torch.tensor(list(draws)) % LEVELS]
        given = self.conditioner.without_full_masks(encoded.inputs)
        given |= self.conditioner.targets(batch.labels)
        return StepBatch(batch.images, noise, times, given, batch.corrupt)


def levels() -> Tensor:
    """Of the noise levels, (LEVELS,) float64: the middles of equal parts of those trained on.

    They are numbers in [0, 1], of which the objective makes times.
    """
    return (torch.arange(LEVELS, dtype=torch.float64) + 0.5) / LEVELS
