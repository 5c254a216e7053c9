"""How an optimizer goes on with a tensor that grew: what its steps are multiplied by. Stdlib only.

Of an entry that a map makes with T and S, the first moment goes by S, the second by S^2, Adam's eps
by |S| and the step by |T|: where copies have equal shares the grown net then follows the old one.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from growlang.growth.axis_map import NEW, AxisMap, Factors, compose_axes, compose_factors
from growlang.growth.constants import Mean, Noise
from growlang.growth.transforms import Expand, Stages, Transform


class Learning(NamedTuple):
    """What becomes of a tensor's steps, axis by axis."""

    dims: tuple[AxisMap, ...]
    step: tuple[Factors, ...]
    """|T|, of the learning rate."""
    eps: tuple[Factors, ...]
    """|S|, of Adam's eps."""
    is_exact: bool
    """Whether gradients go by S too: copies have equal shares, and nothing breaks them."""


def learning(transform: Expand | Stages) -> Learning:
    """How a tensor goes on whose moments are carried."""
    first, *more = transform.steps if isinstance(transform, Stages) else (transform,)
    found = _of(first)
    for other in map(_of, more):
        dims = tuple(map(compose_axes, found.dims, other.dims))
        rows = [*zip(found.step, found.eps, other.step, other.eps, other.dims, dims, strict=True)]
        found = Learning(
            dims,
            tuple(compose_factors(a, b, after, both) for a, _, b, _, after, both in rows),
            tuple(compose_factors(a, b, after, both) for _, a, _, b, after, both in rows),
            found.is_exact and other.is_exact,
        )
    return found


def is_approximate(transform: Transform) -> bool:
    """Whether carried moments are those of the grown net's gradients only nearly."""
    if not (isinstance(transform, Expand | Stages) and has_moments(transform)):
        return False
    return not learning(transform).is_exact


def has_moments(transform: Transform) -> bool:
    """Whether an expansion carries moments: interpolation has no S."""
    steps = transform.steps if isinstance(transform, Stages) else (transform,)
    return not any(isinstance(s, Expand) and (s.moment is None or s.resample) for s in steps)


def _of(step: Expand) -> Learning:
    none: tuple[Factors, ...] = ((),) * len(step.dims)
    moment = (step.moment if step.second is None else step.second) or none
    exact = step.second is None and not any(isinstance(c, Mean | Noise) for c in step.constants)
    return Learning(
        step.dims,
        tuple(map(_sizes, step.dims, step.weight or none)),
        tuple(map(_sizes, step.dims, moment)),
        exact and all(map(_is_even, step.dims, moment)),
    )


def _sizes(axis: AxisMap, factors: Factors) -> Factors:
    """Absolute factors, 1 for new entries."""
    if not factors or set(map(abs, factors)) == {1.0}:
        return ()
    given = factors * len(axis.indices) if len(factors) == 1 else factors
    return tuple(1.0 if i == NEW else abs(f) for i, f in zip(axis.indices, given, strict=True))


def _is_even(axis: AxisMap, factors: Factors) -> bool:
    """Whether all copies of an entry have one factor."""
    found: defaultdict[int, set[float]] = defaultdict(set)
    given = factors * len(axis.indices) if len(factors) == 1 else factors
    for old, factor in zip(axis.indices, given or [1.0] * len(axis.indices), strict=True):
        if old != NEW:
            found[old].add(factor)
    return all(len(values) == 1 for values in found.values())
