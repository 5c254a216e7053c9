"""Modules that join values."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from growlang.net import Shape
from growlang.ops import Scope, layout
from growlang.torch_backend.layers import (
    Device,
    Linear,
)
from growlang.torch_backend.pointwise import PixelLinear
from growlang.torch_backend.registration import builds


@builds("merge")
class Merge(nn.Module):
    """A value and a skip, grids (B, C, H, W) or tokens (B, length, C) -> as the value."""

    def __init__(self, op: layout.Merge, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        self.dim = 1 if x.kind == "grid" else 2
        kind = PixelLinear if x.kind == "grid" else Linear
        self.linear = kind(x.width + op.skip, x.width, device=device)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """The map of both, one behind the other."""
        out: Tensor = self.linear(torch.cat([x, skip], dim=self.dim))
        return out
