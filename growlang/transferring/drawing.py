"""What the tensors of a child are made of without PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from struct import pack

from growlang.growth.constants import Draw, Fill
from growlang.growth.rows import is_by_rows
from growlang.growth.transforms import Compute, Expand, Stages
from growlang.plans.tensor_file import BITS

BLOCK = 1 << 16
"""Ones that are written at once."""
ONE = {"F32": pack("<f", 1.0), "F16": pack("<e", 1.0), "BF16": pack("<f", 1.0)[2:]}


def is_expanded(transform: Expand | Stages | Compute) -> bool:
    """Whether a tensor is made in `expanding`; what else is computed, PyTorch computes."""
    if not isinstance(transform, Expand) or not is_by_rows(transform):
        return False
    if any(number < 0 for factors in transform.weight for number in factors):
        return False  # new entries are zeros with the signs of others
    return {type(constant) for constant in transform.constants} in (set(), {Fill}, {Draw})


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
