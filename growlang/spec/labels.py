"""Class labels: names, and the numbers that a net reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from growlang.diagnostics.spelling import nearest
from growlang.ops import Condition

SHOWN = 8
"""Names of classes that a message lists."""


@dataclass(frozen=True)
class Labels:
    """The classes of a model."""

    count: int | None = None
    """How many there are; None where any integer is a label."""
    names: tuple[str, ...] = ()
    """Their names in the order of their numbers, where they have any."""

    @staticmethod
    def of(conditions: Iterable[Condition]) -> Labels:
        """The classes that conditions read; where several do, those that all of them have."""
        found = [c for c in conditions if c.labels() is not None]
        counts = [n for c in found if (n := c.labels()) is not None]
        named = next((names for c in found if (names := c.label_names())), ())
        return Labels(min(counts, default=None), named)

    def named(self, text: str) -> int | None:
        """The number of the class of that name."""
        return self.names.index(text) if text in self.names else None

    def read(self, text: str) -> int | None:
        """The number of the class that a text names, or is; None for any other text."""
        return number_of(text, self.names)

    def name(self, number: int | None) -> str:
        """The name of a class, or its number where it has none; empty for no class."""
        if number is None:
            return ""
        return self.names[number] if 0 <= number < len(self.names) else str(number)

    def about(self, text: str) -> str:
        """The names that there are, and the one that a text may be a slip for."""
        near = self.near(text)
        return f"{near} The classes are {self.listed()}" if near else f"use {self.asked()}"

    def near(self, text: str) -> str:
        """The name that a text may be a slip for, as a question; empty where none is near."""
        lower = {name.lower(): name for name in self.names}
        close = nearest(text.strip().lower(), lower)
        return f"did you mean `{lower[close[0]]}`?" if close else ""

    def refusal(self, text: str) -> str:
        """Why a prompt is no label."""
        if not self.names:
            return "the model takes labels, not text"
        near = self.near(text)
        return "it is no class of the model" + (f"; {near}" if near else "")

    def listed(self) -> str:
        """The names for a message."""
        more = f" and {len(self.names) - SHOWN} more" if len(self.names) > SHOWN else ""
        return ", ".join(f"`{name}`" for name in self.names[:SHOWN]) + more

    def asked(self) -> str:
        """What a prompt may be, for a message: `a label from 0 to 9`, or one of the names."""
        if self.names:
            return f"one of {self.listed()}"
        return "a label" if self.count is None else f"a label from 0 to {self.count - 1}"


def number_of(text: str, names: Sequence[str]) -> int | None:
    """The number of the class that a text names, or is; None for any other text."""
    text = text.strip()
    if text in names:
        return names.index(text)
    try:
        return int(text) if text.isdecimal() else None
    except ValueError:  # more digits than Python reads
        return None


def in_order(labels: Iterable[str]) -> tuple[str, ...]:
    """The classes that labels name, in their order: numbers by their size, names by letters."""
    distinct = sorted(set(labels))
    numbers = all(label.isdecimal() for label in distinct)
    return tuple(sorted(distinct, key=int) if numbers else distinct)


def named_or_counted(labels: Iterable[str]) -> tuple[tuple[str, ...], int]:
    """The names of the classes that labels name, in order, and their number.

    Labels that are the numbers from 0 to n - 1 need no names.
    """
    classes = in_order(labels)
    counted = classes == tuple(map(str, range(len(classes))))
    return () if counted else classes, len(classes)


ANY = Labels()
"""Any integer is a label."""
