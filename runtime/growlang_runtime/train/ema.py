"""Averages of the weights, with a count of updates for each tensor."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from growlang.spec.averages import Power
from growlang.torch_backend.per_axis import PerAxis, held, latest
from growlang.torch_backend.shards import local


def power_decay(gamma: float, updates: int) -> float:
    """Decay of the next update of a power-function average, 0 of the first (arXiv 2312.02696)."""
    return float((1 - 1 / (updates + 1)) ** (gamma + 1))


def effective_decay(decay: float, updates: int) -> float:
    """Decay of the next update: min(decay, (1 + n) / (10 + n)) after n updates.

    An average so forgets the start of a run, where its count is 0, fast. In a child with `moments =
    carry` kept tensors go on with the parent's averages and counts, and new ones alone begin at 0.
    """
    return min(decay, (1 + updates) / (10 + updates))


class EMA:
    """Exponential moving average of tensors by name.

    Frozen tensors are averaged too: their average converges to the frozen weights, and equals them
    where they never trained. New entries of a tensor that grew forget their start by the updates
    since they came: `born` has the counts, by axis, at which the places of its axes came.
    """

    def __init__(self, averages: Mapping[str, Tensor], updates: Mapping[str, int]) -> None:
        self.averages = dict(averages)
        self.updates = dict(updates)
        self.born: dict[str, PerAxis] = {}
        self._youngest: dict[str, int] = {}

    @staticmethod
    def of(weights: Mapping[str, Tensor], names: Iterable[str] | None = None) -> EMA:
        """An average that starts at `weights`, with no updates counted."""
        chosen = weights if names is None else {name: weights[name] for name in names}
        return EMA(
            {name: tensor.detach().clone() for name, tensor in chosen.items()},
            dict.fromkeys(chosen, 0),
        )

    def count_from(self, name: str, born: PerAxis) -> None:
        """Let entries count their updates from when they came."""
        self.born[name] = tuple(counts.to(local(self.averages[name])) for counts in born)
        self._youngest[name] = int(max(counts.max() for counts in born))

    @torch.no_grad()
    def update(self, weights: Mapping[str, Tensor], average: float | Power) -> None:
        """Move each average towards its weight and count one update."""
        if isinstance(average, Power):
            self._by_power(weights, average.gamma)
            return
        decay = average
        by_decay: defaultdict[float, list[str]] = defaultdict(list)
        for name, count in self.updates.items():
            youngest = self._youngest.get(name)
            if youngest is not None and effective_decay(decay, count - youngest) < decay:
                ages = count - latest(held(self.born[name], self.averages[name]))
                left = 1 - ((1 + ages) / (10 + ages)).clamp(max=decay)
                local(self.averages[name]).lerp_(local(weights[name]), left)
            else:
                by_decay[effective_decay(decay, count)].append(name)
            self.updates[name] = count + 1
        for effective, names in by_decay.items():
            torch._foreach_lerp_(
                [local(self.averages[name]) for name in names],
                [local(weights[name]).detach() for name in names],
                1.0 - effective,
            )

    def _by_power(self, weights: Mapping[str, Tensor], gamma: float) -> None:
        """An update by a power of the counts; new entries go by their own counts."""
        for name, count in self.updates.items():
            average, weight = local(self.averages[name]), local(weights[name]).detach()
            if name in self.born:
                ages = count - latest(held(self.born[name], self.averages[name]))
                average.lerp_(weight, 1 - (1 - 1 / (ages + 1)) ** (gamma + 1))
            else:
                average.lerp_(weight, 1 - power_decay(gamma, count))
            self.updates[name] = count + 1
