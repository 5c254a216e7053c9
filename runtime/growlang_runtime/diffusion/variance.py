"""A learned variance of the reverse steps: the part of the loss that trains it.

arXiv 2102.09672, section 3: beside the mean, a net places the log variance of each step between
that of beta~ and that of beta (eq. 15), and learns it by the variational bound.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from growlang_runtime.diffusion.noise import Discrete, over_pixels

SHARE = 0.001
"""Weight of the whole bound, the sum over all levels, beside the loss of the mean (eq. 16)."""
HALF_BIN = 1 / 255
"""Half the distance of two values of 8 bits in [-1, 1]."""
RAREST = 1e-12
"""Least probability of a value: its logarithm is finite."""


class Step(NamedTuple):
    """The step from level n to level n - 1, at log-SNRs (B,) float64; to the image from n = 1."""

    is_last: Tensor
    """Whether it goes to the image, (B,)."""
    log_least: Tensor
    """ln beta~, the variance where the image is known; at n = 1, where it is 0, that of n = 2."""
    log_most: Tensor
    """ln beta, the variance where nothing is known of the image."""
    of_x: Tensor
    """Factor of the image in the mean (arXiv 2006.11239, eq. 7)."""

    @staticmethod
    def at(schedule: Discrete, t: Tensor) -> Step:
        """That of the levels nearest to the times t, (B,) float64."""
        count = len(schedule.table)
        place = (t.double() * count).round().clamp(1, count)
        is_last = place == 1
        now, then = _log_snr(schedule, place), _log_snr(schedule, place - 1)
        log_most = _log_beta(now, then)
        second = place.clamp(min=2)
        now_, then_ = _log_snr(schedule, second), _log_snr(schedule, second - 1)
        log_least = _log_beta(now_, then_) + logsigmoid(-then_) - logsigmoid(-now_)
        of_x = torch.exp(log_most + logsigmoid(then) / 2 - logsigmoid(-now))
        return Step(is_last, log_least, log_most, of_x)


def _log_snr(schedule: Discrete, place: Tensor) -> Tensor:
    """The log-SNR of levels by number; that of number 0, the image, is infinite."""
    return torch.where(place == 0, torch.inf, schedule.log_snr(place / len(schedule.table)))


def _log_beta(now: Tensor, then: Tensor) -> Tensor:
    """ln(1 - alpha_n^2 / alpha_(n-1)^2)."""
    return torch.log(-torch.expm1(logsigmoid(now) - logsigmoid(then)))


def bound(schedule: Discrete, x: Tensor, x_hat: Tensor, place: Tensor, t: Tensor) -> Tensor:
    """What trains the variance: `SHARE` of the number of levels times the bound at t, (B,) float32.

    `x` and `x_hat` are images and what is predicted of them, without gradients; `place` the
    prediction beside it, -1 for beta~ and 1 for beta; all (B, C, H, W) float32. The bound is in
    bits for each value: of the divergence of the step from that of the known image, or of values
    of 8 bits for the step to the image (arXiv 2006.11239, eq. 13).
    """
    step = Step.at(schedule, t)
    least, most, of_x = (over_pixels(v, x) for v in (step.log_least, step.log_most, step.of_x))
    share = (place + 1) / 2
    log_variance = share * most + (1 - share) * least
    away = (of_x * (x - x_hat)).square() * torch.exp(-log_variance)
    divergence = (torch.expm1(least - log_variance) + log_variance - least + away) / 2
    surprise = _surprise(x - x_hat, x, log_variance)
    surprise, divergence = (value.flatten(1).mean(1) for value in (surprise, divergence))
    nats = torch.where(step.is_last.to(x.device), surprise, divergence)
    return nats * (SHARE * len(schedule.table) / math.log(2))


def _surprise(away: Tensor, x: Tensor, log_variance: Tensor) -> Tensor:
    """-ln of the probability of values x of 8 bits, `away` from a mean, under a Gaussian.

    That of 1 is the probability of all above it, that of -1 of all below. Each is a difference of
    the smaller tails, where float32 has its digits.
    """
    scale = torch.exp(-log_variance / 2)
    far = -away.abs()
    inner = _below((far + HALF_BIN) * scale) - _below((far - HALF_BIN) * scale)
    most, least = _below((HALF_BIN - away) * scale), _below((HALF_BIN + away) * scale)
    edge = HALF_BIN / 4
    found = torch.where(x > 1 - edge, most, torch.where(x < edge - 1, least, inner))
    return -torch.log(found.clamp(min=RAREST))


def _below(z: Tensor) -> Tensor:
    """The standard normal distribution; `torch.special.ndtr` has no digits in its lower tail."""
    found: Tensor = torch.special.erfc(z * -math.sqrt(0.5)) / 2
    return found
