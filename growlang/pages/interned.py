"""Values that repeat, each once: blocks of one kind share what is said of them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any


class Interned:
    """A list of distinct values; `of` gives the index of one, which is added where it is new."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[Hashable, int] = {}

    def of(self, value: Hashable) -> int:
        """The index of a value."""
        if value not in self._places:
            self._places[value] = len(self.values)
            self.values.append(value)
        return self._places[value]


class Tables:
    """What the nodes of a page share."""

    def __init__(self) -> None:
        self.calls, self.places, self.shapes = Interned(), Interned(), Interned()
        self.layouts = Interned()
        """Of each tensor of a node: its name after the node's path, and its shape."""
        self.outcomes = Interned()
        """Of each tensor of a node: its category, its reason, its counterpart."""
        self.reasons = Interned()

    def as_json(self) -> dict[str, list[Any]]:
        """The values by the name of their table."""
        return {name: table.values for name, table in vars(self).items()}
