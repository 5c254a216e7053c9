"""Modules on single values and on the channels of each place."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from growlang.net import Shape
from growlang.ops import Scope, pointwise
from growlang.torch_backend.layers import (
    Device,
    GroupNorm,
    LayerNorm,
    Linear,
    group_norm,
)
from growlang.torch_backend.registration import builds


@builds("silu")
def silu(op: pointwise.SiLU, x: Shape, scope: Scope, device: Device) -> nn.SiLU:
    """SiLU of each value."""
    return nn.SiLU()


@builds("gelu")
def gelu(op: pointwise.GELU, x: Shape, scope: Scope, device: Device) -> nn.GELU:
    """The exact GELU of each value."""
    return nn.GELU()


class PixelLinear(Linear):
    """Linear map of the channels of a grid: (B, C, H, W) -> (B, width, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """As a 1 x 1 convolution, with the weight of a linear map."""
        return F.conv2d(x, self.weight[:, :, None, None], self.bias)


@builds("linear")
def linear(op: pointwise.Linear, x: Shape, scope: Scope, device: Device) -> Linear:
    """The linear map of a grid's or of tokens' channels."""
    kind = PixelLinear if x.kind == "grid" else Linear
    return kind(x.width, op.width, device=device)


@builds("norm")
def norm(op: pointwise.Norm, x: Shape, scope: Scope, device: Device) -> GroupNorm | LayerNorm:
    """GroupNorm of a grid, LayerNorm of tokens."""
    if x.kind == "grid":
        return group_norm(op.numbers(x, scope)["groups"], x.width, scope, device)
    return LayerNorm(x.width, eps=scope.eps, device=device)


@builds("identity")
def identity(op: pointwise.Identity, x: Shape, scope: Scope, device: Device) -> nn.Identity:
    """The input as it is."""
    return nn.Identity()
