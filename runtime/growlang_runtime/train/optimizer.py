"""AdamW over tensors by name.

torch.optim's own state is keyed by position and is dropped for parameters without a gradient, so
moments would be lost at a freeze; here they live in flat dicts by name, and the arithmetic is
torch's functional AdamW.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from growlang.spec.recipe import AdamW


class Optimizer:
    """AdamW (arXiv 1711.05101) whose moments and step counts belong to names.

    Tensors without a gradient are left as they are, with their moments and counts: that is what a
    freeze means. A tensor has moments from its first update on, so that one that is frozen all
    along takes no memory for them. `decay` names the tensors that weight decay applies to.
    """

    def __init__(self, weights: Mapping[str, Tensor], decay: frozenset[str]) -> None:
        self.weights = dict(weights)
        self.decay = decay
        self.first: dict[str, Tensor] = {}
        self.second: dict[str, Tensor] = {}
        self.steps = {
            name: torch.zeros((), dtype=torch.float32, device=w.device)
            for name, w in self.weights.items()
        }

    @torch.no_grad()
    def step(self, settings: AdamW, lr: float, scale: Mapping[str, float]) -> None:
        """One update at learning rate `lr`, times `scale` for the tensors that it names."""
        groups: defaultdict[tuple[float, float], list[str]] = defaultdict(list)
        for name, weight in self.weights.items():
            if weight.grad is not None:
                self._allocate(name)
                decay = settings.weight_decay if name in self.decay else 0.0
                groups[scale.get(name, 1.0), decay].append(name)
        for (factor, decay), names in groups.items():
            adamw(
                [self.weights[n] for n in names],
                [_gradient(self.weights[n]) for n in names],
                [self.first[n] for n in names],
                [self.second[n] for n in names],
                [],
                [self.steps[n] for n in names],
                fused=True,
                amsgrad=False,
                beta1=settings.betas[0],
                beta2=settings.betas[1],
                lr=lr * factor,
                weight_decay=decay,
                eps=settings.eps,
                maximize=False,
            )

    def begin(self, name: str, steps: int) -> None:
        """Let a tensor begin with moments of zero and a count of updates."""
        self._allocate(name)
        self.steps[name].fill_(steps)

    @torch.no_grad()
    def take(self, name: str, first: Tensor, second: Tensor, steps: int) -> None:
        """Set a tensor's moments and its count of updates to those of another optimizer."""
        self.begin(name, steps)
        self.first[name].copy_(first)
        self.second[name].copy_(second)

    def _allocate(self, name: str) -> None:
        if name not in self.first:
            self.first[name] = torch.zeros_like(self.weights[name])
            self.second[name] = torch.zeros_like(self.weights[name])


def _gradient(weight: Tensor) -> Tensor:
    assert weight.grad is not None
    return weight.grad


def gradient_norm(weights: Mapping[str, Tensor]) -> Tensor:
    """Euclidean norm of all gradients together, a scalar tensor; 0 if there is none."""
    gradients = [w.grad for w in weights.values() if w.grad is not None]
    if not gradients:
        return torch.zeros(())
    return torch.nn.utils.get_total_norm(gradients)


@torch.no_grad()
def clip_gradients(weights: Mapping[str, Tensor], norm: Tensor, limit: float) -> None:
    """Scale all gradients so that their norm, which is `norm` now, does not exceed `limit`."""
    torch.nn.utils.clip_grads_with_norm_(list(weights.values()), limit, norm)
