"""The optimizers over tensors by name.

torch.optim's own state is keyed by position and is dropped for parameters without a gradient, so
moments would be lost at a freeze; here they live in flat dicts by name, and the arithmetic is
torch's functional AdamW. Tensors that grew with factors go a way of their own.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from growlang.spec.recipe import AdamW, Muon
from growlang.torch_backend.per_axis import PerAxis, held, latest, spread
from growlang.torch_backend.shards import local, put
from growlang_runtime.train import muon


@dataclass(frozen=True)
class Factors:
    """What growth left to the steps of a tensor: numbers along its axes, or None for the usual."""

    step: PerAxis | None = None
    """Of the learning rate, 1 as usual."""
    eps: PerAxis | None = None
    """Of eps, 1 as usual."""
    born: PerAxis | None = None
    """The tensor's count of updates when its places came, 0 as usual."""

    def of(self, tensor: Tensor) -> Factors:
        """The numbers of the entries that this process holds of a tensor."""
        parts = {part: held(found, tensor) if found else None for part, found in vars(self).items()}
        return Factors(**parts)

    def __bool__(self) -> bool:
        return any(part is not None for part in (self.step, self.eps, self.born))


class Optimizer:
    """AdamW (arXiv 1711.05101) or Muon, whose moments and step counts belong to names.

    Tensors without a gradient are left as they are, with their moments and counts: that is what a
    freeze means. A tensor has moments from its first update on, so that one that is frozen all
    along takes no memory for them. `decay` names the tensors that weight decay applies to, and
    `matrices` has the rows of each part of those that Muon trains, where it does; they have a
    momentum, all others two moments.
    """

    def __init__(
        self,
        weights: Mapping[str, Tensor],
        decay: frozenset[str],
        matrices: Mapping[str, tuple[int, ...]] | None = None,
    ) -> None:
        self.weights = dict(weights)
        self.decay = decay
        self.matrices = dict(matrices or {})
        self.first: dict[str, Tensor] = {}
        self.second: dict[str, Tensor] = {}
        self.momentum: dict[str, Tensor] = {}
        self.factors: dict[str, Factors] = {}
        self.steps = {
            name: torch.zeros((), dtype=torch.float32, device=w.device)
            for name, w in self.weights.items()
        }

    @torch.no_grad()
    def step(
        self,
        settings: AdamW | Muon,
        lr: float,
        scale: Mapping[str, float],
        skipped: Tensor | None = None,
    ) -> None:
        """One update at learning rate `lr`, times `scale` for the tensors that it names.

        Where `skipped`, a float32 scalar on the device, is 1 and not 0, it changes nothing: so no
        one has to wait for the device to know whether the gradients are finite.
        """
        named = [name for name, weight in self.weights.items() if weight.grad is not None]
        for name in named:
            self._allocate(name)
        if isinstance(settings, Muon):
            for name in (n for n in named if n in self.matrices):
                self._orthogonal(name, settings, lr * scale.get(name, 1.0), skipped)
            lr, settings = lr * settings.rest.lr / settings.lr, settings.rest
        others = [name for name in named if name not in self.matrices]
        groups: defaultdict[tuple[float, float], list[str]] = defaultdict(list)
        for name in others:
            rate, decay = lr * scale.get(name, 1.0), self._decay(name, settings)
            if name in self.factors:
                self._grown(name, settings, rate, decay, skipped)
            else:
                groups[rate, decay].append(name)
        for (rate, decay), names in groups.items():
            self._usual(names, settings, rate, decay, skipped)

    def _usual(
        self, names: list[str], settings: AdamW, lr: float, decay: float, skipped: Tensor | None
    ) -> None:
        adamw(
            [local(self.weights[n]) for n in names],
            [local(_gradient(self.weights[n])) for n in names],
            [local(self.first[n]) for n in names],
            [local(self.second[n]) for n in names],
            [],
            [self.steps[n] for n in names],
            fused=True,
            found_inf=skipped,
            amsgrad=False,
            beta1=settings.betas[0],
            beta2=settings.betas[1],
            lr=lr,
            weight_decay=decay,
            eps=settings.eps,
            maximize=False,
        )

    def _grown(
        self, name: str, settings: AdamW, lr: float, decay: float, skipped: Tensor | None
    ) -> None:
        """AdamW of a tensor whose entries have steps, eps and counts of their own."""
        weight, given = local(self.weights[name]), self.factors[name].of(self.weights[name])
        gradient, (b1, b2) = local(_gradient(self.weights[name])), settings.betas
        count = self.steps[name] + 1
        first = local(self.first[name]).lerp(gradient, 1 - b1)
        second = (local(self.second[name]) * b2).addcmul_(gradient, gradient, value=1 - b2)
        age = count.to(weight.dtype)
        if given.born:
            age = age - latest(given.born)
        unbiased, root = first / _corrected(b1, age), (second / _corrected(b2, age)).sqrt_()
        root += settings.eps * spread(given.eps) if given.eps else settings.eps
        update = unbiased.div_(root)
        if given.step:
            update *= spread(given.step)
        _keep(self.first[name], first, skipped)
        _keep(self.second[name], second, skipped)
        _keep(self.steps[name], count, skipped)
        _keep(weight, (weight * (1 - lr * decay)).sub_(update, alpha=lr), skipped)

    def _orthogonal(self, name: str, settings: Muon, lr: float, skipped: Tensor | None) -> None:
        weight, decay = self.weights[name], self._decay(name, settings)
        gradient, rows = _gradient(weight), self.matrices[name]
        updated = muon.updated(weight, gradient, self.momentum[name], rows, settings, lr, decay)
        _keep(self.steps[name], self.steps[name] + 1, skipped)
        _keep(self.momentum[name], updated.momentum, skipped)
        _keep(weight, updated.weight, skipped)

    def _decay(self, name: str, settings: AdamW | Muon) -> float:
        return settings.weight_decay if name in self.decay else 0.0

    def begin(self, name: str, steps: int) -> None:
        """Let a tensor begin with moments of zero and a count of updates."""
        self._allocate(name)
        self.steps[name].fill_(steps)

    @torch.no_grad()
    def take(self, name: str, moments: Mapping[str, Tensor], steps: int) -> None:
        """Set a tensor's moments and its count of updates to those of another optimizer.

        `moments` are `first` and `second`, or `momentum`. Raises KeyError if one is missing.
        """
        self.begin(name, steps)
        for part, tensors in self.moments(name).items():
            put(tensors[name], moments[part])

    def moments(self, name: str) -> dict[str, dict[str, Tensor]]:
        """The moments that a tensor has, of all tensors that have them."""
        if name in self.matrices:
            return {"momentum": self.momentum}
        return {"first": self.first, "second": self.second}

    def _allocate(self, name: str) -> None:
        for tensors in self.moments(name).values():
            if name not in tensors:
                tensors[name] = torch.zeros_like(self.weights[name])


