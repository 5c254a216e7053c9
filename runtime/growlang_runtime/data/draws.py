"""Which image and which random numbers draw p of a run gets: pure functions of (seed, p).

Draws are counted over the whole run, so nothing here depends on steps, batches, workers or
processes. `permuted` shuffles without a table, `split` deals the draws of a mix to its sources,
and the random numbers come from the counter-based generator Philox: small ones from numpy's, on the
CPU, and noise on the device that trains (growlang_runtime.data.philox).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from hashlib import blake2b
from math import ceil, floor, prod
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from growlang_runtime.data.philox import normals

Stream = Literal["noise", "time", "crop", "flip", "drop", "latent"]

STREAMS: dict[Stream, int] = {
    "noise": 0,
    "time": 1,
    "crop": 2,
    "flip": 3,
    "drop": 4,
    "latent": 5,
}
"""What random numbers are for -> their number in the generator's key. Never renumber."""

ROUNDS = 8
WORD = (1 << 64) - 1


def permuted(seed: int, p: int, n: int, source: str = "") -> int:
    """Index in [0, n) of draw p from n things: permutation(seed, source, p div n)[p mod n]."""
    epoch, place = divmod(p, n)
    return permutation_at(seed, source, epoch, n, place)


def permutation_at(seed: int, source: str, epoch: int, n: int, place: int) -> int:
    """Value in [0, n) of a pseudo-random permutation of [0, n) at `place`, without a table.

    A balanced Feistel network permutes the smallest even number of bits that holds n - 1; what
    falls outside [0, n) is permuted again (cycle walking, Black and Rogaway 2002, section 3).
    """
    half = max(1, ((n - 1).bit_length() + 1) // 2)
    keys = _round_keys(seed, source, epoch, n)
    while True:
        left, right = place >> half, place & ((1 << half) - 1)
        for key in keys:
            left, right = right, left ^ (_mixed(right ^ key) >> (64 - half))
        place = left << half | right
        if place < n:
            return place


@lru_cache(maxsize=256)
def _round_keys(seed: int, source: str, epoch: int, n: int) -> tuple[int, ...]:
    digest = blake2b(f"{seed}\0{source}\0{epoch}\0{n}".encode(), digest_size=8 * ROUNDS).digest()
    return tuple(int.from_bytes(digest[i : i + 8], "little") for i in range(0, len(digest), 8))


def _mixed(value: int) -> int:
    """The finaliser of SplitMix64 (Steele et al. 2014): each bit reaches all the others."""
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & WORD
    value = (value ^ value >> 27) * 0x94D049BB133111EB & WORD
    return value ^ value >> 31


def split(shares: Sequence[Fraction], p: int) -> tuple[int, int]:
    """Source of draw p of a mix, and which of that source's own draws it is.

    Sources are taken in order: with w the share of the first among those left, draw p is its draw
    floor(p w) if floor((p + 1) w) > floor(p w), otherwise p - floor(p w) goes on to the rest.
    """
    left = sum(shares, Fraction(0))
    for source, share in enumerate(shares[:-1]):
        weight = share / left
        before = floor(p * weight)
        if floor((p + 1) * weight) > before:
            return source, before
        p -= before
        left -= share
    return len(shares) - 1, p


def place_of(shares: Sequence[Fraction], source: int, own: int) -> int:
    """The draw of a mix that is draw `own` of a source: `split` backwards."""
    most = ceil((own + 1 + len(shares)) * sum(shares, Fraction(0)) / shares[source])
    given = range(most + len(shares))
    return bisect_left(given, own + 1, key=lambda p: counts(shares, p + 1)[source])


def counts(shares: Sequence[Fraction], draws: int) -> list[int]:
    """How many of the first `draws` draws of a mix each source gives; they add up to `draws`."""
    left, given = sum(shares, Fraction(0)), []
    for share in shares[:-1]:
        given.append(floor(draws * share / left))
        draws -= given[-1]
        left -= share
    return [*given, draws]


def uniforms(seed: int, p: int, stream: Stream, count: int) -> NDArray[np.float64]:
    """The first `count` uniform numbers of [0, 1) that draw p has for `stream`."""
    return _generator(seed, p, stream).random(count)


def batch_uniforms(seed: int, draws: Sequence[int], stream: Stream) -> torch.Tensor:
    """One uniform number of [0, 1) for each draw: (B,) float64, on the CPU."""
    return torch.tensor([_generator(seed, p, stream).random() for p in draws], dtype=torch.float64)


def batch_normals(
    seed: int, draws: Sequence[int], stream: Stream, shape: tuple[int, ...]
) -> torch.Tensor:
    """Standard normal numbers of `shape` for each draw: (B, *shape) float32, on the CPU."""
    values = np.empty((len(draws), prod(shape)), np.float32)
    for row, p in zip(values, draws, strict=True):
        _generator(seed, p, stream).standard_normal(out=row, dtype=np.float32)
    return torch.from_numpy(values.reshape(len(draws), *shape))


def _generator(seed: int, p: int, stream: Stream) -> np.random.Generator:
    """Philox4x64 keyed by (seed, stream) at counter p 2^128: draws are 2^128 blocks apart."""
    key = np.array([seed & WORD, STREAMS[stream]], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=np.array([0, 0, p, 0], np.uint64)))


@dataclass(frozen=True)
class Noise:
    """The noise of some draws, made where it is needed: standard normal numbers, float32."""

    seed: int
    draws: Sequence[int]
    shape: tuple[int, ...]
    """That of one draw."""
    version: int
    """How it is drawn: `growlang.plans.plan.DRAWS` of the plan."""
    made: torch.Tensor | None = None
    """The numbers, where they were made beforehand."""

    def ahead(self, device: torch.device) -> Noise:
        """This noise, made now if it is made on the CPU for the device."""
        if self.version > 1 and device.type != "cpu":
            return self
        return replace(self, made=self.on(torch.device("cpu")))

    def on(self, device: torch.device) -> torch.Tensor:
        """The noise (B, *shape) on a device: the same numbers everywhere, to float32 rounding."""
        if self.made is not None:
            return self.made.to(device)
        if self.version == 1:
            return batch_normals(self.seed, self.draws, "noise", self.shape).to(device)
        return normals(self.seed, STREAMS["noise"], self.draws, self.shape, device)

    def none(self) -> Noise:
        """Noise without numbers, (B, 0), for what is not an image."""
        return replace(self, shape=(0,), made=torch.empty(len(self.draws), 0))

    def part(self, of: slice) -> Noise:
        """That of some of the draws."""
        made = None if self.made is None else self.made[of]
        return replace(self, draws=self.draws[of], made=made)
