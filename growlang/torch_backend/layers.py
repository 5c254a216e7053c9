"""Layers whose parameters are left as they are allocated: values are drawn later, by name."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from growlang.net import Scope

Device = torch.device | str


class Linear(nn.Linear):
    """`nn.Linear` that draws nothing when it is built."""

    def reset_parameters(self) -> None:
        """Leave the parameters to `initialise`."""


class Conv2d(nn.Conv2d):
    """`nn.Conv2d` that draws nothing when it is built."""

    def reset_parameters(self) -> None:
        """Leave the parameters to `initialise`."""


class GroupNorm(nn.GroupNorm):
    """`nn.GroupNorm` that writes nothing when it is built."""

    def reset_parameters(self) -> None:
        """Leave the parameters to `initialise`."""


class LayerNorm(nn.LayerNorm):
    """`nn.LayerNorm` that writes nothing when it is built."""

    def reset_parameters(self) -> None:
        """Leave the parameters to `initialise`."""


class RMSNorm(nn.RMSNorm):
    """`nn.RMSNorm` (arXiv 1910.07467) that computes in its input's type."""

    def reset_parameters(self) -> None:
        """Leave the parameters to `initialise`."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise in the input's type; the fused kernel needs the scale in the same one."""
        weight = None if self.weight is None else self.weight.to(x.dtype)
        return F.rms_norm(x, tuple(self.normalized_shape), weight, self.eps)


class Embedding(nn.Embedding):
    """`nn.Embedding` that draws nothing when it is built."""

    def reset_parameters(self) -> None:
        """Leave the parameters to `initialise`."""


def group_norm(groups: int, channels: int, scope: Scope, device: Device) -> GroupNorm:
    """GroupNorm in a net's scope."""
    return GroupNorm(groups, channels, eps=scope.eps, device=device)
