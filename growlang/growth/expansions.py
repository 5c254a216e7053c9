"""Two expansions of a tensor as one: closed but for means, noise, interpolation, copied draws.

Stdlib only.
"""

from __future__ import annotations

from collections import Counter

from growlang.growth.axis_map import NEW, AxisMap, Factors, compose_axes, compose_factors
from growlang.growth.constants import Constant, Draw, Fill, Mean, Noise
from growlang.growth.transforms import Expand, Like, Stages, Transform


def compose_expansions(source: str, first: Transform, second: Transform) -> Expand | Stages:
    """The transform of the tensor `source` by two, of which one at least expands.

    Means, noise, interpolation and copies of what was drawn are no index with factors: with them,
    stages stay a list.
    """
    steps = [*_steps(source, first), *_steps(source, second)]
    if any(isinstance(t, Like) for t in (first, second)):
        steps[-1] = steps[-1]._replace(moment=None)
    merged = steps[:1]
    for step in steps[1:]:
        last = merged[-1]
        if _is_closed(last) and _is_closed(step) and not _copies_drawn(last, step):
            merged[-1] = _composed(source, last, step)
        else:
            merged.append(step)
    return merged[0] if not merged[1:] else Stages(source, tuple(merged))


def _steps(source: str, transform: Transform) -> list[Expand]:
    match transform:
        case Expand():
            return [transform._replace(source=source)]
        case Stages(_, steps):
            return [step._replace(source=source) for step in steps]
    return []


def _is_closed(step: Expand) -> bool:
    return not step.resample and not any(isinstance(c, Mean | Noise) for c in step.constants)


def _copies_drawn(first: Expand, second: Expand) -> bool:
    """Whether entries that the first draws are copied by the second: copies have to be equal."""
    for draw in (c for c in first.constants if isinstance(c, Draw)):
        drawn = range(draw.start, draw.start + draw.n)
        taken = Counter(i for i in second.dims[draw.axis].indices if i in drawn)
        if any(n > 1 for n in taken.values()):
            return True
    return False


def _composed(source: str, first: Expand, second: Expand) -> Expand:
    dims = tuple(map(compose_axes, first.dims, second.dims))
    weight = _factors(first.weight, second.weight, second.dims, dims)
    constants = _constants(first, second)
    if first.moment is None or second.moment is None:
        return Expand(source, dims, weight, None, constants, init=second.init or first.init)
    moment = _factors(first.moment, second.moment, second.dims, dims)
    apart = None
    if first.second is not None or second.second is not None:
        one, other = (e.moment if e.second is None else e.second for e in (first, second))
        apart = _factors(one or (), other or (), second.dims, dims)
    init = second.init or first.init
    return Expand(source, dims, weight, moment, constants, apart, init=init)


def _factors(
    first: tuple[Factors, ...],
    second: tuple[Factors, ...],
    after: tuple[AxisMap, ...],
    composed: tuple[AxisMap, ...],
) -> tuple[Factors, ...]:
    """The factors of each axis of two expansions together; none where neither has any."""
    if not first and not second:
        return ()
    none: tuple[Factors, ...] = ((),) * len(composed)
    rows = zip(first or none, second or none, after, composed, strict=True)
    return tuple(compose_factors(*row) for row in rows)


def _constants(first: Expand, second: Expand) -> tuple[Constant, ...]:
    """Those of the second, and those of the first as the second takes them."""
    found: list[Constant] = []
    if fills := [c for c in first.constants if isinstance(c, Fill)]:
        (index,) = (axis.indices for axis in second.dims)
        factors = second.weight[0] if second.weight else ()
        found += filled(_carried(fills, index, factors))
    for axis, side in enumerate(second.dims):
        drawn = {
            entry
            for c in first.constants
            if isinstance(c, Draw) and c.axis == axis
            for entry in range(c.start, c.start + c.n)
        }
        found += draws(axis, [at for at, i in enumerate(side.indices) if i in drawn])
    return (*found, *second.constants)


def _carried(fills: list[Fill], index: tuple[int, ...], factors: Factors) -> dict[int, float]:
    old = {f.start + i: f.value for f in fills for i in range(f.n)}
    return {
        at: old[i] * (factors[at] if len(factors) > 1 else factors[0] if factors else 1.0)
        for at, i in enumerate(index)
        if i != NEW and i in old
    }


def filled(values: dict[int, float]) -> list[Fill]:
    """The numbers to add, by entry, as runs of equal ones."""
    runs: list[Fill] = []
    for at in sorted(values):
        last = runs[-1] if runs else None
        if last and last.start + last.n == at and last.value == values[at]:
            runs[-1] = last._replace(n=last.n + 1)
        else:
            runs.append(Fill(at, 1, values[at]))
    return runs


def draws(axis: int, entries: list[int]) -> list[Draw]:
    """Entries of an axis that are drawn, as runs."""
    runs: list[Draw] = []
    for at in entries:
        last = runs[-1] if runs else None
        if last and last.start + last.n == at:
            runs[-1] = last._replace(n=last.n + 1)
        else:
            runs.append(Draw(axis, at, 1))
    return runs
