"""The mapping: what becomes of every tensor when one net grows into another. Stdlib only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Literal, NamedTuple, Self, get_args

from growlang.growth.space_json import GrownSpace
from growlang.growth.transforms import (
    Compute,
    Copy,
    Drop,
    Expand,
    Initialise,
    Like,
    Move,
    Retain,
    Stages,
    Transform,
    is_new,
    source_of,
    state_of,
)
from growlang.growth.verdict import Verdict
from growlang.growth.wording import Reason, rule
from growlang.net import ComponentName

Quantity = Literal["weight", "average", "first moment", "second moment"]
"""What the tensors are that a mapping is applied to."""
Category = Literal[
    "copied", "moved", "retained", "expanded", "initialised", "reinitialised", "dropped"
]
CATEGORIES: tuple[Category, ...] = get_args(Category)


class Entry(NamedTuple):
    """What becomes of one tensor: of the child, or a dropped one of the parent."""

    name: str
    transform: Transform
    reason: Reason
    shape: tuple[int, ...]
    replaces: bool = False
    """Whether it is new, and the parent has another tensor of its name."""

    @property
    def category(self) -> Category:
        """How the tensor is counted: a transform, and whether a new tensor has a namesake."""
        match self.transform:
            case Copy():
                return "copied"
            case Move():
                return "moved"
            case Retain():
                return "retained"
            case Expand() | Stages():
                return "expanded"
            case Initialise() | Like() | Compute():
                return "reinitialised" if self.replaces else "initialised"
            case Drop():
                return "dropped"

    @property
    def source(self) -> str | None:
        """The parent's tensor that it is."""
        return source_of(self.transform, self.name)

    @property
    def rule(self) -> str:
        """The statement that makes it so, in short."""
        return rule(self.transform)

    @property
    def parameters(self) -> int:
        """Number of scalars."""
        return prod(self.shape)

    @property
    def component(self) -> ComponentName:
        """The component that the tensor's name begins with."""
        return ComponentName.of_tensor(self.name)


@dataclass(frozen=True, repr=False, eq=False)
class Mapping:
    """Total on both sides: each tensor of the child, then each of the parent that is dropped.

    A tensor of the parent without an entry has a namesake in the child or is the source of one.
    """

    entries: tuple[Entry, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    """What is proved of each component that grows."""
    spaces: tuple[GrownSpace, ...] = ()
    """The spaces that grow, and how."""

    def __repr__(self) -> str:
        counts = [f"{n:,} {category}" for category, (n, _) in self.summary.items() if n]
        return f"Mapping({', '.join(counts) or 'no tensors'})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and (self.entries, self.verdicts) == (
            other.entries,
            other.verdicts,
        )

    def __hash__(self) -> int:
        return hash(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    @cached_property
    def by_name(self) -> dict[str, Entry]:
        """The entry of each tensor."""
        return {entry.name: entry for entry in self.entries}

    @cached_property
    def of_child(self) -> Self:
        """The entries of the child's tensors alone."""
        kept = (e for e in self.entries if not isinstance(e.transform, Drop))
        return replace(self, entries=tuple(kept))

    @property
    def summary(self) -> dict[Category, tuple[int, int]]:
        """(tensors, parameters) of each category."""
        totals = dict.fromkeys(CATEGORIES, (0, 0))
        for entry in self.entries:
            tensors, parameters = totals[entry.category]
            totals[entry.category] = (tensors + 1, parameters + entry.parameters)
        return totals

    @property
    def states(self) -> dict[str, str]:
        """The parent's tensor whose average and moments each tensor goes on with, if it does."""
        found = {e.name: state_of(e.transform, e.name) for e in self.entries}
        return {name: source for name, source in found.items() if source is not None}

    @property
    def new(self) -> frozenset[str]:
        """The tensors that begin anew, and those with entries that do."""
        return frozenset(entry.name for entry in self.entries if is_new(entry.transform))

    def by_component(self, components: Iterable[ComponentName]) -> dict[ComponentName, list[Entry]]:
        """The entries of each component, in the order in which components are first named."""
        grouped: dict[ComponentName, list[Entry]] = {name: [] for name in components}
        for entry in self.entries:
            grouped[entry.component].append(entry)
        return grouped

    def only(self, names: Collection[str]) -> Self:
        """The entries of some tensors."""
        return replace(self, entries=tuple(e for e in self.entries if e.name in names))
