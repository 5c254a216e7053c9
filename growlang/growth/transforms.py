"""What becomes of one tensor, as data: the transforms of a mapping, and their composition.

Stdlib only. `growlang.torch_backend.transforms` applies them to weights, averages and moments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from growlang.growth.axis_map import AxisMap, Factors


class Copy(NamedTuple):
    """The parent's tensor of the same name."""

    kind: Literal["copy"] = "copy"


class Move(NamedTuple):
    """The parent's tensor of another place."""

    source: str
    kind: Literal["move"] = "move"


class Retain(NamedTuple):
    """The parent's tensor, which stays in use as a part of what the parent computed."""

    source: str
    kind: Literal["retain"] = "retain"


class Expand(NamedTuple):
    """The parent's tensor with larger axes; entries that it does not give are initialised."""

    source: str
    dims: tuple[AxisMap, ...]
    """Of each axis, the old entry of each new one."""
    weight: tuple[Factors, ...] = ()
    """By axis, what weights and their averages are multiplied by."""
    moment: tuple[Factors, ...] | None = ()
    """By axis, what first moments are multiplied by, and second moments twice.

    None: moments and averages begin anew.
    """
    kind: Literal["expand"] = "expand"


class Initialise(NamedTuple):
    """A new tensor."""

    init: str
    """A row of the initialisers."""
    kind: Literal["initialise"] = "initialise"


class Like(NamedTuple):
    """A new tensor whose first values are those of one of the parent's."""

    source: str
    kind: Literal["like"] = "like"


class Drop(NamedTuple):
    """A tensor of the parent that the child does not use."""

    kind: Literal["drop"] = "drop"


Transform = Copy | Move | Retain | Expand | Initialise | Like | Drop


def source_of(transform: Transform, name: str) -> str | None:
    """The parent's tensor that the tensor `name` is; None of new ones and of dropped ones."""
    match transform:
        case Copy():
            return name
        case Move(source) | Retain(source) | Expand(source):
            return source
        case Initialise() | Like() | Drop():
            return None


def values_of(transform: Transform, name: str) -> str | None:
    """The parent's tensor with whose values the tensor `name` starts, as that tensor or not."""
    return transform.source if isinstance(transform, Like) else source_of(transform, name)


def state_of(transform: Transform, name: str) -> str | None:
    """The parent's tensor whose average and moments the tensor `name` goes on with."""
    anew = isinstance(transform, Expand) and transform.moment is None
    return None if anew else source_of(transform, name)


def is_new(transform: Transform) -> bool:
    """Whether a tensor begins anew, or some of its entries do."""
    match transform:
        case Initialise() | Like():
            return True
        case Expand(_, dims):
            from growlang.growth.axis_map import NEW

            return any(NEW in axis.indices for axis in dims)
    return False


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
    source = values_of(first, middle)
    assert source is not None
    kinds = {type(first), type(second)}
    if Expand in kinds:
        return _expanded(source, first, second)
    if Like in kinds:
        return Like(source)
    if Retain in kinds:
        return Retain(source)
    return Copy() if source == name else Move(source)


def _expanded(source: str, first: Transform, second: Transform) -> Expand:
    """The expansion that two transforms are together, of which one at least is an expansion."""
    match first, second:
        case Expand(), Expand():
            from growlang.growth.axis_map import compose_axes

            dims = tuple(map(compose_axes, first.dims, second.dims))
            weight = _factors(first.weight, second.weight, second.dims, dims)
            if first.moment is None or second.moment is None:
                return Expand(source, dims, weight, None)
            moment = _factors(first.moment, second.moment, second.dims, dims)
            return Expand(source, dims, weight, moment)
        case (Expand() as grown, other) | (other, Expand() as grown):
            anew = isinstance(other, Like)
            return grown._replace(source=source, moment=None if anew else grown.moment)
    raise AssertionError


def _factors(
    first: tuple[Factors, ...],
    second: tuple[Factors, ...],
    after: tuple[AxisMap, ...],
    composed: tuple[AxisMap, ...],
) -> tuple[Factors, ...]:
    """The factors of each axis of two expansions together; none where neither has any."""
    if not first and not second:
        return ()
    from growlang.growth.axis_map import compose_factors

    none: tuple[Factors, ...] = ((),) * len(composed)
    rows = zip(first or none, second or none, after, composed, strict=True)
    return tuple(compose_factors(*row) for row in rows)
