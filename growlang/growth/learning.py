"""How an optimizer goes on with a tensor that grew: what its steps are multiplied by. Stdlib only.

Of an entry that a map makes with T and S, the first moment goes by S, the second by S^2, Adam's eps
by |S| and the step by |T|: where copies have equal shares the grown net then follows the old one.
Copies with unequal shares share one step, the mean of theirs: with each its own they would stay
proportional for ever, since Adam is blind to the scale of a gradient.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from math import fsum
from typing import NamedTuple

from growlang.growth.axis_map import NEW, AxisMap, Factors, compose_axes, compose_factors
from growlang.growth.constants import Mean, Noise
from growlang.growth.mapping import Entry
from growlang.growth.transforms import Expand, Stages, Transform


class ApproximateGrowth(UserWarning):
    """A torch optimizer cannot go on exactly: it has one rate and one eps for all of a tensor."""


class Learning(NamedTuple):
    """What becomes of a tensor's steps, axis by axis."""

    dims: tuple[AxisMap, ...]
    step: tuple[Factors, ...]
    """|T|, of the learning rate, its mean over copies."""
    eps: tuple[Factors, ...]
    """|S|, of Adam's eps, its mean over copies."""
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


def remarks(entries: Iterable[Entry]) -> list[str]:
    """What is to be known of carried moments where tensors grow."""
    grown = [e.transform for e in entries if isinstance(e.transform, Expand | Stages)]
    carried = [transform for transform in grown if has_moments(transform)]
    if not carried:
        return []
    nearly = sum(map(is_approximate, carried))
    return [
        f"moments are carried; of {nearly:,} of {len(carried):,} grown tensors approximately: "
        "their copies have unequal shares"
        if nearly
        else f"moments are carried exactly: all {len(carried):,} grown tensors go on as before",
        "the gradient's norm changes as the net grows, so `grad_clip` clips at another point",
    ]


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
        tuple(map(_means, step.dims, step.weight or none)),
        tuple(map(_means, step.dims, moment)),
        exact and all(map(_is_even, step.dims, moment)),
    )


def _means(axis: AxisMap, factors: Factors) -> Factors:
    """Of each entry the mean absolute factor of its copies, 1 for new ones."""
    found = {old: [abs(f) for f in given] for old, given in _copies(axis, factors).items()}
    means = {old: fsum(given) / len(given) for old, given in found.items()}
    if set(means.values()) <= {1.0}:
        return ()
    return tuple(means.get(old, 1.0) for old in axis.indices)


def _is_even(axis: AxisMap, factors: Factors) -> bool:
    """Whether all copies of an entry have one factor."""
    return all(len(set(given)) == 1 for given in _copies(axis, factors).values())


def _copies(axis: AxisMap, factors: Factors) -> dict[int, list[float]]:
    """The factors of the copies of each old entry."""
    found: defaultdict[int, list[float]] = defaultdict(list)
    given = factors * len(axis.indices) if len(factors) == 1 else factors
    for old, factor in zip(axis.indices, given or (1.0,) * len(axis.indices), strict=True):
        if old != NEW:
            found[old].append(factor)
    return found
