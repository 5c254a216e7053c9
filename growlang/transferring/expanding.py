"""Grown tensors made without PyTorch, bit for bit as `growlang.torch_backend` does.

Most of a grown tensor is copies of the parent's numbers, which are moved as they are stored. Only
what has factors is multiplied, in float32 and in the order of the multiplications there, and before
it is copied wherever that is possible: a number and its copies are rounded once, and rows that come
several times are made once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from growlang.growth.axis_map import NEW, AxisMap, Factors, New, Repeat, Take, beginning
from growlang.growth.constants import Draw, Fill
from growlang.growth.rows import drawn_from, gathers_rows, is_by_rows
from growlang.growth.transforms import Compute, Expand, Stages
from growlang.initial_values import GROUP, InitialValues
from growlang.transferring.copying import WIDTHS, nearest, require_finite, rounded, widened
from growlang.transferring.gathering import gathered, zeros_like
from growlang.transferring.tensors import Computed, Made

Array = np.ndarray[Any, np.dtype[Any]]

BLOCK = GROUP
"""Numbers that are made at once, where rows are not longer: what a cache of the processor holds."""


class Stored(NamedTuple):
    """How a tensor is stored."""

    dtype: str
    shape: tuple[int, ...]


class Block(NamedTuple):
    """Rows of a tensor, as they are stored, and the places that they have: each one's first row.

    They are there until the next block.
    """

    places: tuple[int, ...]
    bits: Array


Read = Callable[[int, int], bytes]
"""The bytes of the parent's tensor from one row to another."""


def is_expanded(transform: Expand | Stages | Compute) -> bool:
    """Whether a tensor is made here; what else is computed, PyTorch computes."""
    if not isinstance(transform, Expand) or not is_by_rows(transform):
        return False
    if any(number < 0 for factors in transform.weight for number in factors):
        return False  # new entries are zeros with the signs of others
    return {type(constant) for constant in transform.constants} in (set(), {Fill}, {Draw})


def expanded(made: Made, read: Read) -> Iterator[tuple[int, memoryview]]:
    """The bytes of a tensor that `is_expanded` in blocks of rows, each with its offset.

    Each block is there until the next one, and what none gives is zero.
    """
    name, dtype, shape, work = made
    assert isinstance(work, Computed) and isinstance(work.transform, Expand) and work.source
    step, source = work.transform, work.source
    has_drawn = any(isinstance(c, Draw) for c in step.constants)
    values = InitialValues(step.init, name, shape, work.seed) if has_drawn else None
    expansion = Expansion(step, name, Stored(source.dtype, source.shape), Stored(dtype, shape))
    each = prod(shape[1:]) * WIDTHS[dtype]
    for places, bits in expansion.blocks(read, values):
        data = bits.data.cast("B")
        for place in places:
            yield place * each, data


