"""Modules of the ops on feature maps. Values are (B, C, H, W), contiguous."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from growlang.net import Shape
from growlang.ops import Scope, convolution, ends
from growlang.torch_backend.layers import Conv2d, GroupNorm, LayerNorm, Linear

Device = torch.device | str


def group_norm(groups: int, channels: int, scope: Scope, device: Device) -> GroupNorm:
    """GroupNorm in a net's scope."""
    return GroupNorm(groups, channels, eps=scope.eps, device=device)


class Conv(Conv2d):
    """(B, C, H, W) -> (B, width, H, W)."""

    def __init__(
        self, op: convolution.Conv | convolution.ZeroConv, x: Shape, scope: Scope, device: Device
    ) -> None:
        kernel = op.kernel if isinstance(op, convolution.Conv) else 1
        super().__init__(x.width, op.width, kernel, padding=kernel // 2, device=device)


class Patch(nn.Module):
    """(B, C, H, W) -> (B, width, H / factor, W / factor)."""

    def __init__(self, op: ends.Patch, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        self.proj = Conv2d(x.width, op.width, op.factor, stride=op.factor, device=device)

    def forward(self, x: Tensor) -> Tensor:
        """Each patch through one linear map."""
        projected: Tensor = self.proj(x)
        return projected


class Unpatch(nn.Module):
    """(B, C, H, W) -> (B, image channels, H * factor, W * factor)."""

    def __init__(self, op: ends.Unpatch, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        self.factor = op.factor
        groups = op.numbers(x, scope)["norm.groups"]
        self.norm = group_norm(groups, x.width, scope, device)
        self.proj = Conv2d(x.width, scope.channels * op.factor**2, 1, device=device)

    def forward(self, x: Tensor) -> Tensor:
        """Norm, SiLU, projection, pixel shuffle."""
        return F.pixel_shuffle(self.proj(F.silu(self.norm(x))), self.factor)


class Residual(nn.Module):
    """(B, C, H, W) and, with time, (B, time) -> (B, width, H, W)."""

    def __init__(self, op: convolution.Residual, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        width, padding, numbers = op.width, op.kernel // 2, op.numbers(x, scope)
        self.dropout = op.dropout
        self.norm1 = group_norm(numbers["norm1.groups"], x.width, scope, device)
        self.conv1 = Conv2d(x.width, width, op.kernel, padding=padding, device=device)
        self.time = Linear(scope.time, 2 * width, device=device) if scope.time else None
        self.norm2 = group_norm(numbers["norm2.groups"], width, scope, device)
        self.conv2 = Conv2d(width, width, op.kernel, padding=padding, device=device)
        self.skip = Conv2d(x.width, width, 1, device=device) if x.width != width else None

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        """The skip plus the branch."""
        h = self.norm2(self.conv1(F.silu(self.norm1(x))))
        if self.time is not None and time is not None:
            scale, shift = self.time(F.silu(time))[:, :, None, None].chunk(2, dim=1)
            h = h * (1 + scale) + shift
        h = F.dropout(F.silu(h), self.dropout, self.training)
        skip: Tensor = x if self.skip is None else self.skip(x)
        branch: Tensor = self.conv2(h)
        return skip + branch


class PixelLinear(Linear):
    """Linear map of the channels of a grid: (B, C, H, W) -> (B, width, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """As a 1 x 1 convolution, with the weight of a linear map."""
        return F.conv2d(x, self.weight[:, :, None, None], self.bias)


def linear(op: ends.Linear, x: Shape, scope: Scope, device: Device) -> Linear:
    """The linear map of a grid's or of tokens' channels."""
    kind = PixelLinear if x.kind == "grid" else Linear
    return kind(x.width, op.width, device=device)


def norm(op: ends.Norm, x: Shape, scope: Scope, device: Device) -> GroupNorm | LayerNorm:
    """GroupNorm of a grid, LayerNorm of tokens."""
    if x.kind == "grid":
        return group_norm(op.numbers(x, scope)["groups"], x.width, scope, device)
    return LayerNorm(x.width, eps=scope.eps, device=device)


def identity(op: ends.Identity, x: Shape, scope: Scope, device: Device) -> nn.Identity:
    """The input as it is."""
    return nn.Identity()
