"""What is proved of a grown component, or why it is not. Stdlib only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple, get_args

from growlang.net import ComponentName

Level = Literal["exact", "exact to eps", "inexact"]
"""Whether a grown component computes what its parent's did: to rounding, to what a norm's eps is
worth, or not."""
LEVELS: tuple[Level, ...] = get_args(Level)
Kind = Literal["inexact", "eps", "dead", "incomparable", "impossible"]
"""Why it does not: another function; another eps; the same function, of which a part can never
train; no function of the parent's to compare with; no such growth at all."""


class Obstacle(NamedTuple):
    """What keeps a growth from being exact."""

    kind: Kind
    place: str
    """The op, the norm or the space at fault."""
    why: str
    mend: str = ""
    """The edit that makes it possible, or the nearest rule that holds."""
    rule: str = "widen"
    """The rule whose promise it breaks."""

    def __str__(self) -> str:
        return f"{self.place}: {self.why}"


class Verdict(NamedTuple):
    """What is proved of a component."""

    place: ComponentName
    level: Level
    reason: str = ""
    """Why it is not exact; empty where it is."""

    def __str__(self) -> str:
        return f"{self.level}: {self.reason}" if self.reason else self.level

    def as_json(self) -> dict[str, str]:
        """`name`, `verdict` and `reason`."""
        return {"name": self.place, "verdict": self.level, "reason": self.reason}


def verdict(place: ComponentName, obstacles: list[Obstacle]) -> Verdict:
    """The verdict on a component with what keeps it from being exact."""
    worst = [o for o in obstacles if o.kind != "eps"]
    found = worst or obstacles
    if not found:
        return Verdict(place, "exact")
    more = f" (and {len(found) - 1} more)" if found[1:] else ""
    return Verdict(place, "inexact" if worst else "exact to eps", f"{found[0]}{more}")


def over_generations(
    first: Sequence[Verdict], second: Sequence[Verdict], kept: Collection[str]
) -> tuple[Verdict, ...]:
    """What is proved of components over two generations, the worse of both.

    `kept` are the components that stay as they are in one of them; what is new has no verdict.
    """
    before, after = ({v.place: v for v in verdicts} for verdicts in (first, second))
    found: list[Verdict] = []
    for place in dict.fromkeys((*before, *after)):
        one, other = before.get(place), after.get(place)
        if one and other:
            found.append(max(one, other, key=lambda verdict: LEVELS.index(verdict.level)))
        elif (only := one or other) and place in kept:
            found.append(only)
    return tuple(found)
