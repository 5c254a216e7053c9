"""What the update of one tensor is given, and what it makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from growlang.signatures.installed import attribute
from growlang.spec.optimizers import Optimizer


class Given(NamedTuple):
    """A tensor that is updated, of which each process has its rows: all of its entries apart.

    Nothing of it is written to.
    """

    weight: Tensor
    gradient: Tensor
    moments: Mapping[str, Tensor]
    """What the optimizer keeps, by its names; zero at first."""
    updates: Tensor
    """Updates with this one, a scalar; where entries grew in later, of each its own."""
    lr: float
    decay: float
    """The optimizer's weight decay; 0 of tensors that do not decay."""
    step: Tensor | float = 1.0
    """What growth multiplied the weights by: their steps are multiplied by it too."""
    scale: Tensor | float = 1.0
    """What growth multiplied the gradients by."""

    @property
    def rate(self) -> Tensor | float:
        """What growth multiplies a step by that is proportional to the gradient."""
        return _ratio(self.step, self.scale)

    @property
    def decayed(self) -> Tensor:
        """The gradient with the weight decay that is added to it, as the gradient grew."""
        if not self.decay:
            return self.gradient
        return self.gradient + self.weight * self.decay * _ratio(self.scale, self.step)


class Updated(NamedTuple):
    """A tensor after an update, and its moments."""

    weight: Tensor
    moments: Mapping[str, Tensor]


Update = Callable[[Optimizer, Given], Updated]


def update_of(optimizer: Optimizer) -> Update:
    """The update of an optimizer. Raises GrowlangError if its package cannot be imported."""
    found: Update = attribute(optimizer.runtime, optimizer.call)
    return found


def _ratio(over: Tensor | float, under: Tensor | float) -> Tensor | float:
    """One by the other; 1 where that is zero, of entries that growth gave no share."""
    if not isinstance(under, Tensor):
        return over / under
    return torch.where(under == 0, 1.0, over / under)


def kept(tensor: Tensor, new: Tensor, skipped: Tensor | None) -> None:
    """Let a tensor have new values, unless the step is skipped."""
    tensor.copy_(new if skipped is None else torch.where(skipped == 0, new, tensor))
