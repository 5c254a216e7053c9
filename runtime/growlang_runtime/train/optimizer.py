"""The optimizers over tensors by name.

torch.optim's own state is keyed by position and is dropped for parameters without a gradient, so
moments would be lost at a freeze; here they live in flat dicts by name, and the arithmetic is
torch's functional Adam where it fits. Tensors that grew with factors go a way of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from growlang.spec import optimizers as declarations
from growlang.spec.optimizers import OF_MATRICES, Adam, AdamW, Grows, Muon
from growlang.torch_backend.per_axis import PerAxis, held, latest, spread
from growlang.torch_backend.shards import local, put
from growlang_runtime.train import adam, muon
from growlang_runtime.train.update import Given, kept, update_of


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
    """The moments and step counts of tensors by name, and the updates of an optimizer.

    Tensors without a gradient are left as they are, with their moments and counts: that is what a
    freeze means. A tensor has moments from its first update on, so that one that is frozen all
    along takes no memory for them. `decay` names the tensors that weight decay applies to, and
    `matrices` has the rows of each part of those that Muon trains, where it does; they have a
    momentum, all others what the optimizer declares.
    """

    def __init__(
        self,
        weights: Mapping[str, Tensor],
        decay: frozenset[str],
        matrices: Mapping[str, tuple[int, ...]] | None = None,
        settings: declarations.Optimizer | None = None,
    ) -> None:
        self.weights = dict(weights)
        self.decay = decay
        self.matrices = dict(matrices or {})
        self.settings = settings or AdamW()
        self.parts: defaultdict[str, dict[str, Tensor]] = defaultdict(dict)
        """What is kept of tensors, by its name in the declaration and the tensor's."""
        self.factors: dict[str, Factors] = {}
        self.steps = {
            name: torch.zeros((), dtype=torch.float32, device=w.device)
            for name, w in self.weights.items()
        }

    @property
    def first(self) -> dict[str, Tensor]:
        """The first moments of Adam, by tensor."""
        return self.parts["first"]

    @property
    def second(self) -> dict[str, Tensor]:
        """The second moments of Adam, by tensor."""
        return self.parts["second"]

    @property
    def momentum(self) -> dict[str, Tensor]:
        """The momentum of Muon's matrices, by tensor."""
        return self.parts["momentum"]

    @torch.no_grad()
    def step(
        self,
        settings: declarations.Optimizer,
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
        fused = isinstance(settings, AdamW | Adam)
        for name in others:
            rate, decay = lr * scale.get(name, 1.0), self._decay(name, settings)
            if fused and name not in self.factors:
                groups[rate, decay].append(name)
            else:
                self._alone(name, settings, rate, decay, skipped)
        for (rate, decay), names in groups.items():
            assert isinstance(settings, AdamW | Adam)
            adam.fused(settings, [self._adam(name) for name in names], rate, decay, skipped)

    def _adam(self, name: str) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """What a fused update of Adam changes of a tensor, with its gradient."""
        weight, moments = self.weights[name], (self.first[name], self.second[name])
        held = (weight, _gradient(weight), *moments)
        first, second, third, fourth = map(local, held)
        return first, second, third, fourth, self.steps[name]

    def _alone(
        self,
        name: str,
        settings: declarations.Optimizer,
        lr: float,
        decay: float,
        skipped: Tensor | None,
    ) -> None:
        """The update of one tensor, whose entries may have steps and counts of their own."""
        weight, count = self.weights[name], self.steps[name] + 1
        grown = self.factors.get(name, Factors()).of(weight)
        own = {part: local(held[name]) for part, held in self.moments(name).items()}
        given = Given(
            local(weight),
            local(_gradient(weight)),
            own,
            count - latest(grown.born) if grown.born else count,
            lr,
            decay,
            spread(grown.step) if grown.step else 1.0,
            spread(grown.eps) if grown.eps else 1.0,
        )
        updated = update_of(settings)(settings, given)
        for part, tensor in own.items():
            kept(tensor, updated.moments[part], skipped)
        kept(self.steps[name], count, skipped)
        kept(given.weight, updated.weight, skipped)

    def _orthogonal(self, name: str, settings: Muon, lr: float, skipped: Tensor | None) -> None:
        weight, decay = self.weights[name], self._decay(name, settings)
        gradient, rows = _gradient(weight), self.matrices[name]
        updated = muon.updated(weight, gradient, self.momentum[name], rows, settings, lr, decay)
        kept(self.steps[name], self.steps[name] + 1, skipped)
        kept(local(self.momentum[name]), updated.momentum, skipped)
        kept(local(weight), updated.weight, skipped)

    def _decay(self, name: str, settings: declarations.Optimizer) -> float:
        return float(getattr(settings, "weight_decay", 0.0)) if name in self.decay else 0.0

    def use(
        self, settings: declarations.Optimizer, matrices: Mapping[str, tuple[int, ...]]
    ) -> bool:
        """Go on with an optimizer; returns whether it begins with moments and counts of its own.

        One of the same kind goes on with those that are there, as far as it keeps them.
        """
        anew = settings.call != self.settings.call
        self.settings, self.matrices = settings, dict(matrices)
        if anew:
            for count in self.steps.values():
                count.zero_()
            left = {name: replace(found, born=None) for name, found in self.factors.items()}
            self.factors = {name: found for name, found in left.items() if found}
        for part, tensors in self.parts.items():
            for name in [n for n in tensors if anew or part not in self.kept_of(n)]:
                del tensors[name]
        return anew

    def begin(self, name: str, steps: int) -> None:
        """Let a tensor begin with moments of zero and a count of updates."""
        self._allocate(name)
        self.steps[name].fill_(steps)

    @torch.no_grad()
    def take(self, name: str, moments: Mapping[str, Tensor], steps: int) -> None:
        """Set a tensor's moments and its count of updates to those of another optimizer.

        `moments` are those that this optimizer keeps of it. Raises KeyError if one is missing.
        """
        self.begin(name, steps)
        for part, tensors in self.moments(name).items():
            put(tensors[name], moments[part])

    def kept_of(self, name: str) -> Mapping[str, Grows | None]:
        """What the optimizer keeps of a tensor, and how that grows."""
        return OF_MATRICES if name in self.matrices else self.settings.moments()

    def moments(self, name: str) -> dict[str, dict[str, Tensor]]:
        """The moments that a tensor has, of all tensors that have them."""
        return {part: self.parts[part] for part in self.kept_of(name)}

    def _allocate(self, name: str) -> None:
        for tensors in self.moments(name).values():
            if name not in tensors:
                tensors[name] = torch.zeros_like(self.weights[name])


def _gradient(weight: Tensor) -> Tensor:
    assert weight.grad is not None
    return weight.grad


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
