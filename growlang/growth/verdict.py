"""What is proved of a grown component, or why it is not. Stdlib only."""

from __future__ import annotations

from typing import Literal, NamedTuple

from growlang.net import ComponentName

Level = Literal["exact", "exact to eps", "inexact"]
"""Whether a grown component computes what its parent's did: to rounding, to what a norm's eps is
worth, or not."""
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


def verdict(place: ComponentName, obstacles: list[Obstacle]) -> Verdict:
    """The verdict on a component with what keeps it from being exact."""
    worst = [o for o in obstacles if o.kind != "eps"]
    found = worst or obstacles
    if not found:
        return Verdict(place, "exact")
    more = f" (and {len(found) - 1} more)" if found[1:] else ""
    return Verdict(place, "inexact" if worst else "exact to eps", f"{found[0]}{more}")
