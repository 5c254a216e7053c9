"""How one space grows: an index into its old places, shares of copies, a scale. Stdlib only.

The factors of every tensor follow from it by role (`growlang.growing.roles`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import sqrt
from typing import Literal, NamedTuple

from growlang.growth.axis_map import NEW, AxisMap, Factors, New, Repeat, Take, identity

How = Literal["same", "repeat", "append", "pad", "tile", "mean", "draw"]
"""What becomes of the new places of a space.

`same`      there are none
`repeat`    each is a copy of an old one
`append`    they are drawn where they are written, and what reads them begins at zero
`pad`       they are exactly zero, and what reads them is drawn
`tile`      they are the mean of the old ones, which a LayerNorm makes zero
`mean`      they are the mean of the old ones: of rows that ids pick
`draw`      they are drawn where they are written and where they are read
"""
Break = Literal["none", "shares", "noise", "moments"]
"""What makes copies of equal value part: unequal shares of what reads them, noise on these in
pairs, or the first moments of all but one copy, which begin anew."""
UNEVEN = 0.1
"""By how much the shares of two copies of two differ from a half."""


@dataclass(frozen=True, eq=False)
class Growth:
    """How a space of `old` places becomes one of `new`.

    Equal ones are one object, as the functions below make them.
    """

    old: int
    new: int
    how: How
    index: AxisMap
    shares: Factors = ()
    """The share of each copy in what reads it; those of one source sum to 1. None: all are 1."""
    scale: float = 1.0
    """What every value is multiplied by, which norms undo."""

    def share(self, at: int) -> float:
        """The share of one new place."""
        shares = self.shares
        return shares[at] if len(shares) > 1 else shares[0] if shares else 1.0

    @property
    def is_same(self) -> bool:
        """Whether nothing grows."""
        return self.how == "same" and self.scale == 1.0

    @property
    def is_whole(self) -> bool:
        """Whether every old place is copied equally often."""
        return self.how == "repeat" and self.new % self.old == 0


@lru_cache(maxsize=4096)
def same(n: int, scale: float = 1.0) -> Growth:
    """The growth of what does not grow, but may be scaled."""
    return Growth(n, n, "same", identity(n), scale=scale)


@lru_cache(maxsize=4096)
def scaled(growth: Growth, scale: float) -> Growth:
    """The same with values of another scale."""
    return replace(growth, scale=scale)


@lru_cache(maxsize=4096)
def repeat(n: int, times: int, block: int = 1, uneven: float = 0.0) -> Growth:
    """Every block of `block` places `times` times in a row, with shares that may be uneven."""
    shares: Factors = (1 / times,)
    if uneven:
        each = _shares(times, uneven)
        shares = tuple(share for _ in range(n // block) for share in each for _ in range(block))
    return Growth(n, n * times, "repeat", AxisMap((Repeat(0, n, times, block),)), shares)


def _shares(times: int, uneven: float) -> list[float]:
    """The shares of copies of one source: in pairs one more, one less; they sum to 1."""
    sign = [1, -1] * (times // 2) + [0] * (times % 2)
    return [(1 + 2 * uneven * s) / times for s in sign]


@lru_cache(maxsize=4096)
def append(n: int, m: int) -> Growth:
    """New places at the end, that are written and at first not read."""
    return Growth(n, m, "append", _longer(n, m))


@lru_cache(maxsize=4096)
def pad(n: int, m: int, scaled: bool = True) -> Growth:
    """Zeros at the end, and values scaled so that their mean square stays."""
    return Growth(n, m, "pad", _longer(n, m), scale=sqrt(m / n) if scaled else 1.0)


@lru_cache(maxsize=4096)
def tile(n: int, m: int) -> Growth:
    """As many whole copies as fit, then the mean of the values, scaled so that the variance stays.

    A LayerNorm makes the new places zero.
    """
    times = m // n
    parts = (Repeat(0, n, times, n) if times > 1 else Take(0, n), New(m - n * times))
    return Growth(n, m, "tile", AxisMap(parts), (1 / times,), sqrt(m / (times * n)))


@lru_cache(maxsize=4096)
def draw(n: int, m: int) -> Growth:
    """New places at the end, drawn where they are written and read."""
    return Growth(n, m, "draw", _longer(n, m))


@lru_cache(maxsize=4096)
def wrap(n: int, m: int, uneven: float = 0.0) -> Growth:
    """Place i copies place i mod n, with shares that may be uneven (Net2Net, arXiv 1511.05641)."""
    index = AxisMap.of([i % n for i in range(m)])
    shares = [_shares(len(range(i, m, n)), uneven) for i in range(n)]
    return Growth(n, m, "repeat", index, tuple(shares[i % n][i // n] for i in range(m)))


@lru_cache(maxsize=4096)
def rows(n: int, m: int, null: bool, how: How = "append") -> Growth:
    """New rows behind the old ones, or before the last of them, which is the null."""
    if not null:
        return Growth(n, m, how, _longer(n, m))
    first = [Take(0, n - 1)] if n > 1 else []
    return Growth(n, m, how, AxisMap((*first, New(m - n), Take(n - 1, 1))))


@lru_cache(maxsize=4096)
def hashed(n: int, m: int) -> Growth:
    """Row i of hashed words is row i modulo the old vocabulary; the last one is the null."""
    times = (m - 1) // (n - 1)
    parts = (Repeat(0, n - 1, times, n - 1), Take(n - 1, 1))
    return Growth(n, m, "repeat", AxisMap(parts), (*[1 / times] * (m - 1), 1.0))


@lru_cache(maxsize=4096)
def closed(n: int, m: int) -> Growth:
    """New places alone: of gates that begin at zero."""
    return Growth(n, m, "append", AxisMap((New(m),)))


@lru_cache(maxsize=4096)
def written(growth: Growth) -> Growth:
    """The same where a closed gate follows: what is written to new places may then be drawn."""
    return replace(growth, how="append") if growth.how == "pad" else growth


@lru_cache(maxsize=4096)
def added(m: int) -> Growth:
    """A part of a concatenation that the parent does not have: at first not read."""
    return Growth(0, m, "append", AxisMap((New(m),)))


def _longer(n: int, m: int) -> AxisMap:
    return AxisMap((Take(0, n), New(m - n))) if m > n else identity(n)


class Along(NamedTuple):
    """The growth of a place: of the spaces that it consists of, one after the other."""

    parts: tuple[Growth, ...]

    @property
    def old(self) -> int:
        """Old places."""
        return sum(part.old for part in self.parts)

    @property
    def new(self) -> int:
        """New places."""
        return sum(part.new for part in self.parts)

    @property
    def is_same(self) -> bool:
        """Whether nothing grows."""
        return all(part.is_same for part in self.parts)

    @property
    def indices(self) -> tuple[int, ...]:
        """The old place of each new one."""
        return _indices(self)

    @property
    def scales(self) -> set[float]:
        """The scales of its parts."""
        return {part.scale for part in self.parts}


@lru_cache(maxsize=4096)
def _indices(along: Along) -> tuple[int, ...]:
    if len(along.parts) == 1:
        return along.parts[0].index.indices
    found: list[int] = []
    start = 0
    for part in along.parts:
        found += [NEW if i == NEW else start + i for i in part.index.indices]
        start += part.old
    return tuple(found)
