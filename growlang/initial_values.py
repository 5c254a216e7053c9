"""The first values of a net's tensors, with NumPy: the same on every machine, with every PyTorch.

A tensor is drawn in groups of whole rows. Each group has an SFC64 stream (Doty-Humphrey, PractRand)
of its own, seeded with the seed, the tensor's name and the group's number: whoever needs some rows
draws those alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from math import prod
from types import MappingProxyType
from typing import Any

import numpy as np

from growlang.net.generations import MEASURED

Array = np.ndarray[Any, np.dtype[Any]]

CONSTANTS: Mapping[str, float] = MappingProxyType({"zeros": 0.0, "ones": 1.0, MEASURED: 1.0})
"""The initialisers that are one number; what is measured on data is one until it is."""
NORMAL: Mapping[str, float] = MappingProxyType({"embedding": 1.0, "position": 0.02, "tokens": 0.02})
"""The standard deviations of those that are normal: a table of embeddings as in `nn.Embedding`; one
of positions, and what maps tokens to and from their channels, as in GPT-2."""
LINEAR, IDENTITY = "linear", "identity"
"""Uniform within +-1/sqrt(fan-in), as in `nn.Linear`; and a square linear map that changes nothing,
or the same in the centre of a convolution's filters."""
INITIALISERS = frozenset({LINEAR, IDENTITY, *CONSTANTS, *NORMAL})
"""How a tensor may be drawn."""
GROUP = 1 << 18
"""Numbers of a group, where a row has not more: what a processor's cache holds."""


class InitialValues:
    """The first values of one tensor, of which any rows can be had."""

    def __init__(self, init: str, name: str, shape: tuple[int, ...], seed: int) -> None:
        """`init` is one of `INITIALISERS`; a tensor without axes is a row of one number."""
        if init not in INITIALISERS:
            raise ValueError(f"no initialiser is {init!r}")
        self._init, self._key, self._shape = init, f"{seed}:{name}", shape
        self._count = shape[0] if shape else 1
        self._row = prod(shape[1:])
        self._each = max(1, GROUP // max(1, self._row))
        self._last: tuple[int, Array] = (-1, np.empty(0, np.float32))

    def rows(self, low: int, high: int) -> Array:
        """The rows from one to another, (high - low, ...) in float32; not to be written to."""
        shape = (high - low, *self._shape[1:])
        if self._init in CONSTANTS:
            return np.full(shape, CONSTANTS[self._init], np.float32)
        if self._init == IDENTITY:
            return _identity(self._shape, low, high)
        parts = [*self._parts(low, high)]
        return (parts[0] if len(parts) == 1 else np.concatenate(parts or [_NONE])).reshape(shape)

    def _parts(self, low: int, high: int) -> Iterator[Array]:
        while low < high:
            number, begin = divmod(low, self._each)
            end = min(self._each, high - number * self._each)
            yield self._group(number)[begin * self._row : end * self._row]
            low += end - begin

    def _group(self, number: int) -> Array:
        if self._last[0] != number:
            count = min(self._each, self._count - number * self._each) * self._row
            self._last = number, self._drawn(number, count)
        return self._last[1]

    def _drawn(self, number: int, count: int) -> Array:
        key = sha256(f"{self._key}:{number}".encode()).digest()
        stream = np.random.SFC64(int.from_bytes(key[:16], "little"))
        if self._init == LINEAR:
            words: Array = stream.random_raw((count + 1) // 2)
            digits = words.astype("<u8", copy=False).view("<i4")[:count]
            digits >>= 8  # 24 bits, as many as a float32 has
            factor = np.float32(self._row**-0.5 * 2.0**-23)
            found: Array = np.multiply(digits, factor, dtype=np.float32, casting="unsafe")
            return found
        values = np.random.Generator(stream).standard_normal(count, np.float32)
        values *= np.float32(NORMAL[self._init])
        return values


_NONE = np.empty(0, np.float32)


def _identity(shape: tuple[int, ...], low: int, high: int) -> Array:
    found = np.zeros((high - low, *shape[1:]), np.float32)
    centre = tuple(side // 2 for side in shape[2:])
    for at in range(low, min(high, shape[1])):
        found[(at - low, at, *centre)] = 1
    return found
