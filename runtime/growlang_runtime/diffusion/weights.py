"""Weights of the loss by noise level, in the log domain: factors may leave float32's range."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from growlang.spec.objectives import (
    AnyWeight,
    EDMWeight,
    MinSNR,
    Sigmoid,
    SNRPlusOne,
    SoftMinSNR,
    Velocity,
)
from growlang_runtime.diffusion.noise import log_x_error


def log_x_weight(weight: AnyWeight, log_snr: Tensor, nats: Callable[[], Tensor]) -> Tensor:
    """Log of the weight of the squared error in x, (B,) float64.

    `nats` gives those of log-SNR by probability, which a weight over the log-SNR needs.
    """
    if isinstance(weight, MinSNR):  # arXiv 2303.09556, section 3.4
        return log_snr.clamp(max=math.log(weight.gamma))
    if isinstance(weight, SNRPlusOne):  # arXiv 2202.00512, section 4
        return -log_x_error(log_snr, "v").clamp(min=-math.log(weight.limit))
    if isinstance(weight, Velocity):  # the error in eps - x is that in x over -t
        most = math.inf if weight.limit is None else math.log(weight.limit)
        return (-2 * logsigmoid(-log_snr / 2)).clamp(max=most)
    if isinstance(weight, Sigmoid):  # arXiv 2410.19324: a weight over the log-SNR, hence half of
        # it over the density of the levels (arXiv 2303.00848, section 2).
        log_weight = log_snr + logsigmoid(weight.bias - log_snr)
        return log_weight + torch.log(0.5 * nats())
    if isinstance(weight, SoftMinSNR):  # arXiv 2401.11605, section 3.3
        limit = log_snr.new_full((), math.log(weight.gamma))
        return log_snr + limit - torch.logaddexp(log_snr, limit)
    if isinstance(weight, EDMWeight):  # arXiv 2206.00364, table 1
        return torch.logaddexp(log_snr, log_snr.new_full((), -2 * math.log(weight.sigma_data)))
    return -log_x_error(log_snr, weight)
