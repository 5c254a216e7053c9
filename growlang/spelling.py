"""Which known names one that is not known may have been meant to be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import lru_cache

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789_"
MANY = 100
"""Among more names only those are near that are one slip away: others would take too long."""
LONGEST = 60
"""Characters of a name; nothing is near a longer one."""


def nearest(name: str, known: Iterable[str], n: int = 1, cutoff: float = 0.6) -> list[str]:
    """Up to `n` of the known names, the nearest first; `cutoff` is that of difflib."""
    if len(name) > LONGEST:
        return []
    names = list(known)
    if len(names) > MANY:
        names = sorted(set(_one_slip_away(name)).intersection(names))
    return list(_close(name, tuple(names), n, cutoff))


@lru_cache(maxsize=256)
def _close(name: str, names: tuple[str, ...], n: int, cutoff: float) -> tuple[str, ...]:
    """Remembered, since a block that is called ten thousand times has its mistake as often."""
    return tuple(get_close_matches(name, names, n=n, cutoff=cutoff))


def _one_slip_away(name: str) -> Iterator[str]:
    """The texts with one letter left out, swapped with the next, replaced or put in."""
    for at in range(len(name) + 1):
        before, after = name[:at], name[at:]
        yield before + after[1:]
        yield before + after[1:2] + after[:1] + after[2:]
        for letter in LETTERS:
            yield before + letter + after
            yield before + letter + after[1:]
