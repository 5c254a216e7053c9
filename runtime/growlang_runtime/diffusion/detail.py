"""Images of a net with retained ends while they are drawn: what is clipped, and detail.

`joints` are the ratios by which the generations follow each other, from the smallest images on;
a net without retained ends has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from growlang.ops.generations import Upsample
from growlang.torch_backend.generations import pooled, upsampled


class Joint(NamedTuple):
    """How a generation is joined to the one before it."""

    factor: int
    """Ratio of the sides of their images."""
    upsample: Upsample


def clipped(x: Tensor, joints: Sequence[Joint]) -> Tensor:
    """A denoised image, clipped to [-1, 1]: of retained ends the first's part, never the detail.

    With x_0 the image of the first generation: x changes by what the clipping of x_0 does to U x_0.
    """
    if not joints:
        return x.clamp(-1, 1)
    factor, how = joints[-1]
    low = pooled(x, factor)
    return x + upsampled(clipped(low, joints[:-1]) - low, factor, how)


def with_detail(x: Tensor, joints: Sequence[Joint], scale: float) -> Tensor:
    """Images or noise (B, C, H, W) whose detail, in every generation but the first, is scaled.

    With x_0 that of the generation before, so scaled: U x_0 + scale * H x. Without joints there is
    no detail, and a scale of 1 changes nothing.
    """
    if scale == 1 or not joints:
        return x
    factor, how = joints[-1]
    low = pooled(x, factor)
    detail = x - upsampled(low, factor, how)
    return upsampled(with_detail(low, joints[:-1], scale), factor, how) + scale * detail
