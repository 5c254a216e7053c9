"""Which old entry each entry of a grown axis comes from, in a few parts. Stdlib only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

NEW = -1
"""The index of an entry that no old one gives."""


@dataclass(frozen=True)
class Take:
    """The `n` old entries from `start` on."""

    start: int
    n: int

    @property
    def size(self) -> int:
        """New entries."""
        return self.n

    def indices(self) -> list[int]:
        """The old entry of each new one."""
        return list(range(self.start, self.start + self.n))


@dataclass(frozen=True)
class Repeat:
    """The `n` old entries from `start` on, each block of `block` of them `times` times in a row."""

    start: int
    n: int
    times: int
    block: int

    def __post_init__(self) -> None:
        if self.block < 1 or self.n % self.block:
            raise ValueError(f"{self.n} entries are not blocks of {self.block}")

    @property
    def size(self) -> int:
        """New entries."""
        return self.n * self.times

    def indices(self) -> list[int]:
        """The old entry of each new one."""
        blocks = range(self.start, self.start + self.n, self.block)
        return [i for b in blocks for _ in range(self.times) for i in range(b, b + self.block)]


@dataclass(frozen=True)
class New:
    """`n` entries that no old one gives."""

    n: int

    @property
    def size(self) -> int:
        """New entries."""
        return self.n

    def indices(self) -> list[int]:
        """The old entry of each new one."""
        return [NEW] * self.n


@dataclass(frozen=True)
class Kron:
    """The map `inner`, once for each of `outer` stretches of `n` old entries."""

    outer: int
    n: int
    inner: AxisMap

    def __post_init__(self) -> None:
        if max(self.inner.indices, default=NEW) >= self.n:
            raise ValueError(f"a map of stretches of {self.n} entries reads past their end")

    @property
    def size(self) -> int:
        """New entries."""
        return self.outer * self.inner.size

    def indices(self) -> list[int]:
        """The old entry of each new one."""
        starts = range(0, self.outer * self.n, self.n)
        return [NEW if i == NEW else s + i for s in starts for i in self.inner.indices]


Part = Take | Repeat | New | Kron


@dataclass(frozen=True)
class AxisMap:
    """An index from the entries of a new axis into those of an old one, as its parts in order."""

    parts: tuple[Part, ...]

    @cached_property
    def indices(self) -> tuple[int, ...]:
        """The old entry of each new one, `NEW` where there is none."""
        return tuple(i for part in self.parts for i in part.indices())

    @property
    def size(self) -> int:
        """New entries."""
        return sum(part.size for part in self.parts)

    @cached_property
    def reach(self) -> int:
        """The last old entry that is taken; `NEW` where none is."""
        return max(self.indices, default=NEW)

    @cached_property
    def has_new(self) -> bool:
        """Whether there are entries that no old one gives."""
        return NEW in self.indices

    @cached_property
    def news(self) -> dict[int, int]:
        """Where entries begin that no old one gives, and how many they are."""
        found, at = dict[int, int](), 0
        for part in self.parts:
            if isinstance(part, New):
                found[at] = part.n
            at += part.size
        return found

    def is_identity(self, n: int) -> bool:
        """Whether it takes all of an axis of `n` entries, in order."""
        return self.parts == (Take(0, n),)

    @staticmethod
    def of(indices: Sequence[int]) -> AxisMap:
        """The map with these indices, in the parts that one pass finds: its normal form."""
        parts: list[Part] = []
        at = 0
        while at < len(indices):
            part = _part(indices, at)
            parts.append(part)
            at += part.size
        return AxisMap(tuple(parts))


@lru_cache(maxsize=256)
def beginning(index: AxisMap, n: int) -> AxisMap:
    """The map of its first `n` new entries alone, in normal form."""
    return AxisMap.of(index.indices[:n])


def identity(n: int) -> AxisMap:
    """The map of an axis of `n` entries that does not grow."""
    return AxisMap((Take(0, n),))


def compose_axes(first: AxisMap, second: AxisMap) -> AxisMap:
    """The map that does what `second` does to what `first` made, in normal form."""
    return AxisMap.of([NEW if i == NEW else first.indices[i] for i in second.indices])


def _part(indices: Sequence[int], at: int) -> Part:
    """The part that begins at a place, as long as it goes on."""
    start, end = indices[at], at + 1
    step = 0 if start == NEW else 1
    while end < len(indices) and indices[end] == indices[end - 1] + step:
        end += 1
    run = end - at
    if start == NEW:
        return New(run)
    times, n = _copies(indices, at, range(start, start + run)), run
    if times == 1:
        return Take(start, run)
    while _copies(indices, at + n * times, range(start + n, start + n + run)) >= times:
        n += run
    return Repeat(start, n, times, run)


def _copies(indices: Sequence[int], at: int, block: range) -> int:
    """How many copies of a block stand in a row at a place."""
    wanted, size, found = tuple(block), len(block), 0
    while tuple(indices[at + found * size : at + (found + 1) * size]) == wanted:
        found += 1
    return found


# --- factors -------------------------------------------------------------------------------------

Factors = tuple[float, ...]
"""What the entries of a new axis are multiplied by: one number each, one for all, or none."""


def compose_factors(first: Factors, second: Factors, after: AxisMap, composed: AxisMap) -> Factors:
    """The factors of two maps together, of which `after` is the second; 1 where nothing is read."""
    if len(first) <= 1 and len(second) <= 1:
        return (_factor(first, 0) * _factor(second, 0),) if first or second else ()
    return tuple(
        1.0 if old == NEW else _factor(first, middle) * _factor(second, new)
        for new, (middle, old) in enumerate(zip(after.indices, composed.indices, strict=True))
    )


def _factor(factors: Factors, at: int) -> float:
    if len(factors) <= 1:
        return factors[0] if factors else 1.0
    return factors[at]


# --- JSON ----------------------------------------------------------------------------------------


def axis_to_json(axis: AxisMap) -> list[list[object]]:
    """The parts, each a list that begins with its name."""
    return [_part_json(part) for part in axis.parts]


def _part_json(part: Part) -> list[object]:
    match part:
        case Take(start, n):
            return ["take", start, n]
        case Repeat(start, n, times, block):
            return ["repeat", start, n, times, block]
        case New(n):
            return ["new", n]
        case Kron(outer, n, inner):
            return ["kron", outer, n, axis_to_json(inner)]


def axis_from_json(data: object) -> AxisMap:
    """The map that `axis_to_json` gave. Raises ValueError if it is none."""
    if not isinstance(data, list):
        raise ValueError(f"not the map of an axis: {data!r}")
    return AxisMap(tuple(map(_part_from_json, data)))


def _part_from_json(data: object) -> Part:
    match data:
        case ["take", int(start), int(n)]:
            return Take(start, n)
        case ["repeat", int(start), int(n), int(times), int(block)]:
            return Repeat(start, n, times, block)
        case ["new", int(n)]:
            return New(n)
        case ["kron", int(outer), int(n), inner]:
            return Kron(outer, n, axis_from_json(inner))
    raise ValueError(f"not a part of the map of an axis: {data!r}")


LONGEST_CYCLE = 256
"""Most numbers that a repeated pattern of factors is looked for with."""


def factors_to_json(factors: Factors) -> list[float] | dict[str, Any]:
    """The numbers or, where they repeat, `{"cycle": [...], "times": n}`."""
    n = len(factors)
    for period in range(2, min(n // 2, LONGEST_CYCLE) + 1):
        if n % period == 0 and factors == factors[:period] * (n // period):
            return {"cycle": list(factors[:period]), "times": n // period}
    return list(factors)


def factors_from_json(data: object) -> Factors:
    """The factors that `factors_to_json` gave. Raises ValueError if they are none."""
    match data:
        case {"cycle": [*numbers], "times": int(times)}:
            return factors_from_json(numbers) * times
        case [*numbers]:
            found = [float(n) for n in numbers if isinstance(n, int | float)]
            if len(found) == len(numbers):
                return tuple(found)
    raise ValueError(f"not the factors of an axis: {data!r}")
