"""What is said of transforms: the statement that makes one, and the reason for it. Stdlib only."""

from __future__ import annotations

from typing import NamedTuple

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
)

COMPUTED = {"eye": "the identity", "sincos": "sines and cosines"}
"""What a value that is computed is."""


class Reason(NamedTuple):
    """Why a tensor is transformed as it is."""

    what: str
    """What is done and why, such as `kept`: the same for all tensors of a kind."""
    detail: str = ""
    """More of it, which differs within a kind."""
    place: str = ""
    """Where the statement is that says so."""

    def __str__(self) -> str:
        what = f"{self.what} {self.detail}" if self.detail else self.what
        return f"{what}: {self.place}" if self.place else what


def rule(transform: Transform) -> str:
    """The statement that makes a transform, in short, such as `init like stem.conv.0.weight`."""
    match transform:
        case Copy():
            return "keep"
        case Move():
            return "moved"
        case Retain():
            return "retain"
        case Expand() | Stages() | Compute():
            return "grow"
        case Initialise(init):
            return f"init {init}"
        case Like(source):
            return f"init like {source}"
        case Drop():
            return "drop"


def reason(transform: Transform, place: object, value: str = "") -> Reason:
    """The reason for what a statement at `place` makes; `value` is what an `init` says."""
    match transform:
        case Copy():
            return Reason("kept", place=str(place))
        case Move():
            return Reason("moved", place=str(place))
        case Retain():
            return Reason("retained", place=str(place))
        case Expand() | Stages():
            return Reason("grown", place=str(place))
        case Compute(computed):
            return Reason(f"computed as {computed.kind}", place=str(place))
        case Initialise():
            return Reason(f"initialised as {value}", place=str(place))
        case Like():
            return Reason("initialised", value, str(place))
        case Drop():
            return Reason("dropped", place=str(place))


def made(transform: Transform) -> str:
    """What a rule of growth makes of a tensor."""
    match transform:
        case Initialise("zeros"):
            return "initialised as zero"
        case Initialise():
            return "initialised as its op declares"
        case Compute(computed):
            return f"computed as {COMPUTED[computed.kind]}"
        case _:
            return "grown"


def reason_of_new(replaces: bool, dropped: object | None = None) -> Reason:
    """The reason for a new tensor, which may replace one that is dropped at a place."""
    what = "redeclared" if replaces else "the parent has no such tensor"
    if replaces and dropped:
        return Reason(f"{what}; the parent's was dropped", place=str(dropped))
    return Reason(what)


UNUSED = Reason("dropped", place="unused by the child")
MEASURED_BEFORE = Reason("the variance of detail, measured before step 0")
BESIDE = Reason("declared beside the parent's, which is retained")
BETWEEN = Reason("dropped in between")


def reason_unstated(transform: Transform) -> Reason:
    """The reason for what becomes of tensors where no statement speaks."""
    match transform:
        case Copy():
            return Reason("the nets are equal")
        case Drop():
            return Reason("no statement keeps it")
        case _:
            return Reason("no statement takes it from the other spec")
