"""Modules that join generations: D, U and H, and the predictions of two sizes as one.

Images are (B, C, H, W); the log-SNR of the largest is (B,) float64, and stays so until the factors
of images are made of it. The formulas are those of `growlang.ops.generations`.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from growlang.net import Shape
from growlang.ops import Scope, generations
from growlang.ops.generations import Upsample
from growlang.torch_backend.layers import Device
from growlang.torch_backend.registration import builds

IMPULSE = 13
"""Side of the image, in pixels, in whose middle the response of U to one pixel is taken."""


def pooled(x: Tensor, factor: int) -> Tensor:
    """D: the mean of each `factor` x `factor` pixels, (B, C, H / factor, W / factor)."""
    return F.avg_pool2d(x, factor)


def upsampled(x: Tensor, factor: int, how: Upsample) -> Tensor:
    """U: (B, C, H * factor, W * factor) whose `pooled` is x.

    A bicubic of Keys (1981), whose means are then set right by adding a constant to each block.
    """
    if how == "nearest":
        return _nearest(x, factor)
    smooth = _bicubic(x, factor)
    return smooth + _nearest(x - pooled(smooth, factor), factor)


def _bicubic(x: Tensor, factor: int) -> Tensor:
    """By maps of rows and columns where determinism is asked for: CUDA's kernel has none."""
    if x.device.type == "cpu" or not torch.are_deterministic_algorithms_enabled():
        return F.interpolate(x, scale_factor=float(factor), mode="bicubic")
    return mapped(x, factor)


def mapped(x: Tensor, factor: int) -> Tensor:
    """The bicubic of (B, C, H, W) as two products of matrices, in the dtype of x."""
    rows, columns = (_weights(side, factor, x.device, x.dtype) for side in x.shape[-2:])
    with torch.autocast(x.device.type, enabled=False):
        return rows @ x @ columns.T


@cache
def _weights(side: int, factor: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(side * factor, side): what each pixel has in those that are made of a side."""
    eye = torch.eye(side, dtype=torch.float64).view(1, side, 1, side)
    wide = F.interpolate(eye, scale_factor=(1.0, float(factor)), mode="bicubic")
    return wide.view(side, -1).T.to(device, dtype)


def _nearest(x: Tensor, factor: int) -> Tensor:
    return F.interpolate(x, scale_factor=float(factor), mode="nearest")


def high(x: Tensor, factor: int, how: Upsample) -> Tensor:
    """H: what of x is lost between D and U, of the shape of x; its `pooled` is zero."""
    return x - upsampled(pooled(x, factor), factor, how)


@cache
def noise_in_detail(factor: int, how: Upsample) -> float:
    """The mean square of H on white noise: 1 - 2 / k^2 + |U e|^2 / k^4, with e one pixel.

    For `nearest` it is 1 - 1 / k^2.
    """
    pixel = torch.zeros(1, 1, IMPULSE, IMPULSE, dtype=torch.float64)
    pixel[0, 0, IMPULSE // 2, IMPULSE // 2] = 1
    response = float(upsampled(pixel, factor, how).square().sum())
    return 1 - 2 / factor**2 + response / factor**4


class Levels(NamedTuple):
    """Factors at one noise level and a ratio k of sizes, (B,) float64."""

    a: Tensor
    """Of the image."""
    s: Tensor
    """Of the noise."""
    rho: Tensor
    """Root of the squared factors that D x has: a^2 + s^2 / k^2."""


def levels(log_snr: Tensor, above: int, factor: int) -> Levels:
    """The factors of the image that is `above` times smaller than the one at this log-SNR."""
    own = log_snr.double() + 2 * math.log(above)
    signal, noise = torch.sigmoid(own), torch.sigmoid(-own)
    return Levels(signal.sqrt(), noise.sqrt(), (signal + noise / factor**2).sqrt())


def _over(values: Tensor, like: Tensor) -> Tensor:
    """Values (B,) or (B, C) as (B, C or 1, 1, 1) in the dtype of `like`."""
    return values.to(like.dtype).reshape(len(values), -1, 1, 1)


@builds("reduce")
class Reduce(nn.Module):
    """(B, C, H, W) and (B,) -> (B, C, H / k, W / k)."""

    def __init__(self, op: generations.Reduce, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        self.factor, self.above = op.factor, op.above

    def forward(self, x: Tensor, log_snr: Tensor) -> Tensor:
        """D x / rho."""
        rho = levels(log_snr, self.above, self.factor).rho
        return pooled(x, self.factor) / _over(rho, x)


@builds("refine")
class Refine(nn.Module):
    """Predictions (B, C, H / k, W / k), Z and x (B, C, H, W), log-SNR (B,) -> (B, C, H, W).

    With `detail = none` there is no Z.
    """

    def __init__(self, op: generations.Refine, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        self.factor, self.above = op.factor, op.above
        self.predict, self.upsample, self.detail = op.predict, op.upsample, op.detail
        self.detail_variance = nn.Parameter(torch.empty(x.width, device=device))

    def forward(self, p: Tensor, *others: Tensor) -> Tensor:
        """U and H are linear: one upsampling does for all terms."""
        *detail, x, log_snr = others
        at = levels(log_snr, self.above, self.factor)
        low = self._low(p.to(x.dtype), x, at)
        guess = _over(self._guess(at), x) * x
        z = detail[0].to(x.dtype) if detail else 0.0
        if self.detail == "free":
            return z + self._with_means(guess, low)
        return self._with_means(guess + z, low)

    def _with_means(self, y: Tensor, low: Tensor) -> Tensor:
        """H y + U low."""
        means = low - pooled(y, self.factor)
        return y + upsampled(means, self.factor, self.upsample)

    def _low(self, p: Tensor, x: Tensor, at: Levels) -> Tensor:
        """The prediction of the generation before, as one for the larger image."""
        k = self.factor
        if self.predict == "x":
            return p
        if self.predict == "eps":
            return p / k
        of_x = at.a * at.s * (1 - 1 / k**2) / at.rho.square()
        return p / _over(k * at.rho, p) - _over(of_x, p) * pooled(x, k)

    def _guess(self, at: Levels) -> Tensor:
        """What H x is multiplied by for the best linear guess of the detail, (B, C) float64."""
        a, s = at.a[:, None], at.s[:, None]
        variance = self.detail_variance.double()
        q = a.square() * variance + s.square()
        if self.predict == "x":
            return a * variance / q
        return s / q if self.predict == "eps" else a * s * (1 - variance) / q


@builds("fade")
class Fade(nn.Module):
    """Two values (B, C, H, W) and w (B,) -> (B, C, H, W)."""

    def __init__(self, op: generations.Fade, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()

    def forward(self, old: Tensor, new: Tensor, weight: Tensor) -> Tensor:
        """w old + new."""
        return _over(weight, old) * old + new
