"""Tensors of a child made block by block, so that none is in memory as a whole.

What comes is bit for bit what `growlang.torch_backend.transforms` makes of the whole tensors in
float32. Where each new row follows from rows of the parent's, a block of rows is read and made at
once. What needs the whole tensor (interpolation, noise, means over rows, several expansions) is
made as one block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from hashlib import sha256
from math import prod

import torch
from torch import Tensor

from growlang.growth.axis_map import NEW, AxisMap
from growlang.growth.constants import Constant, Draw, Fill
from growlang.growth.rows import gathers_rows, is_by_rows
from growlang.growth.transforms import Compute, Expand, Stages
from growlang.net import Tensor as Declared
from growlang.torch_backend.expansions import compute, expand, expand_rows
from growlang.torch_backend.initialisation import draw
from growlang.torch_backend.modules import INITIALISERS

BLOCK = 1 << 20
"""Numbers that are made at once, where rows are not longer."""
PHASE = 16
"""Normal numbers are drawn in groups of so many: blocks are whole groups, and the last has one."""

Rows = Callable[[int, int | None], Tensor]
"""The parent's tensor from one row to another, or to its end, in float32."""


def drawn(tensor: Declared, seed: int) -> Iterator[Tensor]:
    """The numbers that `growlang.torch_backend.initialisation.draw` gives, in float32 blocks."""
    source = _Drawing(tensor, seed)
    for size in _sizes(prod(tensor.shape), BLOCK):
        yield source.next((size,))


def computed(
    transform: Expand | Stages | Compute, rows: Rows | None, tensor: Declared, seed: int
) -> Iterator[Tensor]:
    """The numbers of the tensor that a transform makes of the parent's, in float32 blocks.

    `tensor` has its name, its shape, and how its new entries are drawn, "" where none are.
    """
    if isinstance(transform, Expand) and rows is not None and is_by_rows(transform):
        start = _Drawing(tensor, seed) if tensor.init else None
        yield from _by_rows(transform, rows, tensor, start)
        return
    target = draw(tensor, seed) if tensor.init else torch.zeros(tensor.shape)
    if isinstance(transform, Compute):
        compute(transform, target, tensor.name)
    else:
        assert rows is not None
        expand(transform, rows(0, None), target, "weight", tensor.name)
    yield target


class _Drawing:
    """The numbers of one tensor, which are drawn in the order of its entries."""

    def __init__(self, tensor: Declared, seed: int) -> None:
        key = sha256(f"{seed}:{tensor.name}".encode()).digest()
        number = int.from_bytes(key[:8], "little", signed=True)
        self._generator = torch.Generator().manual_seed(number)
        self._fan_in = tensor.shape[1:]
        self._init = tensor.init

    def next(self, shape: tuple[int, ...]) -> Tensor:
        """The next numbers, as many as the shape has."""
        value = torch.empty(prod(shape), *([1] * len(self._fan_in)))
        if self._init == "linear":
            bound = prod(self._fan_in) ** -0.5
            value.uniform_(-bound, bound, generator=self._generator)
        else:
            INITIALISERS[self._init](value, self._generator)
        return value.view(shape)


def _sizes(total: int, block: int) -> Iterator[int]:
    """Blocks of a number of entries, the last of which is a whole group too."""
    block = max(PHASE, block - block % PHASE)
    while total:
        size = total if total < block + PHASE else block
        yield size
        total -= size


def _by_rows(
    step: Expand, rows: Rows, tensor: Declared, start: _Drawing | None
) -> Iterator[Tensor]:
    each = prod(tensor.shape[1:])
    gathered = gathers_rows(step)
    at = 0
    for size in _rows(tensor.shape[0], each):
        part, low, high = _part(step.dims[0], at, at + size)
        shape = (size, *tensor.shape[1:])
        source = rows(low, high)
        if gathered and low and part.has_new:  # new rows are the first one times zero
            source = torch.cat([rows(0, 1), source])
            part = AxisMap.of([i if i == NEW else i + 1 for i in part.indices])
        weight = step.weight
        if weight and len(weight[0]) > 1:
            weight = (weight[0][at : at + size], *weight[1:])
        constants = tuple(_cut(step.constants, at, at + size))
        own = step._replace(dims=(part, *step.dims[1:]), weight=weight, constants=constants)
        target = start.next(shape) if start else torch.zeros(shape)
        expand_rows(own, source, target, gathered, tensor.name)
        yield target
        at += size


def _rows(total: int, each: int) -> Iterator[int]:
    """Rows of one block after the other: whole groups of drawn numbers."""
    block = max(1, BLOCK // max(1, each) // PHASE) * PHASE
    yield from _sizes(total, block)


@lru_cache(maxsize=256)
def _part(index: AxisMap, begin: int, end: int) -> tuple[AxisMap, int, int]:
    """The map of some rows into a stretch of the parent's, and that stretch."""
    taken = index.indices[begin:end]
    old = [i for i in taken if i != NEW]
    low, high = (min(old), max(old) + 1) if old else (0, 1)
    return AxisMap.of([i if i == NEW else i - low for i in taken]), low, high


def _cut(constants: tuple[Constant, ...], begin: int, end: int) -> Iterator[Constant]:
    """What of the constants is in some rows, counted from their first."""
    for constant in constants:
        if isinstance(constant, Fill) or (isinstance(constant, Draw) and constant.axis == 0):
            first = max(constant.start, begin)
            count = min(constant.start + constant.n, end) - first
            if count > 0:
                yield constant._replace(start=first - begin, n=count)
        else:
            yield constant
