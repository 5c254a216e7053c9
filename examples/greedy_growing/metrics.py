"""How close samples are to the true images: retrieval@1, error, and correlation of the details.

Images are (N, C, H, W) in [-1, 1]. Details are what 32 px cannot show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from sets import SMALL
from torch import Tensor
from torch.nn.functional import avg_pool2d, cosine_similarity, interpolate

from growlang_runtime.evaluation.retrieval import nearest


class Scores(NamedTuple):
    """Samples of some objects against the true images."""

    hits: float
    """Of how many objects the own image is the nearest of all to a sample, pooled to 16 x 16.

    With several samples of each object, the mean over those.
    """
    objects: int
    rmse: float
    """Root of the mean square difference of all values, which are in [-1, 1]."""
    detail: float
    """Correlation of the details with the true ones, averaged over the samples."""
    amplitude: float
    """How strong the details are: their norm over that of the true ones."""


def scores(samples: Tensor, real: Tensor, places: Sequence[int]) -> Scores:
    """The scores of samples (objects, draws, C, h, w), of which row i is to show `places[i]`.

    `real` are the true images (N, C, H, W) of all objects; smaller samples are upsampled.
    """
    draws = samples.shape[1]
    large = upsampled(samples.flatten(0, 1), real.shape[-1])
    each = [place for place in places for _ in range(draws)]
    own = real[each]
    found, true = details(large), details(own)
    hits = sum(found == place for found, place in zip(nearest(large, real), each, strict=True))
    return Scores(
        hits=hits / draws,
        objects=len(places),
        rmse=(large - own).square().mean().sqrt().item(),
        detail=cosine_similarity(found, true).mean().item(),
        amplitude=(found.norm() / true.norm()).item(),
    )


def downsampled(x: Tensor) -> Tensor:
    """D x: the mean of each block of pixels that 32 px show as one."""
    return avg_pool2d(x, x.shape[-1] // SMALL)


def upsampled(x: Tensor, side: int) -> Tensor:
    """U x: bicubic to a side, and what that changes of the blocks' means put right: D U x = x.

    U x = B x + N (x - D B x), with B bicubic and N nearest-neighbour upsampling.
    """
    if x.shape[-1] == side:
        return x
    bicubic = interpolate(x, size=(side, side), mode="bicubic")
    return bicubic + _replicated(x - avg_pool2d(bicubic, side // x.shape[-1]), side)


def details(x: Tensor) -> Tensor:
    """(N, C H W): what D removes of images, x - N D x.

    Its mean is 0 over each block, so the cosine of two details is their correlation.
    """
    return (x - _replicated(downsampled(x), x.shape[-1])).flatten(1)


def without_detail(samples: Tensor) -> Tensor:
    """D of samples (objects, draws, C, H, W)."""
    return torch.stack([downsampled(some) for some in samples])


def _replicated(x: Tensor, side: int) -> Tensor:
    """N x: nearest-neighbour upsampling."""
    return interpolate(x, size=(side, side), mode="nearest")
