"""Classifier-free guidance, in an interval of noise levels and with rescaled predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

Predict = Callable[..., Tensor]
"""x_t (N, C, H, W) and what the net reads of the log-SNR (N,), and of the level -> a prediction."""


class Guidance(NamedTuple):
    """How predictions are guided."""

    scale: float = 1.0
    """1 is no guidance."""
    interval: tuple[float, float] = (0.0, 1.0)
    """Times, 1 being noise, between which it applies; elsewhere the scale is 1."""
    rescale: float = 0.0
    """Share of the prediction that has the standard deviation of the one with the condition."""

    def at(self, time: float) -> float:
        """The scale at a time."""
        low, high = self.interval
        return self.scale if low <= time <= high else 1.0


def guided(
    under: Callable[[Mapping[str, Tensor]], Predict],
    given: Mapping[str, Tensor],
    null: Mapping[str, Tensor],
    guidance: Guidance,
) -> Callable[[float], Predict]:
    """The prediction at a time: null + s (given - null) (arXiv 2207.12598).

    `under` gives the prediction under conditions, inputs of the net by name; those that `null`
    lacks are the same in both predictions. Where the scale is 1,
    the net is evaluated once for each image, else twice. What stands behind the channels of the
    image, a learned variance, is that of the prediction with the condition.
    """
    alone = under(given)
    if guidance.scale == 1 or not given:
        return lambda time: alone
    twice_given = {n: torch.cat([value, null.get(n, value)]) for n, value in given.items()}
    both = under(twice_given)

    def predict(x_t: Tensor, *levels: Tensor) -> Tensor:
        twice = (value.repeat(2) for value in levels)
        found, width = both(x_t.repeat(2, 1, 1, 1), *twice), x_t.shape[1]
        with_, without = found[:, :width].chunk(2)
        moved = rescaled(without + guidance.scale * (with_ - without), with_, guidance.rescale)
        variance = found[: len(x_t), width:]
        return torch.cat([moved, variance], 1) if variance.shape[1] else moved

    return lambda time: alone if guidance.at(time) == 1 else predict


def rescaled(guided: Tensor, given: Tensor, share: float) -> Tensor:
    """A guided prediction (N, C, H, W), `share` of it with the standard deviation of `given`.

    arXiv 2305.08891, eq. 15 and 16: over all pixels and channels of each image.
    """
    if share == 0:
        return guided
    own, wanted = (x.flatten(1).std(dim=1).view(-1, 1, 1, 1) for x in (guided, given))
    return guided * (1 - share + share * wanted / own)
