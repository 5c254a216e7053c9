"""The bytes of new tensors, without PyTorch; NumPy is imported for those that are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from struct import pack

from growlang.plans.tensor_file import BITS
from growlang.transferring.copying import nearest
from growlang.transferring.tensors import Made

BLOCK = 1 << 16
"""Ones that are written at once."""
ONE = {"F32": pack("<f", 1.0), "F16": pack("<e", 1.0), "BF16": pack("<f", 1.0)[2:]}


def ones(dtype: str, count: int) -> Iterator[bytes]:
    """The bytes of a tensor of ones, in blocks."""
    for at in range(0, count, BLOCK):
        yield ONE[dtype] * min(BLOCK, count - at)


def diagonal(dtype: str, shape: tuple[int, ...]) -> Iterator[tuple[int, bytes]]:
    """Where the identity has its ones, as offsets in bytes: in the centre of each filter."""
    width = BITS[dtype] // 8
    centre, filters = 0, prod(shape[2:])
    for side in shape[2:]:
        centre = centre * side + side // 2
    for at in range(min(shape[:2])):
        yield width * ((at * shape[1] + at) * filters + centre), ONE[dtype]


def drawn(init: str, seed: int, made: Made) -> Iterator[tuple[int, memoryview]]:
    """The bytes of a new tensor in blocks of rows, each with its offset."""
    from growlang.initial_values import GROUP, InitialValues

    count, row = made.shape[0] if made.shape else 1, prod(made.shape[1:])
    values, most = InitialValues(init, made.name, made.shape, seed), max(1, GROUP // max(1, row))
    for at in range(0, count, most):
        bits = nearest(values.rows(at, min(count, at + most)), made.dtype)
        yield at * row * BITS[made.dtype] // 8, bits.data.cast("B")
