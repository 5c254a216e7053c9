"""The spaces of a net that grow, as data: of each its places, its index, shares and scale.

Stdlib only.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from growlang.growth.axis_map import (
    AxisMap,
    Factors,
    axis_from_json,
    axis_to_json,
    factors_from_json,
    factors_to_json,
)


class GrownSpace(NamedTuple):
    """Spaces that grow alike: the places of all of them, and what becomes of each."""

    places: tuple[str, ...]
    """Where they are, such as `core.transformer.0.mlp.hidden`."""
    old: int
    new: int
    how: str
    """As `growlang.growing.space_growth.How`."""
    axis: AxisMap
    shares: Factors = ()
    scale: float = 1.0

    def as_json(self) -> dict[str, Any]:
        """The fields, the index in parts, and the shares as short as they can be."""
        return {
            "places": list(self.places),
            "old": self.old,
            "new": self.new,
            "how": self.how,
            "index": axis_to_json(self.axis),
            "shares": factors_to_json(self.shares),
            "scale": self.scale,
        }


def space_from_json(data: object) -> GrownSpace:
    """The spaces that `as_json` gave. Raises ValueError if they are none."""
    match data:
        case {
            "places": [*places],
            "old": int(old),
            "new": int(new),
            "how": str(how),
            "index": index,
            "shares": shares,
            "scale": int(scale) | float(scale),
        }:
            named, parts = tuple(map(str, places)), axis_from_json(index)
            return GrownSpace(named, old, new, how, parts, factors_from_json(shares), float(scale))
    raise ValueError(f"not a space of a mapping: {data!r}")
