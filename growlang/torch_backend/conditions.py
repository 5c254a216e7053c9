"""Modules of the conditions, and the sines of positions."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn

from growlang.net import Shape
from growlang.ops import Scope, conditions
from growlang.torch_backend.layers import Device, Embedding
from growlang.torch_backend.registration import builds


@builds("words")
class Words(nn.Module):
    """(B, length) ids -> (B, length, width)."""

    def __init__(self, op: conditions.Words, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        self.embedding = Embedding(op.vocabulary + 1, op.width, device=device)

    def forward(self, ids: Tensor) -> Tensor:
        """One row of the table per id."""
        out: Tensor = self.embedding(ids)
        return out


@builds("classes")
class Classes(nn.Module):
    """(B,) labels -> (B, 1, width)."""

    def __init__(self, op: conditions.Classes, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        self.embedding = Embedding(op.n + op.null, op.width or 0, device=device)

    def forward(self, label: Tensor) -> Tensor:
        """One row of the table per label."""
        out: Tensor = self.embedding(label[:, None])
        return out


def sincos(x: Tensor, height: int | None, width: int | None, column_first: bool = False) -> Tensor:
    """Position embedding of tokens (B, length, channels), shaped (length, channels).

    Of row and column, half of the channels each, for tokens of a height x width grid
    (MAE, arXiv 2111.06377, appendix), those of the column first where it is so told; of the index
    otherwise (arXiv 1706.03762, section 3.5).
    """
    length, channels = x.shape[1:]
    index = torch.arange(length, device=x.device, dtype=torch.float32)
    if height is None or width is None:
        return _waves(index, channels).to(x.dtype)
    rows, columns = index.div(width, rounding_mode="floor"), index.remainder(width)
    halves = [_waves(rows, channels // 2), _waves(columns, channels // 2)]
    return torch.cat(halves[::-1] if column_first else halves, dim=1).to(x.dtype)


def _waves(index: Tensor, channels: int) -> Tensor:
    """(length,) -> (length, channels): sines, then cosines, with periods up to 10,000 tokens."""
    exponents = torch.arange(channels // 2, device=index.device) / (channels // 2)
    angles = index[:, None] * (-log(10_000) * exponents).exp()
    return torch.cat([angles.sin(), angles.cos()], dim=1)
