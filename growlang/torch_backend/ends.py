"""Modules of the ends of a net."""

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
        self.has_table = op.modulate == "table"
        if self.has_table:
            self.table = nn.Parameter(torch.empty(2 * x.width, 1, device=device))
        if op.modulate is True and scope.time:
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
        if self.has_table and time is not None:
            rows = time.repeat(1, 2) + self.table[:, 0]
            shift, scale = rows[:, :, None, None].chunk(2, dim=1)
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
