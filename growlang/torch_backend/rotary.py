"""Rotary positions (arXiv 2104.09864): pairs of channels of queries and keys are turned."""

from __future__ import annotations

import torch
from torch import Tensor

Turn = tuple[float, tuple[int, ...], int]
"""The fields of a `Rope`: theta, sides, skipped."""


def rotate(q: Tensor, k: Tensor, rope: Turn, channels: int) -> tuple[Tensor, Tensor]:
    """Queries and keys (B, heads, length, head), of which the first `channels` are turned.

    Of fewer tokens than the rope has, they are the first ones.
    """
    wide = torch.promote_types(q.dtype, torch.float32)
    angle = angles(rope, channels, q.device, wide)[: q.shape[2], None]
    cos, sin = angle.cos().to(q.dtype), angle.sin().to(q.dtype)
    return _turned(q, cos, sin), _turned(k, cos, sin)


def angles(rope: Turn, channels: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(length, channels / 2) radians: of each pair of channels; of two axes rows come first."""
    theta, positions, skipped = rope
    each = channels // len(positions)
    steps = torch.arange(0, each, 2, device=device, dtype=dtype) / each
    frequencies = theta**-steps
    sides = [torch.arange(n, device=device, dtype=dtype) for n in positions]
    places = torch.cartesian_prod(*sides).reshape(-1, len(sides))
    turned = (places[:, :, None] * frequencies).flatten(1)
    return torch.cat([turned.new_zeros(skipped, turned.shape[1]), turned])


def _turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Heads stay together in memory, as they are mapped: (B, length, heads, head)."""
    x = x.transpose(1, 2)
    front = x[..., : 2 * cos.shape[-1]]
    even, odd = front.reshape(*front.shape[:-1], -1, 2).unbind(-1)
    turned = torch.stack((even * cos - odd * sin, odd * cos + even * sin), dim=-1).flatten(-2)
    rest = x[..., turned.shape[-1] :]
    whole = torch.cat([turned, rest], dim=-1) if rest.shape[-1] else turned
    return whole.transpose(1, 2)
