"""How close samples are to the true images: retrieval@1, error, and correlation of the details.

Images are (N, C, H, W) in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import avg_pool2d, cosine_similarity, interpolate

from growlang_runtime.evaluation.retrieval import nearest

FACTOR = 2
"""By how much the high resolution exceeds the low one."""


class Scores(NamedTuple):
    """Samples of some objects against the true images."""

    hits: int
    """Of how many samples the object's own image is the nearest of all, pooled to 16 x 16."""
    objects: int
    rmse: float
    """Root of the mean square difference of all values, which are in [-1, 1]."""
    detail: float
    """Correlation of the details with the true ones, averaged over the objects."""
    amplitude: float
    """How strong the details are: their norm over that of the true ones."""


def scores(samples: Tensor, real: Tensor, places: Sequence[int]) -> Scores:
    """The scores of samples, of which number i is to show the object `real[places[i]]`.

    Samples of half of the true images' side are upsampled.
    """
    large = samples if samples.shape[-1] == real.shape[-1] else upsampled(samples)
    own = real[list(places)]
    found, true = details(large), details(own)
    return Scores(
        hits=sum(found == place for found, place in zip(nearest(large, real), places, strict=True)),
        objects=len(places),
        rmse=(large - own).square().mean().sqrt().item(),
        detail=cosine_similarity(found, true).mean().item(),
        amplitude=(found.norm() / true.norm()).item(),
    )


def downsampled(x: Tensor) -> Tensor:
    """D x: the mean of each block of 2 x 2 pixels."""
    return avg_pool2d(x, FACTOR)


def upsampled(x: Tensor) -> Tensor:
    """U x: bicubic by 2, and what that changes of the blocks' means put right, so that D U x = x.

    U x = B x + N (x - D B x), with B bicubic and N nearest-neighbour upsampling.
    """
    bicubic = interpolate(x, scale_factor=FACTOR, mode="bicubic")
    return bicubic + _replicated(x - downsampled(bicubic))


def details(x: Tensor) -> Tensor:
    """(N, C H W): what D removes of images, x - N D x.

    Its mean is 0 over each block, so the cosine of two details is their correlation.
    """
    return (x - _replicated(downsampled(x))).flatten(1)


def _replicated(x: Tensor) -> Tensor:
    """N x: nearest-neighbour upsampling by 2."""
    return interpolate(x, scale_factor=FACTOR, mode="nearest")
