"""What becomes of each tensor, told from the child's side and from the parent's."""

from __future__ import annotations

from typing import NamedTuple

from growlang.growth.mapping import Category, Mapping
from growlang.growth.transforms import Drop, values_of
from growlang.net import Net


class Outcome(NamedTuple):
    """What becomes of one tensor of a net in the other one, or where it comes from."""

    category: Category
    reason: tuple[str, str]
    """The statement that makes it so, in short, and why."""
    others: tuple[str, ...] = ()
    """The tensors of the other net that it begins as, or that begin as it."""


def of_child(mapping: Mapping) -> dict[str, Outcome]:
    """The outcome of each tensor of the child."""
    found: dict[str, Outcome] = {}
    for entry in mapping.of_child:
        source = values_of(entry.transform, entry.name)
        others = () if source is None else (source,)
        found[entry.name] = Outcome(entry.category, (entry.rule, str(entry.reason)), others)
    return found


def of_parent(mapping: Mapping, parent: Net) -> dict[str, Outcome]:
    """The outcome of each tensor of the parent: what was made of it first, and all of it."""
    used: dict[str, list[str]] = {}
    first: dict[str, Outcome] = {}
    for name, outcome in of_child(mapping).items():
        for other in outcome.others:
            used.setdefault(other, []).append(name)
            kept = mapping.by_name[name].source is not None
            if kept and other not in first:
                first[other] = outcome
    return {
        name: _of_parent(name, mapping, first.get(name), tuple(used.get(name, ())))
        for name in parent.table
    }


def _of_parent(
    name: str, mapping: Mapping, first: Outcome | None, others: tuple[str, ...]
) -> Outcome:
    if first is not None:
        return Outcome(first.category, first.reason, others)
    entry = mapping.by_name.get(name)
    if entry is None:
        return Outcome("dropped", ("drop", ""), others)
    if isinstance(entry.transform, Drop):
        return Outcome("dropped", (entry.rule, str(entry.reason)), others)
    return Outcome("dropped", ("drop", f"the child's is new: {entry.reason}"), others)
