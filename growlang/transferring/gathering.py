"""The entries of arrays that an index takes along an axis, as numbers or as their bits."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from growlang.growth.axis_map import NEW, AxisMap, Kron, New, Repeat, Take
from growlang.growth.rows import MOST_PARTS

Array = np.ndarray[Any, np.dtype[Any]]

FEW = 16
"""Copies that are written one by one."""


def gathered(values: Array, axis: int, index: AxisMap) -> Array:
    """The entries that an index takes along an axis; new ones are the first one times zero."""
    if index.is_identity(values.shape[axis]):
        return values
    before, after = prod(values.shape[:axis]), prod(values.shape[axis + 1 :])
    old = values.reshape(before, -1, after)
    new = np.empty((before, index.size, after), values.dtype)
    _write(old, new, index, zeros_like(old[:, :1]))
    return new.reshape(*values.shape[:axis], index.size, *values.shape[axis + 1 :])


def _write(old: Array, new: Array, index: AxisMap, zeros: Array) -> None:
    """Write along the second axis what an index takes; `zeros` are its new entries."""
    if len(index.parts) > MOST_PARTS:
        taken = np.array(index.indices)
        new[...] = old.take(taken.clip(0), 1)
        new[:, taken == NEW] = zeros
        return
    at, (before, _, after) = 0, old.shape
    for part in index.parts:
        place = new[:, at : at + part.size]
        match part:
            case New():
                place[...] = zeros
            case Take(start, n):
                place[...] = old[:, start : start + n]
            case Repeat(start, n, times, block):
                taken = old[:, start : start + n].reshape(before, -1, 1, block * after)
                _repeat(taken, place.reshape(before, -1, times, block * after))
            case Kron(outer, n, inner):
                for number in range(outer):
                    stretch = place[:, number * inner.size : (number + 1) * inner.size]
                    _write(old[:, number * n : (number + 1) * n], stretch, inner, zeros)
        at += part.size


def _repeat(taken: Array, places: Array) -> None:
    """Write a block at each of its places."""
    assert places.base is not None  # not a copy
    if places.shape[2] > FEW:
        places[...] = taken
        return
    for time in range(places.shape[2]):
        places[:, :, time] = taken[:, :, 0]


def zeros_like(values: Array) -> Array:
    """Numbers, in float32 or as their bits, times zero."""
    if values.dtype.kind == "f":
        return values * np.float32(0)
    sign: Array = values & values.dtype.type(1 << (8 * values.dtype.itemsize - 1))
    return sign
