"""Tensors of a child made block by block, so that none is in memory as a whole.

What comes is bit for bit what `growlang.torch_backend.transforms` makes of the whole tensors in
float32. Where each new row follows from rows of the parent's, a block of rows is read and made at
once. What needs the whole tensor (interpolation, noise, means over rows, several expansions) is
made as one block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from math import prod

import torch
from torch import Tensor

from growlang.growth.axis_map import NEW, AxisMap
from growlang.growth.constants import Constant, Draw, Fill
from growlang.growth.rows import gathers_rows, is_by_rows
from growlang.growth.transforms import Compute, Expand, Stages
from growlang.initial_values import InitialValues
from growlang.net import Tensor as Declared
from growlang.torch_backend.expansions import compute, expand, expand_rows
from growlang.torch_backend.initialisation import draw

BLOCK = 1 << 20
"""Numbers that are made at once, where rows are not longer."""

Rows = Callable[[int, int | None], Tensor]
"""The parent's tensor from one row to another, or to its end, in float32."""


def computed(
    transform: Expand | Stages | Compute, rows: Rows | None, tensor: Declared, seed: int
) -> Iterator[Tensor]:
    """The numbers of the tensor that a transform makes of the parent's, in float32 blocks.

    `tensor` has its name, its shape, and how its new entries are drawn, "" where none are.
    """
    if isinstance(transform, Expand) and rows is not None and is_by_rows(transform):
        start = InitialValues(tensor.init, tensor.name, tensor.shape, seed) if tensor.init else None
        yield from _by_rows(transform, rows, tensor, start)
        return
    target = draw(tensor, seed) if tensor.init else torch.zeros(tensor.shape)
    if isinstance(transform, Compute):
        compute(transform, target, tensor.name)
    else:
        assert rows is not None
        expand(transform, rows(0, None), target, "weight", tensor.name)
    yield target


def _by_rows(
    step: Expand, rows: Rows, tensor: Declared, start: InitialValues | None
) -> Iterator[Tensor]:
    count, each = tensor.shape[0], prod(tensor.shape[1:])
    gathered, most = gathers_rows(step), max(1, BLOCK // max(1, each))
    for at in range(0, count, most):
        end = min(count, at + most)
        part, low, high = _part(step.dims[0], at, end)
        source = rows(low, high)
        if gathered and low and part.has_new:  # new rows are the first one times zero
            source = torch.cat([rows(0, 1), source])
            part = AxisMap.of([i if i == NEW else i + 1 for i in part.indices])
        weight = step.weight
        if weight and len(weight[0]) > 1:
            weight = (weight[0][at:end], *weight[1:])
        constants = tuple(_cut(step.constants, at, end))
        own = step._replace(dims=(part, *step.dims[1:]), weight=weight, constants=constants)
        if start:
            target = torch.tensor(start.rows(at, end))
        else:
            target = torch.zeros(end - at, *tensor.shape[1:])
        expand_rows(own, source, target, gathered, tensor.name)
        yield target


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
