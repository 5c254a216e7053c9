"""Which noise levels a net is trained on, as a distribution over the times of a schedule."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from growlang.spec.levels import Levels, LogitNormal, LogNormal
from growlang_runtime.diffusion.noise import NoiseSchedule

RAREST = 1e-9
"""The least probability of a lower, and of a higher level: 6 standard deviations."""


def trained_at(levels: Levels, schedule: NoiseSchedule, u: Tensor) -> Tensor:
    """Times of levels from uniform numbers u in [0, 1), float64; they rise with u.

    The quantiles of the distribution, so that numbers spread evenly give levels that are.
    """
    if isinstance(levels, LogitNormal):
        return torch.sigmoid(levels.mean + levels.std * _normal(u))
    if isinstance(levels, LogNormal):
        return schedule.time(-2 * (levels.mean + levels.std * _normal(u)))
    return u


def nats(levels: Levels, schedule: NoiseSchedule, t: Tensor) -> Tensor:
    """Nats of log-SNR by probability at the times t: one over the density of levels; float64."""
    if isinstance(levels, LogNormal):
        return 1 / _density(schedule.log_snr(t), -2 * levels.mean, 2 * levels.std)
    slope: Tensor = schedule.slope(t)
    if isinstance(levels, LogitNormal):
        t = t.double()
        slope = slope * t * (1 - t) / _density(torch.logit(t), levels.mean, levels.std)
    return slope


def _normal(u: Tensor) -> Tensor:
    """Quantiles of the standard normal distribution, float64."""
    quantiles: Tensor = torch.special.ndtri(u.double().clamp(RAREST, 1 - RAREST))
    return quantiles


def _density(x: Tensor, mean: float, std: float) -> Tensor:
    """The density of a normal distribution."""
    density: Tensor = torch.exp(-((x - mean) / std).square() / 2)
    return density / (std * math.sqrt(2 * math.pi))
