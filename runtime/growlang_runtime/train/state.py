"""The whole training state as one flat dict of tensors, and what is counted beside it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import torch
from torch import Tensor, nn

from growlang.net import Net
from growlang.plans.fit import averages_in
from growlang.plans.matrices import matrices
from growlang.spec import optimizers as declarations
from growlang.spec.averages import Power
from growlang.spec.optimizers import Muon
from growlang.torch_backend.per_axis import PerAxis, named, unnamed
from growlang.torch_backend.shards import local
from growlang_runtime.storage.record import Counts
from growlang_runtime.train.ema import EMA
from growlang_runtime.train.optimizer import Factors, Optimizer

NOTHING: Mapping[str, str | None] = MappingProxyType({})


class Stored(Protocol):
    """Tensors of a state that were stored, such as those of a checkpoint."""

    @property
    def names(self) -> set[str]:
        """The names of all of them."""

    def tensors(self, prefix: str = "") -> dict[str, Tensor]:
        """Those whose names begin with `prefix`, named without it."""

    def fill(self, targets: Mapping[str, Tensor]) -> None:
        """Read some in place. Raises KeyError if one is missing."""


def orthogonal_of(net: Net, settings: declarations.Optimizer) -> Mapping[str, tuple[int, ...]]:
    """The rows of each part of the matrices that an optimizer makes orthogonal."""
    return matrices(net) if isinstance(settings, Muon) else {}


@dataclass(frozen=True)
class State:
    """Weights, their averages, and the optimizer's moments, each by the tensor's name."""

    weights: dict[str, nn.Parameter]
    ema: EMA
    optimizer: Optimizer
    more: tuple[EMA, ...] = ()
    """The averages after the first, where a run has several; they count as the first does."""

    @staticmethod
    def of(
        module: nn.Module, net: Net, settings: declarations.Optimizer, averages: int = 1
    ) -> State:
        """The state at the start of a run, from the module's weights."""
        weights = dict(module.named_parameters())
        decay = frozenset(t.name for t in net.tensors() if t.decay)
        orthogonal = orthogonal_of(net, settings)
        optimizer = Optimizer(weights, decay, orthogonal, settings)
        first, *more = (EMA.of(weights) for _ in range(averages))
        return State(weights, first, optimizer, tuple(more))

    @property
    def averages(self) -> dict[str, EMA]:
        """All averages by the name that they are stored under: `ema`, or `ema.0`, `ema.1`, ..."""
        if not self.more:
            return {"ema": self.ema}
        return {f"ema.{i}": ema for i, ema in enumerate((self.ema, *self.more))}

    def average(self, how: Sequence[float | Power]) -> None:
        """Move the averages towards the weights, each in its own way."""
        for ema, way in zip((self.ema, *self.more), how, strict=True):
            ema.update(self.weights, way)

    def tensors(self) -> dict[str, Tensor]:
        """The state as `model.*`, `ema.*`, `moment.first.*`, `moment.second.*`, not copied.

        Tensors that were never updated have no moments, those of Muon a `moment.momentum.*`, and of
        other optimizers what these declare. What growth left along the axes of a tensor is
        `grown.PART.AXIS.*`.
        """
        parts: dict[str, Mapping[str, Tensor]] = {
            "model": self.weights,
            **{part: ema.averages for part, ema in self.averages.items()},
            **{f"moment.{part}": held for part, held in self.optimizer.parts.items()},
        }
        found = {
            f"{part}.{name}": tensor.detach()
            for part, tensors in parts.items()
            for name, tensor in tensors.items()
        }
        for part, vectors in self.grown().items():
            found |= named(vectors, f"grown.{part}")
        return found

    def grown(self) -> dict[str, dict[str, PerAxis]]:
        """What growth left along the axes of tensors, by part."""
        found: dict[str, dict[str, PerAxis]] = {"ema": self.ema.born}
        for name, factors in self.optimizer.factors.items():
            for part, vectors in vars(factors).items():
                if vectors is not None:
                    found.setdefault(part, {})[name] = vectors
        return found

    def counts(self) -> Counts:
        """Updates of each average and of each tensor."""
        steps = self.optimizer.steps
        found = torch.stack([*steps.values()]).tolist()
        return Counts(
            ema=dict(self.ema.updates),
            optimizer=dict(zip(steps, map(int, found), strict=True)),
        )

    def load(
        self, stored: Stored, counts: Counts, instead: Mapping[str, str | None] = NOTHING
    ) -> None:
        """Take over what is stored, and its counts. Raises KeyError if a name is missing.

        Moments may be missing where there was no update. `instead` names what is read in place of
        a tensor, or None where it is as if it were missing. Each process reads the rows that it
        holds.
        """
        names = {**{name: name for name in stored.names}, **self._stored(stored.names), **instead}
        there = {name: found for name, found in names.items() if found is not None}
        targets: dict[str, Tensor] = {}
        for name, weight in self.weights.items():
            targets[f"model.{name}"] = weight.detach()
            for part, ema in self.averages.items():
                targets[f"{part}.{name}"] = ema.averages[name]
                ema.updates[name] = counts.ema[name]
            targets |= self._begun(name, there, counts.optimizer[name])
        stored.fill({there.get(name, name): target for name, target in targets.items()})
        self._load_grown(stored.tensors("grown."))

    def _stored(self, there: Collection[str]) -> dict[str, str]:
        """The averages by their names here, where those that are stored are of another number.

        Those that are too many here go on with the last one that is stored.
        """
        count = len(averages_in(there))
        parts = [averages_in(there)[min(i, count - 1)] for i in range(len(self.averages))]
        return {
            f"{own}.{name}": f"{part}{name}"
            for own, part in zip(self.averages, parts, strict=True)
            for name in self.weights
        }

    def _begun(self, name: str, there: Collection[str], steps: int) -> dict[str, Tensor]:
        """The moments of a tensor by the names that they have there, made where some are stored."""
        parts = {part: f"moment.{part}.{name}" for part in self.optimizer.moments(name)}
        if not (steps or any(key in there for key in parts.values())):
            return {}
        self.optimizer.begin(name, steps)
        made = self.optimizer.moments(name)
        return {key: made[part][name] for part, key in parts.items()}

    def _load_grown(self, tensors: Mapping[str, Tensor]) -> None:
        grown = {part: unnamed(tensors, part) for part in ("ema", *vars(Factors()))}
        for name, weight in self.weights.items():
            if name in grown["ema"]:
                for ema in self.averages.values():
                    ema.count_from(name, grown["ema"][name])
            vectors = {part: grown[part].get(name) for part in vars(Factors())}
            placed = {
                part: tuple(vector.to(local(weight)) for vector in given) if given else None
                for part, given in vectors.items()
            }
            if factors := Factors(**placed):
                self.optimizer.factors[name] = factors
