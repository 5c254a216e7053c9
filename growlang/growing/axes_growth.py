"""The growth of a tensor from that of its axes: an `Expand`. Stdlib only."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from growlang.growing.roles import Of, Side, side
from growlang.growing.space_growth import Along
from growlang.growth.axis_map import NEW, AxisMap, Factors
from growlang.growth.constants import Constant, Draw, Fill, Mean, Noise, Resample
from growlang.growth.expansions import draws, filled
from growlang.growth.transforms import Expand

Segments = tuple[tuple[Of, tuple[Along, ...]], ...]
"""An axis as its segments: what a role depends on, and the growths of its factors."""


class Dim(NamedTuple):
    """What becomes of one axis of a tensor."""

    entries: AxisMap
    weight: Factors
    moment: Factors
    first: Factors
    """First moments where all copies but one begin anew."""
    fill: tuple[Fill, ...]
    drawn: tuple[tuple[int, int], ...]
    means: tuple[tuple[int, int, int, int, float], ...]
    copies: bool
    old: int

    @property
    def is_same(self) -> bool:
        """Whether nothing becomes of it."""
        return not self.weight and not self.fill and self.entries.is_identity(self.old)


@lru_cache(maxsize=8192)
def dim(segments: Segments) -> Dim:
    """What becomes of an axis, segment after segment."""
    sides = [side(of, factors) for of, factors in segments]
    index: list[int] = []
    means: list[tuple[int, int, int, int, float]] = []
    old = 0
    for part in sides:
        means += [(len(index) + a, n, old + b, m, f) for a, n, b, m, f in part.means]
        index += [NEW if i == NEW else old + i for i in part.indices]
        old += part.old
    drawn = [at for at, it_is in enumerate(d for s in sides for d in s.drawn) if it_is]
    fill = {at: f for at, f in enumerate(f for s in sides for f in s.fill) if f}
    moment = [f for s in sides for f in s.moment]
    first = [f * kept for s in sides for f, kept in zip(s.moment, _firsts(s), strict=True)]
    return Dim(
        AxisMap.of(index),
        _factors(index, [f for s in sides for f in s.weight]),
        _factors(index, moment),
        _factors(index, first),
        tuple(filled(fill)),
        tuple((d.start, d.n) for d in draws(0, drawn)),
        tuple(means),
        any(s.copies for s in sides),
        old,
    )


def expand(
    source: str,
    dims: tuple[Dim, ...],
    init: str,
    *,
    moments: bool = True,
    noise: float = 0.0,
    resample: tuple[Resample, ...] = (),
    reset: bool = False,
) -> Expand:
    """The transform of a tensor whose axes grow so; `init` is how the child's is initialised.

    Without `moments` they begin anew; with `reset` first moments go on in one copy alone.
    """
    constants: list[Constant] = []
    for axis, along in enumerate(dims):
        constants += [Mean(axis, *mean) for mean in along.means]
        if noise and along.copies:
            constants.append(Noise(axis, noise))
    if len(dims) == 1:
        constants += dims[0].fill
    drawn = [Draw(axis, *run) for axis, along in enumerate(dims) for run in along.drawn]
    weight = tuple(along.weight for along in dims)
    moment = tuple(along.moment for along in dims)
    first = tuple(along.first for along in dims) if reset else moment
    apart = reset and first != moment
    return Expand(
        source,
        tuple(along.entries for along in dims),
        weight if any(weight) else (),
        (first if any(first) else ()) if moments else None,
        (*constants, *drawn),
        moment if apart and moments else None,
        resample,
        init if drawn else "",
    )


@lru_cache(maxsize=4096)
def _firsts(part: Side) -> tuple[bool, ...]:
    seen: set[int] = set()
    found = []
    for i in part.indices:
        found.append(i not in seen)
        seen.add(i)
    return tuple(found)


def _factors(index: list[int], factors: list[float]) -> Factors:
    """None where all that is read is taken as it is, one where all have it, else one an entry."""
    read = {f for i, f in zip(index, factors, strict=True) if i != NEW}
    if read <= {1.0}:
        return ()
    if len(read) == 1:
        return (read.pop(),)
    return tuple(1.0 if i == NEW else f for i, f in zip(index, factors, strict=True))
