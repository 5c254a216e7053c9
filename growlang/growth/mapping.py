"""The mapping: what becomes of every tensor when one net grows into another."""

from collections.abc import Iterable
from math import prod
from typing import Literal, NamedTuple, get_args

Category = Literal["copied", "moved", "expanded", "initialised", "reinitialised", "dropped"]
CATEGORIES: tuple[Category, ...] = get_args(Category)


class Entry(NamedTuple):
    """What becomes of one tensor: of the child, or a `dropped` one of the parent."""

    name: str
    category: Category
    source: str | None
    """The parent's tensor that it comes from."""
    rule: str
    reason: str
    shape: tuple[int, ...]
    like: str | None = None
    """The parent's tensor whose values a new one begins with, without being that tensor."""

    @property
    def parameters(self) -> int:
        """Number of scalars."""
        return prod(self.shape)

    @property
    def component(self) -> str:
        """The component that the tensor's name begins with."""
        first, second, *_ = self.name.split(".")
        return f"{first}.{second}" if first == "stage" else first


Mapping = tuple[Entry, ...]
"""Total on both sides: each tensor of the child, then each tensor of the parent that is dropped."""


def summary(entries: Iterable[Entry]) -> dict[Category, tuple[int, int]]:
    """(tensors, parameters) of each category."""
    totals = {category: (0, 0) for category in CATEGORIES}
    for entry in entries:
        tensors, parameters = totals[entry.category]
        totals[entry.category] = (tensors + 1, parameters + entry.parameters)
    return totals
