"""The whole training state as one flat dict of tensors, and what is counted beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from growlang.net import Net
from growlang_runtime.storage.record import Counts
from growlang_runtime.train.ema import EMA
from growlang_runtime.train.optimizer import Optimizer


@dataclass(frozen=True)
class State:
    """Weights, their averages, and the optimizer's moments, each by the tensor's name."""

    weights: dict[str, nn.Parameter]
    ema: EMA
    optimizer: Optimizer

    @staticmethod
    def of(module: nn.Module, net: Net) -> State:
        """The state at the start of a run, from the module's weights."""
        weights = dict(module.named_parameters())
        decay = frozenset(t.name for t in net.tensors() if t.decay)
        return State(weights, EMA.of(weights), Optimizer(weights, decay))

    def tensors(self) -> dict[str, Tensor]:
        """The state as `model.*`, `ema.*`, `moment.first.*` and `moment.second.*`, not copied.

        Tensors that were never updated have no moments.
        """
        parts: dict[str, Mapping[str, Tensor]] = {
            "model": self.weights,
            "ema": self.ema.averages,
            "moment.first": self.optimizer.first,
            "moment.second": self.optimizer.second,
        }
        return {
            f"{part}.{name}": tensor.detach()
            for part, tensors in parts.items()
            for name, tensor in tensors.items()
        }

    def counts(self) -> Counts:
        """Updates of each average and of each tensor."""
        return Counts(
            ema=dict(self.ema.updates),
            optimizer={name: int(s.item()) for name, s in self.optimizer.steps.items()},
        )

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor], counts: Counts) -> None:
        """Take over what `tensors` and `counts` gave. Raises KeyError if a name is missing.

        Moments may be missing where there was no update.
        """
        for name, weight in self.weights.items():
            weight.copy_(tensors[f"model.{name}"])
            self.ema.averages[name].copy_(tensors[f"ema.{name}"])
            self.ema.updates[name] = counts.ema[name]
            first, second = f"moment.first.{name}", f"moment.second.{name}"
            if (steps := counts.optimizer[name]) or first in tensors:
                self.optimizer.take(name, tensors[first], tensors[second], steps)
