"""Standard normal numbers of the draws of a run, made by the device that needs them.

Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) in arithmetic
of int64 that never overflows, so that every device has the same integers; then Box-Muller in
float32, whose logarithm and sines differ between devices in the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import torch
from torch import Tensor

ROUNDS = 10
MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
INCREMENTS = 0x9E3779B9, 0xBB67AE85
MASK = (1 << 32) - 1
CHUNK = {"cpu": 1 << 14}
"""Blocks that are made at once: on a CPU as many as its cache holds."""
MOST = 1 << 22
"""Of other devices, which need 0.5 GiB for them."""

Counter = tuple[Tensor, Tensor, Tensor, Tensor]


def philox(counter: Counter, key: tuple[int, int]) -> Counter:
    """The four words of each block: int64 tensors of numbers of 32 bits, which broadcast."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        high0, low0 = _product(c0, MULTIPLIERS[0])
        high1, low1 = _product(c2, MULTIPLIERS[1])
        c0, c2 = (high1 ^ c1).bitwise_xor_(k0), (high0 ^ c3).bitwise_xor_(k1)
        c1, c3 = low1, low0
        k0, k1 = k0 + INCREMENTS[0] & MASK, k1 + INCREMENTS[1] & MASK
    return c0, c1, c2, c3


def _product(x: Tensor, factor: int) -> tuple[Tensor, Tensor]:
    """High and low 32 bits of x times a factor of at least 2^31.

    x (factor - 2^32) fits into 63 bits, where x factor does not; x 2^32 is added to its high part.
    """
    product = x * (factor - (1 << 32))
    low = product & MASK
    return (product >> 32).add_(x).bitwise_and_(MASK), low


@lru_cache(maxsize=256)
def key_of(seed: int, stream: int) -> tuple[int, int]:
    """The generator's key for a stream of a run."""
    digest = blake2b(f"{seed}\0{stream}".encode(), digest_size=8).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")


def normals(
    seed: int, stream: int, draws: Sequence[int], shape: tuple[int, ...], device: torch.device
) -> Tensor:
    """Standard normal numbers of `shape` for each draw: (B, *shape) float32 on the device.

    Block b of draw p has the counter (b, p), each of 64 bits, and four numbers. They depend
    neither on the other draws nor on how many are made at once.
    """
    numbers = math.prod(shape)
    blocks = -(-numbers // 4)
    found = torch.empty(len(draws), blocks, 4, dtype=torch.float32, device=device)
    chunk = CHUNK.get(device.type, MOST)
    rows = max(1, chunk // blocks)
    key = key_of(seed, stream)
    for row in range(0, len(draws), rows):
        draw = _draws(draws[row : row + rows], device)
        for first in range(0, blocks, chunk):
            block = torch.arange(first, min(first + chunk, blocks), device=device)[None]
            words = philox((block & MASK, block >> 32, draw & MASK, draw >> 32), key)
            place = found[row : row + rows, first : first + chunk]
            for at in (0, 2):
                cosine, sine = box_muller(words[at], words[at + 1])
                place[..., at], place[..., at + 1] = cosine, sine
    return found.view(len(draws), -1)[:, :numbers].reshape(len(draws), *shape)


def _draws(draws: Sequence[int], device: torch.device) -> Tensor:
    """Numbers of draws as (B, 1) int64; those of a range are made on the device."""
    if isinstance(draws, range):
        return torch.arange(draws.start, draws.stop, draws.step, device=device)[:, None]
    return torch.tensor(list(draws), device=device)[:, None]


def box_muller(u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Two independent normal numbers, float32, of two words of 32 bits each."""
    radius = torch.sqrt(-2 * torch.log((u.float() + 0.5) * 2.0**-32))
    angle = v.float() * (2 * math.pi * 2.0**-32)
    return radius * torch.cos(angle), radius * torch.sin(angle)
