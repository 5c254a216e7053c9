"""What becomes of one tensor, as data: the transforms of a mapping, and their composition.

Stdlib only. `growlang.torch_backend.transforms` applies them to weights, averages and moments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from growlang.growth.axis_map import AxisMap, Factors
    from growlang.growth.constants import Constant, Resample, Source


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
    constants: tuple[Constant, ...] = ()
    """What is added, and how new entries begin; zero where nothing says so."""
    second: tuple[Factors, ...] | None = None
    """By axis, what second moments are multiplied by twice, where not as first ones."""
    resample: tuple[Resample, ...] = ()
    """What is done to the parent's tensor before."""
    init: str = ""
    """The row of the initialisers that drawn entries are of; empty where none are drawn."""
    kind: Literal["expand"] = "expand"


class Compute(NamedTuple):
    """A new tensor with a value that follows from what the parent computes."""

    value: Source
    dims: tuple[AxisMap, ...]
    """Of each axis, the entry of the value for each entry of the tensor; 0 where it is new."""
    weight: tuple[Factors, ...] = ()
    """By axis, what the value is multiplied by."""
    then: tuple[Expand, ...] = ()
    """What later generations make of it."""
    kind: Literal["compute"] = "compute"


class Stages(NamedTuple):
    """Expansions of one of the parent's tensors, one after the other."""

    source: str
    steps: tuple[Expand, ...]
    kind: Literal["stages"] = "stages"


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


Transform = Copy | Move | Retain | Expand | Stages | Compute | Initialise | Like | Drop


def source_of(transform: Transform, name: str) -> str | None:
    """The parent's tensor that the tensor `name` is; None of new ones and of dropped ones."""
    match transform:
        case Copy():
            return name
        case Move(source) | Retain(source) | Expand(source) | Stages(source):
            return source
        case Compute() | Initialise() | Like() | Drop():
            return None


def values_of(transform: Transform, name: str) -> str | None:
    """The parent's tensor with whose values the tensor `name` starts, as that tensor or not."""
    return transform.source if isinstance(transform, Like) else source_of(transform, name)


def state_of(transform: Transform, name: str) -> str | None:
    """The parent's tensor whose average and moments the tensor `name` goes on with."""
    steps = transform.steps if isinstance(transform, Stages) else (transform,)
    anew = any(isinstance(step, Expand) and step.moment is None for step in steps)
    return None if anew else source_of(transform, name)


def steps_of(transform: Expand | Stages) -> tuple[Expand, ...]:
    """The expansions of a transform, one after the other."""
    return transform.steps if isinstance(transform, Stages) else (transform,)


def is_new(transform: Transform) -> bool:
    """Whether a tensor begins anew, or some of its entries do."""
    match transform:
        case Initialise() | Like() | Compute():
            return True
        case Expand() | Stages():
            from growlang.growth.axis_map import NEW

            steps = transform.steps if isinstance(transform, Stages) else (transform,)
            return any(NEW in axis.indices for step in steps for axis in step.dims)
    return False
