"""Modules of the changes of resolution. Values are (B, C, H, W), contiguous."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from growlang.net import Shape
from growlang.ops import Scope, resolution
from growlang.torch_backend.layers import Conv2d, Device
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
