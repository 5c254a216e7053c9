"""Noise levels: log-SNR over time, and conversions between the predictions x, v and eps.

Variance preserving: x_t = alpha x + sigma eps with alpha^2 = sigmoid(log-SNR) and
sigma^2 = sigmoid(-log-SNR). Everything is a function of the log-SNR, in nats, in float64, so that
the ends (|log-SNR| near 20) keep their digits. v = alpha eps - sigma x (arXiv 2202.00512).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from growlang.diagnostics import GrowlangError
from growlang.signatures.installed import attribute
from growlang.spec.schedules import Cosine, CosineBeta, Interpolated, LinearBeta, Schedule

Prediction = Literal["x", "v", "eps"]

LONGEST = 30.0
"""Nats of log-SNR on either side of 0 that a path has whose ends are at infinity."""
BITS = 54
"""Halvings of [0, 1] after which float64 has no time between."""


class NoiseSchedule(ABC):
    """Log-SNR over time t in [0, 1], in nats, in float64."""

    def nearest(self, t: Tensor) -> Tensor:
        """The times of levels that a net is trained at, of those that were drawn in [0, 1)."""
        return t

    def sampled_at(self, steps: int) -> Tensor:
        """The times at which samplers evaluate a net, rising to 1, float64: n / steps."""
        return evenly(steps)

    @abstractmethod
    def log_snr(self, t: Tensor) -> Tensor:
        """Log-SNR at t, float64; falls with t."""

    def reference(self, t: Tensor) -> Tensor:
        """Log-SNR that a net reads with `embed = reference`, float64."""
        return self.log_snr(t)

    def slope(self, t: Tensor) -> Tensor:
        """-d log-SNR / dt at t, float64, positive."""
        with torch.enable_grad():
            at = t.double().detach().requires_grad_()
            (slope,) = torch.autograd.grad(self.log_snr(at).sum(), at)
        return -slope

    def time(self, log_snr: Tensor) -> Tensor:
        """The t in [0, 1] of a log-SNR, float64; the nearest end of what lies outside."""
        low, high = torch.zeros_like(log_snr.double()), torch.ones_like(log_snr.double())
        for _ in range(BITS):
            middle = (low + high) / 2
            is_later = self.log_snr(middle) > log_snr
            low, high = torch.where(is_later, middle, low), torch.where(is_later, high, middle)
        return high


@dataclass(frozen=True)
class ShiftedCosine(NoiseSchedule):
    """An unshifted cosine plus a shift linear in t.

    The cosine is eq. 2 of simple diffusion (arXiv 2301.11093) with its ends cut at `low` and
    `high`. A constant shift is its eq. 5; two shifts, interpolated over t, its eq. 7.
    """

    low: float
    """Log-SNR at t = 1, before the shift."""
    high: float
    """Log-SNR at t = 0, before the shift."""
    shift_at_0: float
    shift_at_1: float

    def shift(self, t: Tensor) -> Tensor:
        """Shift of the log-SNR at t: what separates this resolution from the reference."""
        t = t.double()
        return self.shift_at_0 + (self.shift_at_1 - self.shift_at_0) * t

    def reference(self, t: Tensor) -> Tensor:
        """Log-SNR before the shift, float64."""
        return -2.0 * torch.log(torch.tan(self._angle(t)))

    def log_snr(self, t: Tensor) -> Tensor:
        """Log-SNR at t, float64; falls with t."""
        return self.reference(t) + self.shift(t)

    def slope(self, t: Tensor) -> Tensor:
        """-d log-SNR / dt at t, float64, positive."""
        fall = 4.0 * self._span / torch.sin(2.0 * self._angle(t))
        return fall + self.shift_at_0 - self.shift_at_1

    def time(self, log_snr: Tensor) -> Tensor:
        """The t in [0, 1] of a log-SNR, float64; the nearest end of what lies outside."""
        if self.shift_at_0 != self.shift_at_1:
            return super().time(log_snr)
        angle = torch.atan(torch.exp((self.shift_at_0 - log_snr.double()) / 2))
        return ((angle - self._angle(torch.zeros_like(angle))) / self._span).clamp(0, 1)

    @property
    def _span(self) -> float:
        return math.atan(math.exp(-self.low / 2)) - math.atan(math.exp(-self.high / 2))

    def _angle(self, t: Tensor) -> Tensor:
        return math.atan(math.exp(-self.high / 2)) + t.double() * self._span


@dataclass(frozen=True)
class Line(NoiseSchedule):
    """The log-SNR of (1 - s) x + s eps, with s = shift t / (1 + (shift - 1) t).

    2 ln((1 - s) / s) = 2 ln((1 - t) / t) - 2 ln(shift), within `LONGEST` nats at the ends, where
    it would be infinite (arXiv 2403.03206, eq. 23).
    """

    shift: float

    def reference(self, t: Tensor) -> Tensor:
        """Log-SNR without the shift, float64."""
        least = math.exp(-LONGEST / 2)
        return 2 * torch.logit(1 - t.double().clamp(least, 1 - least))

    def log_snr(self, t: Tensor) -> Tensor:
        """Log-SNR at t, float64; falls with t."""
        return self.reference(t) - 2 * math.log(self.shift)

    def slope(self, t: Tensor) -> Tensor:
        """-d log-SNR / dt at t, float64, positive."""
        t = t.double()
        return 2 / (t * (1 - t))

    def time(self, log_snr: Tensor) -> Tensor:
        """The t in [0, 1] of a log-SNR, float64."""
        return torch.sigmoid(-log_snr.double() / 2 - math.log(self.shift))


@dataclass(frozen=True)
class Discrete(NoiseSchedule):
    """Log-SNR at the times n / N, n = 1 ... N; linear between them, and before the first."""

    table: Tensor
    """Log-SNR at n / N, (N,) float64 on the CPU, falling."""

    def log_snr(self, t: Tensor) -> Tensor:
        """Log-SNR at t, float64; falls with t."""
        first = 2 * self.table[:1] - self.table[1:2]
        table = torch.cat([first, self.table]).to(t.device, non_blocking=True)
        place = t.double() * len(self.table)
        before = place.detach().floor().long().clamp(0, len(self.table) - 1)
        return table[before] + (place - before) * (table[before + 1] - table[before])

    def nearest(self, t: Tensor) -> Tensor:
        """Each of equal parts of [0, 1) as the level at its end."""
        count = len(self.table)
        return ((t.double() * count).floor() + 1).clamp(1, count) / count

    def sampled_at(self, steps: int) -> Tensor:
        """Those of N levels that are nearest to n / steps. Raises GrowlangError if N is less."""
        count = len(self.table)
        if steps > count:
            raise GrowlangError(
                f"{steps} steps are more than the {count} noise levels of the schedule",
                help=f"use at most {count} steps",
            )
        return (evenly(steps) * count).round() / count


def linear_beta(declared: LinearBeta, size: int) -> Discrete:
    """The levels of DDPM, which know of no size."""
    return linear_levels(declared.start, declared.end, declared.steps)


def cosine_beta(declared: CosineBeta, size: int) -> Discrete:
    """The levels of improved DDPM, which know of no size."""
    return cosine_levels(declared.steps, declared.offset, declared.most)


def linear_levels(start: float, end: float, steps: int) -> Discrete:
    """The levels of betas in equal steps from start to end."""
    return _of_betas(torch.linspace(start, end, steps, dtype=torch.float64))


def cosine_levels(steps: int, offset: float, most: float) -> Discrete:
    """The levels of a cosine, whose betas are at most `most`."""
    times = torch.arange(steps + 1, dtype=torch.float64) / steps
    angles = (times + offset) / (1 + offset) * math.pi / 2
    signal = torch.cos(angles).square()
    return _of_betas((1 - signal[1:] / signal[:-1]).clamp(max=most))


def _of_betas(betas: Tensor) -> Discrete:
    """The levels after steps of these betas, (N,) float64."""
    log_signal = torch.log1p(-betas).cumsum(0)
    return Discrete(log_signal - torch.log(-torch.expm1(log_signal)))


@dataclass(frozen=True)
class Powers(NoiseSchedule):
    """Sigma^(1 / rho) linear in t (arXiv 2206.00364, eq. 5); log-SNR = -2 ln sigma."""

    least: float
    """Sigma at t = 0."""
    most: float
    """Sigma at t = 1."""
    rho: float

    def log_snr(self, t: Tensor) -> Tensor:
        """Log-SNR at t, float64; falls with t."""
        return -2 * self.rho * torch.log(self._first + t.double() * self._span)

    def slope(self, t: Tensor) -> Tensor:
        """-d log-SNR / dt at t, float64, positive."""
        return 2 * self.rho * self._span / (self._first + t.double() * self._span)

    def time(self, log_snr: Tensor) -> Tensor:
        """The t in [0, 1] of a log-SNR, float64; the nearest end of what lies outside."""
        root = torch.exp(-log_snr.double() / (2 * self.rho))
        return ((root - self._first) / self._span).clamp(0, 1)

    def sampled_at(self, steps: int) -> Tensor:
        """From 0 to 1, float64: both ends are visited, and a single step is at 1."""
        at = torch.linspace(0, 1, steps, dtype=torch.float64)
        return at if steps > 1 else torch.ones_like(at)

    @property
    def _first(self) -> float:
        return float(self.least ** (1 / self.rho))

    @property
    def _span(self) -> float:
        return float(self.most ** (1 / self.rho) - self._first)


def evenly(steps: int) -> Tensor:
    """The times 1 / steps, ..., 1; float64."""
    return torch.arange(1, steps + 1, dtype=torch.float64) / steps


def noise_schedule(declared: Schedule, size: int) -> NoiseSchedule:
    """The schedule that a spec declares, for images whose shorter side has `size` pixels."""
    schedule: NoiseSchedule = attribute(declared.runtime, declared.call)(declared, size)
    return schedule


def cosine(declared: Cosine, size: int) -> ShiftedCosine:
    """The cosine, by its shift or the size at which there is none."""
    return ShiftedCosine(declared.min, declared.max, *declared.shifts(size))


def interpolated(declared: Interpolated, size: int) -> ShiftedCosine:
    """The cosine between two shifts."""
    return ShiftedCosine(declared.min, declared.max, *declared.shifts(size))


def alpha(log_snr: Tensor) -> Tensor:
    """Factor of the image in x_t, in the dtype of `log_snr`."""
    return torch.sigmoid(log_snr).sqrt()


def sigma(log_snr: Tensor) -> Tensor:
    """Factor of the noise in x_t, in the dtype of `log_snr`."""
    return torch.sigmoid(-log_snr).sqrt()


def over_pixels(values: Tensor, like: Tensor) -> Tensor:
    """Values (B,) as (B, 1, 1, 1) in the dtype and on the device of `like` (B, C, H, W)."""
    return values.to(device=like.device, dtype=like.dtype).view(-1, *([1] * (like.ndim - 1)))


def noisy(x: Tensor, eps: Tensor, log_snr: Tensor) -> Tensor:
    """x_t of images and noise (B, C, H, W) at log-SNR (B,)."""
    return over_pixels(alpha(log_snr), x) * x + over_pixels(sigma(log_snr), x) * eps


def target(x: Tensor, eps: Tensor, log_snr: Tensor, predict: Prediction) -> Tensor:
    """What a network that predicts `predict` should return, (B, C, H, W)."""
    if predict == "x":
        return x
    if predict == "eps":
        return eps
    return over_pixels(alpha(log_snr), x) * eps - over_pixels(sigma(log_snr), x) * x


def to_x(prediction: Tensor, x_t: Tensor, log_snr: Tensor, predict: Prediction) -> Tensor:
    """The denoised image that a prediction means, (B, C, H, W)."""
    if predict == "x":
        return prediction
    a, s = over_pixels(alpha(log_snr), x_t), over_pixels(sigma(log_snr), x_t)
    return (x_t - s * prediction) / a if predict == "eps" else a * x_t - s * prediction


def log_x_error(log_snr: Tensor, predict: Prediction) -> Tensor:
    """Log of the squared error in x over the squared error in `predict`, (B,).

    With errors e: e_x = sigma e_v = (sigma / alpha) e_eps.
    """
    if predict == "x":
        return torch.zeros_like(log_snr)
    return logsigmoid(-log_snr) if predict == "v" else -log_snr
