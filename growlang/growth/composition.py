"""The mapping over several generations. Stdlib only."""

from __future__ import annotations

from collections.abc import Iterable

from growlang.growth import verdict
from growlang.growth.expansions import compose_expansions
from growlang.growth.mapping import Entry, Mapping
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
    source_of,
    steps_of,
    values_of,
)
from growlang.growth.wording import BETWEEN, Reason, reason_unstated
from growlang.net import Net


def unchanged(net: Net) -> Mapping:
    """The mapping of a net to itself."""
    reason = reason_unstated(Copy())
    return Mapping(tuple(Entry(t.name, Copy(), reason, t.shape) for t in net.tensors()))


def over_generations(first: Mapping, second: Mapping, parent: Net) -> Mapping:
    """The mapping that is `second` after `first`, whose parent's net is `parent`."""
    entries = [_composed(entry, first, parent) for entry in second.of_child]
    copied = [{e.component for e in m if isinstance(e.transform, Copy)} for m in (first, second)]
    verdicts = verdict.over_generations(first.verdicts, second.verdicts, set().union(*copied))
    return Mapping((*entries, *dropped(entries, parent, BETWEEN)), verdicts)


def compose(first: Transform, second: Transform, name: str) -> Transform:
    """One transform that does what `second` does to what `first` made, for the tensor `name`.

    What is new after the first is new after both. A tensor that `Like` made on the way goes on
    with no moments; one that was retained stays so. Raises ValueError where `second` reads what
    `first` dropped.
    """
    middle = values_of(second, name)
    if middle is None:
        return second
    match first:
        case Drop():
            raise ValueError(f"{name} cannot be made from {middle}, which is dropped")
        case Initialise():
            return first
        case Compute() if isinstance(second, Expand | Stages):
            return first._replace(then=(*first.then, *steps_of(second)))
        case Compute():
            return first
    source = values_of(first, middle)
    assert source is not None
    kinds = {type(first), type(second)}
    if kinds & {Expand, Stages}:
        return compose_expansions(source, first, second)
    if Like in kinds:
        return Like(source)
    if Retain in kinds:
        return Retain(source)
    return Copy() if source == name else Move(source)


def dropped(entries: Iterable[Entry], parent: Net, reason: Reason) -> list[Entry]:
    """The entries of the parent's tensors that the child's neither are nor replace."""
    used = {name for e in entries for name in (e.source, e.name)}
    rest = (t for t in parent.tensors() if t.name not in used)
    return [Entry(t.name, Drop(), reason, t.shape) for t in rest]


def _composed(entry: Entry, first: Mapping, parent: Net) -> Entry:
    """The entry of a child's tensor, from the parent's parent."""
    transform, reason = entry.transform, entry.reason
    if (middle := values_of(transform, entry.name)) is not None:
        before = first.by_name[middle]
        transform = compose(before.transform, transform, entry.name)
        if entry.source and source_of(transform, entry.name) is None:
            reason = before.reason
    replaces = source_of(transform, entry.name) is None and entry.name in parent.table
    return Entry(entry.name, transform, reason, entry.shape, replaces)
