"""Modules of the changes of resolution. Values are (B, C, H, W), contiguous."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from growlang.net import Shape
from growlang.ops import Scope, resolution
from growlang.torch_backend.layers import Conv2d, Device, Linear, group_norm
from growlang.torch_backend.registration import builds


@builds("down")
class Down(nn.Module):
    """(B, C, H, W) -> (B, width, H / factor, W / factor)."""

    def __init__(self, op: resolution.Down, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        self.factor = op.factor
        self.conv = Conv2d(x.width, op.width, 1, device=device)

    def forward(self, x: Tensor) -> Tensor:
        """Average pooling, then the convolution."""
        out: Tensor = self.conv(F.avg_pool2d(x, self.factor))
        return out


@builds("up")
class Up(nn.Module):
    """(B, C, H, W) -> (B, width, H * factor, W * factor)."""

    def __init__(self, op: resolution.Up, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        self.factor = op.factor
        self.conv = Conv2d(x.width, op.width, 1, device=device)

    def forward(self, x: Tensor) -> Tensor:
        """The convolution, then nearest upsampling."""
        return F.interpolate(self.conv(x), scale_factor=float(self.factor), mode="nearest")


@builds("dwt")
class DWT(nn.Module):
    """(B, C, H, W) -> (B, width, H / factor, W / factor)."""

    def __init__(self, op: resolution.DWT, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        self.levels = op.factor.bit_length() - 1
        self.conv = Conv2d(x.width * op.factor**2, op.width, 1, device=device)

    def forward(self, x: Tensor) -> Tensor:
        """The levels of the transform, then the convolution."""
        for _ in range(self.levels):
            x = haar(x)
        out: Tensor = self.conv(x)
        return out


@builds("idwt")
class IDWT(nn.Module):
    """(B, C, H, W) -> (B, width, H * factor, W * factor)."""

    def __init__(self, op: resolution.IDWT, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        self.levels = op.factor.bit_length() - 1
        self.conv = Conv2d(x.width, op.width * op.factor**2, 1, device=device)

    def forward(self, x: Tensor) -> Tensor:
        """The convolution, then the levels of the inverse."""
        x = self.conv(x)
        for _ in range(self.levels):
            x = inverse_haar(x)
        return x


@builds("strided", "up_conv")
class Filtered(nn.Module):
    """Nearest upsampling, if it is to a finer grid, and a convolution."""

    def __init__(
        self, op: resolution.Strided | resolution.UpConv, x: Shape, scope: Scope, device: Device
    ) -> None:
        super().__init__()
        coarser = op.called_as == "down"
        self.repeats = 1 if coarser else op.factor
        stride, padding = op.factor if coarser else 1, op.kernel // 2
        self.conv = Conv2d(
            x.width, op.width, op.kernel, stride=stride, padding=padding, device=device
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, width, H / factor, W / factor), or those sides times `factor`."""
        if self.repeats > 1:
            x = F.interpolate(x, scale_factor=float(self.repeats), mode="nearest")
        out: Tensor = self.conv(x)
        return out


@builds("residual_down", "residual_up")
class ResidualChange(nn.Module):
    """(B, C, H, W) and, with time, (B, time) -> (B, width, ...) on the other grid."""

    def __init__(
        self, op: resolution.ResidualChange, x: Shape, scope: Scope, device: Device
    ) -> None:
        super().__init__()
        width, padding, numbers = op.width, op.kernel // 2, op.numbers(x, scope)
        self.pools, self.factor = op.called_as == "down", op.factor
        self.norm1 = group_norm(numbers["norm1.groups"], x.width, scope, device)
        self.conv1 = Conv2d(x.width, width, op.kernel, padding=padding, device=device)
        self.time = Linear(scope.time, 2 * width, device=device) if scope.time else None
        self.norm2 = group_norm(numbers["norm2.groups"], width, scope, device)
        self.conv2 = Conv2d(width, width, op.kernel, padding=padding, device=device)
        self.skip = Conv2d(x.width, width, 1, device=device) if x.width != width else None

    def moved(self, x: Tensor) -> Tensor:
        """A value on the other grid."""
        if self.pools:
            return F.avg_pool2d(x, self.factor)
        return F.interpolate(x, scale_factor=float(self.factor), mode="nearest")

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        """The skip plus the branch."""
        h = self.norm2(self.conv1(self.moved(F.silu(self.norm1(x)))))
        if self.time is not None and time is not None:
            scale, shift = self.time(F.silu(time))[:, :, None, None].chunk(2, dim=1)
            h = h * (1 + scale) + shift
        skip = self.moved(x)
        skip = skip if self.skip is None else self.skip(skip)
        branch: Tensor = self.conv2(F.silu(h))
        return skip + branch


def haar(x: Tensor) -> Tensor:
    """One level of the orthonormal transform: (B, C, H, W) -> (B, 4 C, H / 2, W / 2).

    The bands stand one after the other: means, then differences of columns, of rows, of both.
    """
    a, b, c, d = (x[..., row::2, column::2] for row in (0, 1) for column in (0, 1))
    return torch.cat([a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d], dim=1) / 2


def inverse_haar(x: Tensor) -> Tensor:
    """The inverse of `haar`: (B, 4 C, H, W) -> (B, C, 2 H, 2 W)."""
    means, columns, rows, both = (x / 2).chunk(4, dim=1)
    pixels = [
        means + columns + rows + both,
        means - columns + rows - both,
        means + columns - rows - both,
        means - columns - rows + both,
    ]
    return F.pixel_shuffle(torch.stack(pixels, dim=2).flatten(1, 2), 2)
