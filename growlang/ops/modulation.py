"""How the time embedding modulates the sublayers of a block: shift, scale and gate of each."""

from collections.abc import Mapping
from typing import Annotated, Literal, Protocol

from growlang.net import Scope
from growlang.net.axes import Axis, Layer, Role, Space, axis, reads
from growlang.ops.base import OpError
from growlang.ops.heads import WithHeads, has_bias
from growlang.ops.layers import linear, norm
from growlang.signatures.canonical import Later

Modulation = Annotated[Literal["branch", "block", "none"], Later()]
Affine = Annotated[bool | None, Later()]
MODULATION = (
    "a linear map of the time embedding for each sublayer, or one for the whole block; or none"
)
AFFINE = "whether the norms have a scale of their own; by default where time modulates nothing"


class Modulated(WithHeads, Protocol):
    """An op whose sublayers are modulated where there is a time embedding."""

    @property
    def norm(self) -> Literal["layer", "rms"]:
        """LayerNorm or RMSNorm before each sublayer."""

    @property
    def modulation(self) -> Literal["branch", "block", "none"]:
        """Whether each sublayer has a map of its own, or the block one for all; or none."""

    @property
    def affine(self) -> bool | None:
        """Whether the norms have a scale of their own; None where that follows."""

    @property
    def branches(self) -> Mapping[str, str | None]:
        """The sublayers, in order."""


def require_time(op: Modulated, scope: Scope) -> None:
    """Raise OpError where an argument is about a modulation that is not there."""
    if op.modulation == "none" and op.affine is False:
        raise OpError(
            "`affine = false` leaves the norms without a scale, and `modulation = none`",
            argument="affine",
            help="remove it",
        )
    if scope.time is not None or op.modulation == "none":
        return
    if op.modulation == "block":
        raise OpError(
            "`modulation = block` needs the time embedding, which the model does not have",
            argument="modulation",
            code="G212",
            help="remove it, or bind `time = fourier(width)` in the model",
        )
    if op.affine is False:
        raise OpError(
            "`affine = false` leaves the norms without a scale, and nothing modulates them",
            argument="affine",
            code="G212",
            help="remove it, or bind `time = fourier(width)` in the model",
        )


def used(op: Modulated, scope: Scope) -> Scope:
    """The scope without the time, where that modulates nothing."""
    return scope._replace(time=None) if op.modulation == "none" else scope


def is_affine(op: Modulated, scope: Scope) -> bool:
    """Whether the norms of the sublayers have a scale of their own."""
    return scope.time is None or bool(op.affine)


def entry(op: Modulated, branch: str, stream: Space, scope: Scope) -> tuple[Layer, ...]:
    """The modulation that time gives a sublayer, and the scale and shift of its norm.

    The one map of a block comes with its first sublayer: shift, scale and gate of each, in order.
    """
    layers = list[Layer]()
    if scope.time is not None:
        branches, time = list(op.branches), reads(Space("time", scope.time))
        rows: Axis = sum([axis(role, stream) for role in (Role.SHIFT, Role.SCALE, Role.GATE)], ())
        if op.modulation == "branch":
            name = f"{branch}.modulation"
            layers.append(linear(name, rows, time, init="zeros", branch=branch))
        elif branch == branches[0]:
            layers.append(linear("modulation", rows * len(branches), time, init="zeros"))
    if is_affine(op, scope):
        shift = op.norm == "layer" and has_bias(op, "norm")
        layers.append(norm(f"{branch}.norm", stream, shift=shift, branch=branch))
    return tuple(layers)
