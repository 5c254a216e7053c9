"""What growth promises, as it was measured. Stdlib only."""

from __future__ import annotations

from typing import NamedTuple


class Promise(NamedTuple):
    """One promise at one place, and what was measured of it."""

    name: str
    place: str
    """The component or the tensor; of all together, the worst."""
    measured: float
    limit: float
    """Most that may be measured."""
    means: str = ""
    """What is measured, in a few words."""

    @property
    def holds(self) -> bool:
        """Whether what was measured is within the limit; NaN is not."""
        return self.measured <= self.limit


class Standing(NamedTuple):
    """What becomes of a component, and what is proved of it."""

    name: str
    verdict: str
    """`kept`, `moved`, `retained`, `new` or `dropped`; of one that grows `exact`, `exact to eps`
    or `inexact`."""
    reason: str = ""
    """Why it is not exact."""
