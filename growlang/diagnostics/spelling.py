"""Which known names one that is not known may have been meant to be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from functools import lru_cache

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789_"
MANY = 100
"""Among more names only those are near that are one slip away: others would take too long."""
LONGEST = 60
"""Characters of a name; nothing is near a longer one."""
SHORTEST = 5
"""Characters of a name that is surely meant by one like it: short words are like many others."""


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


def is_slip(name: str, meant: str, known: Iterable[str] = (), *, inside: bool = False) -> bool:
    """Whether `name` is `meant` with one slip of the fingers, and surely no other word.

    Words of another meaning are often as near as that: `adam` to `adamw`, `fp16` to `bf16`, `dct`
    to `dwt`, `inverse_sqr` to `inverse_sqrt`. So no other of the `known` names may be within two
    slips, a short word and one with digits is never sure, and with `inside` the slip may not be at
    the word's ends, unless two letters have changed places.
    """
    if len(meant) < SHORTEST or len(name) > LONGEST or any(map(str.isdigit, name + meant)):
        return False
    slips = set(_one_slip_away(name))
    within = sorted(name) == sorted(meant) or (name[0], name[-1]) == (meant[0], meant[-1])
    if meant not in slips or (inside and not within):
        return False
    others = {word for word in known if word != meant and abs(len(word) - len(name)) <= 2}
    return len(others) <= MANY and all(slips.isdisjoint(_one_slip_away(w)) for w in others)


def _one_slip_away(name: str) -> Iterator[str]:
    """The texts with one letter left out, swapped with the next, replaced or put in."""
    for at in range(len(name) + 1):
        before, after = name[:at], name[at:]
        yield before + after[1:]
        yield before + after[1:2] + after[:1] + after[2:]
        for letter in LETTERS:
            yield before + letter + after
            yield before + letter + after[1:]


def suggestion(
    name: str, known: Iterable[str], wrong: Callable[[str], bool] = lambda _: False
) -> str:
    """`did you mean ...?`, or nothing where no known name is close that is not `wrong`."""
    close = next((n for n in nearest(name, known, n=3) if not wrong(n)), "")
    return f"did you mean `{close}`?" if close else ""