class Expansion:
    """One tensor as an expansion makes it, some rows at a time."""

    def __init__(self, step: Expand, name: str, given: Stored, wanted: Stored) -> None:
        """`given` and `wanted` are the dtypes and shapes of the parent's tensor and of the one."""
        self._name, self._given, self._wanted = name, given, wanted
        self._drawn = [c for c in step.constants if isinstance(c, Draw)]
        self._fills = [c for c in step.constants if isinstance(c, Fill)]
        work = _work(step._replace(source=""))
        self._is_gathered, self._index, self._rows = work.is_gathered, work.of_rows, work.rows
        self._early, self._late = work.early, work.late
        self._products, self._by_row = work.products, work.by_row
        self._is_by_row = bool(self._by_row or self._fills)
        self._is_checked = work.grows or wanted.dtype not in ("F32", given.dtype)

    def blocks(self, read: Read, values: InitialValues | None) -> Iterator[Block]:
        """The bits of the numbers, in blocks of rows; `values` are what the new ones begin with."""
        each = prod(self._wanted.shape[1:])
        most = max(1, BLOCK // max(1, each))
        if (stretches := self._stretches(most)) is None:
            yield from self._in_order(read, values, most)
            return
        for (start, n), places in stretches.items():
            for at in range(0, n, most):
                source = self._read(read, start + at, start + min(n, at + most))
                yield Block(tuple(place + at for place in places), self._columns(source))
        for constant in self._drawn:
            assert values is not None
            for low, high in _pieces(constant.start, constant.start + constant.n, most):
                yield Block((low,), self._nearest(values.rows(low, high)))

    def _stretches(self, most: int) -> dict[tuple[int, int], list[int]] | None:
        """Where each stretch of the parent's rows goes, if all rows are whole stretches or new.

        None where rows differ otherwise than by what is in their columns, or where stretches are
        shorter than a block of `most` rows. New rows are drawn or zero.
        """
        if self._is_by_row or self._is_gathered or any(c.axis for c in self._drawn):
            return None
        found, at, zeros = dict[tuple[int, int], list[int]](), 0, set[int]()
        for part in self._index.parts:
            match part:
                case Take(start, n):
                    found.setdefault((start, n), []).append(at)
                case Repeat(start, n, times, block) if block >= most:
                    for number in range(n // block * times):
                        piece = (start + number // times * block, block)
                        found.setdefault(piece, []).append(at + number * block)
                case New(n):
                    zeros.update(range(at, at + n))
                case _:
                    return None
            at += part.size
        zeros.update(range(at, self._wanted.shape[0]))
        own = all(zeros.issuperset(range(c.start, c.start + c.n)) for c in self._drawn)
        return found if own else None

    def _in_order(self, read: Read, values: InitialValues | None, most: int) -> Iterator[Block]:
        """Blocks of rows one after the other."""
        ends = {c.start + n for c in self._drawn if c.axis == 0 for n in (0, c.n)}
        at = 0
        for end in sorted(ends | {len(self._rows), self._wanted.shape[0]}):
            are_drawn = any(c.axis == 0 and c.start <= at < c.start + c.n for c in self._drawn)
            for low, high in _pieces(at, end, most):
                yield Block((low,), self._block(read, values, are_drawn, low, high - low))
            at = max(at, end)

    def _block(
        self, read: Read, values: InitialValues | None, are_drawn: bool, at: int, size: int
    ) -> Array:
        if values is None or not (are_drawn or any(c.axis for c in self._drawn)):
            return self._made(read, at, size)
        drawn = self._nearest(values.rows(at, at + size))
        return drawn if are_drawn else self._over(drawn, self._made(read, at, size))

    def _over(self, drawn: Array, made: Array) -> Array:
        """What is made, in its place among what is drawn."""
        result = drawn.copy()
        result[tuple(slice(n) for n in made.shape)] = made
        for constant in self._drawn:
            if constant.axis:
                place = slice(constant.start, constant.start + constant.n)
                at = (*[slice(None)] * constant.axis, place)
                result[at] = drawn[at]
        return result

    def _made(self, read: Read, at: int, size: int) -> Array:
        """Rows that are not drawn: multiplied, rounded, and copied along the axes."""
        rows = self._rows[at : at + size]
        new = rows == NEW
        source, taken = self._source(read, rows, new)
        if self._is_by_row:
            numbers = self._each_row(self._multiplied(source).take(taken, 0), new, at)
            return self._gathered(self._rounded(numbers))
        values = self._columns(source)
        if size != len(source) or new.any() or (taken != np.arange(size)).any():
            values = values.take(taken, 0)
        if new.any():
            values[new] = zeros_like(values[new]) if self._is_gathered else 0
        return values

    def _columns(self, source: Array) -> Array:
        """The parent's rows with what their columns become: multiplied, rounded and gathered."""
        if self._products or self._given.dtype != self._wanted.dtype:
            source = self._rounded(self._multiplied(source))
        return self._gathered(source)

    def _multiplied(self, source: Array) -> Array:
        numbers = widened(source, self._given.dtype).reshape(source.shape)
        for axis, index in self._early.items():
            numbers = gathered(numbers, axis, index)
        for factor in self._products:
            numbers = numbers * factor
        return numbers

    def _gathered(self, values: Array) -> Array:
        for axis, index in self._late.items():
            values = gathered(values, axis, index)
        return values

    def _each_row(self, numbers: Array, new: Array, at: int) -> Array:
        """Rows with what each is multiplied by, and with what is added to some."""
        for factor in self._by_row:
            if isinstance(factor, np.ndarray):
                factor = factor[at : at + len(numbers)].reshape(-1, *[1] * (numbers.ndim - 1))
            numbers *= factor
        numbers[new] = zeros_like(numbers[new]) if self._is_gathered else 0
        for start, n, value, _ in self._fills:
            numbers[max(0, start - at) : max(0, start + n - at)] += value
        return numbers

    def _source(self, read: Read, rows: Array, new: Array) -> tuple[Array, Array]:
        """The parent's rows that some rows take, and which of those each one takes.

        New rows are the first one of all times zero, where rows are gathered.
        """
        old = rows[~new]
        low, high = (int(old.min()), int(old.max()) + 1) if len(old) else (0, 1)
        source = self._read(read, low, high)
        taken = rows - low
        if len(old) < len(rows):
            if self._is_gathered and low:
                source, taken = np.concatenate([self._read(read, 0, 1), source]), taken + 1
            taken[new] = 0
        return source, taken

    def _read(self, read: Read, low: int, high: int) -> Array:
        found = np.frombuffer(read(low, high), f"<u{WIDTHS[self._given.dtype]}")
        require_finite(found, self._given.dtype, self._name)
        return found.reshape(high - low, *self._given.shape[1:])

    def _rounded(self, numbers: Array) -> Array:
        if not self._is_checked:
            return self._nearest(numbers)
        found = rounded(numbers, self._wanted.dtype, self._name)
        return found.view(f"<u{WIDTHS[self._wanted.dtype]}")

    def _nearest(self, numbers: Array) -> Array:
        found = nearest(numbers, self._wanted.dtype)
        return found.view(f"<u{WIDTHS[self._wanted.dtype]}")


class _Work(NamedTuple):
    """What an expansion does with the rows of any tensor."""

    of_rows: AxisMap
    """Their index, without those at the end that are drawn."""
    rows: Array
    is_gathered: bool
    early: dict[int, AxisMap]
    """Of the other axes, those that are gathered before numbers are multiplied."""
    late: dict[int, AxisMap]
    products: list[Array | float]
    by_row: list[Array | float]
    grows: bool
    """Whether numbers become larger."""


@lru_cache(maxsize=64)
def _work(step: Expand) -> _Work:
    """The same for all tensors of a depth: it is worked out once."""
    drawn = [c for c in step.constants if isinstance(c, Draw)]
    dims, factors = [*step.dims], [*(step.weight or ((),) * len(step.dims))]
    for axis, index in enumerate(step.dims):
        if cut := drawn_from(index, axis, drawn):
            dims[axis] = beginning(index, cut)
            factors[axis] = factors[axis][:cut]
    factors = [f if any(n != 1 for n in f) else () for f in factors]
    early = {a: i for a, i in enumerate(dims) if a and len(factors[a]) > 1}
    late = {a: i for a, i in enumerate(dims) if a and a not in early}
    grows = any(n > 1 for own in factors for n in own)
    grows = grows or any(isinstance(c, Fill) for c in step.constants)
    are_gathered = gathers_rows(step)
    products, by_row = _products(dims, factors, are_gathered)
    rows = np.array(dims[0].indices)
    return _Work(dims[0], rows, are_gathered, early, late, products, by_row, grows)


def _pieces(low: int, high: int, most: int) -> Iterator[tuple[int, int]]:
    """Stretches of at most so many, which end where the groups of first values do."""
    while low < high:
        end = min(high, low - low % most + most)
        yield low, end
        low = end


def _products(
    dims: list[AxisMap], factors: list[Factors], are_gathered: bool
) -> tuple[list[Array | float], list[Array | float]]:
    """What numbers are multiplied by, one after the other, and then what each row is.

    In the order of `growlang.torch_backend.expansions`: entries of an axis with new ones at once,
    those of the others together with the next axis's.
    """
    products = list[Array | float]()
    others: Array | float = 1.0
    for axis in reversed(range(1, len(dims))):
        given = factors[axis]
        factor: Array | float = given[0] if given else 1.0
        if len(given) > 1:
            factor = _vector(given, dims[axis]).reshape(-1, *[1] * (len(dims) - axis - 1))
        if dims[axis].has_new:
            products.append(factor)
        else:
            others = factor * others
    if isinstance(others, np.ndarray):
        products.append(others)
        others = 1.0
    by_row = list[Array | float]()
    if len(factors[0]) > 1:
        if are_gathered:
            by_row = [_vector(factors[0], dims[0]), others]
        else:
            by_row = [_placed(dims[0], factors[0], others)]
    elif are_gathered:
        products += [factors[0][0] if factors[0] else 1.0, others]
    else:
        products.append(others * (factors[0][0] if factors[0] else 1.0))
    return _without_ones(products), _without_ones(by_row)


def _vector(factors: Factors, index: AxisMap) -> Array:
    """What entries are multiplied by; new ones, which are zero already, by one."""
    return np.where(np.array(index.indices) == NEW, np.float32(1), np.array(factors, np.float32))


def _placed(index: AxisMap, factors: Factors, others: float) -> Array:
    """What rows are multiplied by where they are written part by part."""
    found = np.array(factors, np.float32) * others
    at = 0
    for part in index.parts:
        if part.size == 1:
            found[at] = others * factors[at]
        at += part.size
    return found


def _without_ones(factors: list[Array | float]) -> list[Array | float]:
    return [f for f in factors if isinstance(f, np.ndarray) or f != 1]
