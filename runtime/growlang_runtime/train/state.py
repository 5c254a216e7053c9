"""The whole training state as one flat dict of tensors, and what is counted beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from growlang.net import Net
from growlang.plans.matrices import matrices
from growlang.spec.recipe import AdamW, Muon
from growlang.torch_backend.per_axis import PerAxis, named, unnamed
from growlang_runtime.storage.record import Counts
from growlang_runtime.train.ema import EMA
from growlang_runtime.train.optimizer import Factors, Optimizer


@dataclass(frozen=True)
class State:
    """Weights, their averages, and the optimizer's moments, each by the tensor's name."""

    weights: dict[str, nn.Parameter]
    ema: EMA
    optimizer: Optimizer

    @staticmethod
    def of(module: nn.Module, net: Net, settings: AdamW | Muon) -> State:
        """The state at the start of a run, from the module's weights."""
        weights = dict(module.named_parameters())
        decay = frozenset(t.name for t in net.tensors() if t.decay)
        orthogonal = matrices(net) if isinstance(settings, Muon) else {}
        return State(weights, EMA.of(weights), Optimizer(weights, decay, orthogonal))

    def tensors(self) -> dict[str, Tensor]:
        """The state as `model.*`, `ema.*`, `moment.first.*`, `moment.second.*`, not copied.

        Tensors that were never updated have no moments, those of Muon a `moment.momentum.*`. What
        growth left along the axes of a tensor is `grown.PART.AXIS.*`.
        """
        parts: dict[str, Mapping[str, Tensor]] = {
            "model": self.weights,
            "ema": self.ema.averages,
            "moment.first": self.optimizer.first,
            "moment.second": self.optimizer.second,
            "moment.momentum": self.optimizer.momentum,
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

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor], counts: Counts) -> None:
        """Take over what `tensors` and `counts` gave. Raises KeyError if a name is missing.

        Moments may be missing where there was no update.
        """
        grown = {part: unnamed(tensors, f"grown.{part}") for part in ("ema", *vars(Factors()))}
        for name, weight in self.weights.items():
            weight.copy_(tensors[f"model.{name}"])
            self.ema.averages[name].copy_(tensors[f"ema.{name}"])
            self.ema.updates[name] = counts.ema[name]
            if name in grown["ema"]:
                self.ema.count_from(name, grown["ema"][name])
            self._load_moments(name, tensors, counts.optimizer[name])
            vectors = {part: grown[part].get(name) for part in vars(Factors())}
            placed = {
                part: tuple(vector.to(weight) for vector in given) if given else None
                for part, given in vectors.items()
            }
            if factors := Factors(**placed):
                self.optimizer.factors[name] = factors

    def _load_moments(self, name: str, tensors: Mapping[str, Tensor], steps: int) -> None:
        parts = {part: f"moment.{part}.{name}" for part in self.optimizer.moments(name)}
        if steps or any(key in tensors for key in parts.values()):
            moments = {part: tensors[key] for part, key in parts.items()}
            self.optimizer.take(name, moments, steps)
