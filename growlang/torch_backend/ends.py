"""Modules at the ends of a net, and the maps, norms and identities between them.

Values are (B, C, H, W), contiguous, or (B, length, C).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from growlang.net import Shape
from growlang.ops import Scope, ends
from growlang.torch_backend.layers import (
    Conv2d,
    Device,
    GroupNorm,
    LayerNorm,
    Linear,
    RMSNorm,
    group_norm,
)
from growlang.torch_backend.registration import builds


@builds("patch")
class Patch(nn.Module):
    """(B, C, H, W) -> (B, width, H / factor, W / factor)."""

    def __init__(self, op: ends.Patch, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        if op.hidden is None:
            self.hidden = None
            self.proj = Conv2d(x.width, op.width, op.factor, op.factor, bias=op.bias, device=device)
        else:
            self.hidden = Conv2d(
                x.width, op.hidden, op.factor, op.factor, bias=False, device=device
            )
            self.proj = Conv2d(op.hidden, op.width, 1, bias=op.bias, device=device)

    def forward(self, x: Tensor) -> Tensor:
        """Each patch through one linear map, or through two."""
        projected: Tensor = self.proj(x if self.hidden is None else self.hidden(x))
        return projected


class PixelLayerNorm(LayerNorm):
    """LayerNorm of each pixel's channels: (B, C, H, W) -> the same."""

    def forward(self, x: Tensor) -> Tensor:
        """Channels last and back."""
        return super().forward(x.movedim(1, -1)).movedim(-1, 1).contiguous()


class PixelRMSNorm(RMSNorm):
    """RMSNorm of each pixel's channels: (B, C, H, W) -> the same."""

    def forward(self, x: Tensor) -> Tensor:
        """Channels last and back."""
        return super().forward(x.movedim(1, -1)).movedim(-1, 1).contiguous()


@builds("unpatch")
class Unpatch(nn.Module):
    """(B, C, H, W) and, with `modulate`, (B, time) -> (B, channels, H * factor, W * factor)."""

    def __init__(self, op: ends.Unpatch, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        self.factor, self.is_active = op.factor, op.act == "silu"
        self.modulation = None
        if op.modulate and scope.time:
            self.modulation = Linear(scope.time, 2 * x.width, device=device)
        self.norm = _norm(op, x, scope, device)
        channels = (op.channels or scope.channels) * op.factor**2
        self.proj = Conv2d(x.width, channels, op.kernel, padding=op.kernel // 2, device=device)

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        """Norm, scale and shift, SiLU, projection, pixel shuffle."""
        h = x if self.norm is None else self.norm(x)
        if self.modulation is not None and time is not None:
            shift, scale = self.modulation(F.silu(time))[:, :, None, None].chunk(2, dim=1)
            h = h * (1 + scale) + shift
        h = F.silu(h) if self.is_active else h
        return F.pixel_shuffle(self.proj(h), self.factor)


def _norm(op: ends.Unpatch, x: Shape, scope: Scope, device: Device) -> nn.Module | None:
    """The norm of `unpatch`, with a scale of its own where the op has one."""
    if op.norm == "none":
        return None
    if op.norm == "group":
        groups = op.numbers(x, scope)["norm.groups"]
        return GroupNorm(groups, x.width, eps=scope.eps, affine=op.is_affine, device=device)
    kind = PixelLayerNorm if op.norm == "layer" else PixelRMSNorm
    return kind(x.width, eps=scope.eps, elementwise_affine=op.is_affine, device=device)


@builds("silu")
def silu(op: ends.SiLU, x: Shape, scope: Scope, device: Device) -> nn.SiLU:
    """SiLU of each value."""
    return nn.SiLU()


@builds("gelu")
def gelu(op: ends.GELU, x: Shape, scope: Scope, device: Device) -> nn.GELU:
    """The exact GELU of each value."""
    return nn.GELU()


class PixelLinear(Linear):
    """Linear map of the channels of a grid: (B, C, H, W) -> (B, width, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """As a 1 x 1 convolution, with the weight of a linear map."""
        return F.conv2d(x, self.weight[:, :, None, None], self.bias)


@builds("linear")
def linear(op: ends.Linear, x: Shape, scope: Scope, device: Device) -> Linear:
    """The linear map of a grid's or of tokens' channels."""
    kind = PixelLinear if x.kind == "grid" else Linear
    return kind(x.width, op.width, device=device)


@builds("merge")
class Merge(nn.Module):
    """A value and a skip, grids (B, C, H, W) or tokens (B, length, C) -> as the value."""

    def __init__(self, op: ends.Merge, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        self.dim = 1 if x.kind == "grid" else 2
        kind = PixelLinear if x.kind == "grid" else Linear
        self.linear = kind(x.width + op.skip, x.width, device=device)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """The map of both, one behind the other."""
        out: Tensor = self.linear(torch.cat([x, skip], dim=self.dim))
        return out


@builds("norm")
def norm(op: ends.Norm, x: Shape, scope: Scope, device: Device) -> GroupNorm | LayerNorm:
    """GroupNorm of a grid, LayerNorm of tokens."""
    if x.kind == "grid":
        return group_norm(op.numbers(x, scope)["groups"], x.width, scope, device)
    return LayerNorm(x.width, eps=scope.eps, device=device)


@builds("identity")
def identity(op: ends.Identity, x: Shape, scope: Scope, device: Device) -> nn.Identity:
    """The input as it is."""
    return nn.Identity()