def _gradient(weight: Tensor) -> Tensor:
    assert weight.grad is not None
    return weight.grad


def _keep(tensor: Tensor, new: Tensor, skipped: Tensor | None) -> None:
    """Let the rows of a tensor that are here have new values, unless the step is skipped."""
    tensor = local(tensor)
    tensor.copy_(new if skipped is None else torch.where(skipped == 0, new, tensor))


def _corrected(beta: float, count: Tensor) -> Tensor:
    """1 - beta^count, to full precision where beta^count is near 1."""
    return -torch.expm1(count * (math.log(beta) if beta else -math.inf))


def gradient_norm(weights: Mapping[str, Tensor]) -> Tensor:
    """Euclidean norm of all gradients together, a scalar tensor; 0 if there is none.

    Of sharded ones, that of the rows that this process holds.
    """
    gradients = [local(w.grad) for w in weights.values() if w.grad is not None]
    if not gradients:
        return torch.zeros(())
    return torch.nn.utils.get_total_norm(gradients)


def is_skipped(loss: Tensor, norm: Tensor) -> Tensor:
    """1 if loss or norm is NaN or infinite, else 0: a float32 scalar on their device."""
    return (~torch.isfinite(loss + norm)).to(torch.float32)


@torch.no_grad()
def clip_gradients(weights: Mapping[str, Tensor], norm: Tensor, limit: float) -> None:
    """Scale all gradients so that their norm, which is `norm` now, does not exceed `limit`."""
    torch.nn.utils.clip_grads_with_norm_(list(weights.values()), limit, norm)
