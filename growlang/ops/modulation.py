"""How the time embedding modulates the sublayers of a block: shift, scale and gate of each."""

from collections.abc import Mapping
from typing import Annotated, Literal, Protocol

from growlang.net import Scope
from growlang.net.axes import Axis, Layer, Parameter, Role, Space, axis, reads
from growlang.ops.base import OpError
from growlang.ops.heads import WithHeads, has_bias
from growlang.ops.layers import linear, norm
from growlang.signatures.canonical import Later
from growlang.signatures.signature import Conditions

Modulation = Annotated[Literal["branch", "block", "shared", "none"], Later()]
Affine = Annotated[bool | None, Later()]
Sublayers = Annotated[list[str], Conditions(), Later()]
MODULATION = (
    "a linear map of the time embedding for each sublayer, or one for the whole block; or one that "
    "all blocks of the core share, each with a table that is added; or none"
)
AFFINE = "whether the norms have a scale of their own; by default where time modulates nothing"
UNMODULATED = (
    "of `attend`, the sublayers that time does not modulate: they have no gate, and their norms a "
    "scale of their own"
)
UNNORMED = "of these, the sublayers without a norm"


class Modulated(WithHeads, Protocol):
    """An op whose sublayers are modulated where there is a time embedding."""

    @property
    def norm(self) -> Literal["layer", "rms"]:
        """LayerNorm or RMSNorm before each sublayer."""

    @property
    def modulation(self) -> Literal["branch", "block", "shared", "none"]:
        """Whether each sublayer has a map of its own, the block one, or the core; or none."""

    @property
    def affine(self) -> bool | None:
        """Whether the norms have a scale of their own; None where that follows."""

    @property
    def unmodulated(self) -> list[str]:
        """What the sublayers attend to that time does not modulate."""

    @property
    def unnormed(self) -> list[str]:
        """What the sublayers attend to that have no norm."""

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
    _require_sublayers(op, scope)
    if op.modulation == "shared" and op.affine:
        raise OpError(
            "`affine = true` gives norms a scale of their own, and with `modulation = shared` one "
            "map scales all of them",
            argument="affine",
            help="remove it, or write `modulation = block`",
        )
    if scope.time is not None or op.modulation == "none":
        return
    if op.modulation in ("block", "shared"):
        raise OpError(
            f"`modulation = {op.modulation}` needs the time embedding, which the model does not "
            "have",
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


def _require_sublayers(op: Modulated, scope: Scope) -> None:
    """Raise OpError where `unmodulated` or `unnormed` names no sublayer that it is about."""
    for argument, named in (("unmodulated", op.unmodulated), ("unnormed", op.unnormed)):
        for name in named:
            if name not in op.attend:
                known = ", ".join(op.attend)
                raise OpError(
                    f"`{argument}` lists `{name}`, to which no sublayer attends",
                    argument=argument,
                    help=f"choose of {known}, or remove it",
                )
    is_timed = scope.time is not None and op.modulation != "none"
    if op.unmodulated and (not is_timed or not modulated(op)):
        raise OpError(
            "`unmodulated` leaves nothing that time modulates"
            if is_timed
            else "`unmodulated` has no effect: time modulates nothing",
            argument="unmodulated",
            help="remove it" if not is_timed else "write `modulation = none`",
        )
    if is_timed and (wrong := [name for name in op.unnormed if name not in op.unmodulated]):
        raise OpError(
            f"`unnormed` lists `{wrong[0]}`, whose norm the time embedding modulates",
            argument="unnormed",
            help=f"add `unmodulated = [{', '.join(op.unnormed)}]`, or remove it",
        )


def used(op: Modulated, scope: Scope) -> Scope:
    """The scope without the time, where that modulates nothing."""
    return scope._replace(time=None) if op.modulation == "none" else scope


def of_branch(op: Modulated, branch: str, scope: Scope) -> Scope:
    """The scope of a sublayer: without the time, where that does not modulate it."""
    return scope if branch in modulated(op) else scope._replace(time=None)


def modulated(op: Modulated) -> list[str]:
    """The sublayers that time modulates, where there is one, in order."""
    return [branch for branch, name in op.branches.items() if name not in op.unmodulated]


def is_normed(op: Modulated, branch: str) -> bool:
    """Whether a sublayer begins with a norm."""
    return op.branches[branch] not in op.unnormed


def is_affine(op: Modulated, scope: Scope) -> bool:
    """Whether the norms of sublayers, of which `scope` is, have a scale of their own."""
    return scope.time is None or bool(op.affine)


def entry(op: Modulated, branch: str, stream: Space, scope: Scope) -> tuple[Layer, ...]:
    """The modulation that time gives a sublayer, and the scale and shift of its norm.

    The one map of a block comes with its first sublayer: shift, scale and gate of each, in order.
    So does the table that is added to the map that blocks share.
    """
    layers, scope = list[Layer](), of_branch(op, branch, scope)
    if scope.time is not None:
        branches, time = modulated(op), reads(Space("time", scope.time))
        if op.modulation == "branch":
            name = f"{branch}.modulation"
            layers.append(linear(name, rows(stream), time, init="zeros", branch=branch))
        elif op.modulation == "block" and branch == branches[0]:
            layers.append(linear("modulation", rows(stream, len(branches)), time, init="zeros"))
        elif op.modulation == "shared" and branch == branches[0]:
            one = Parameter("table", (rows(stream, len(branches)), axis(Role.POSITION, 1)), "zeros")
            layers.append(Layer("table", "table", one))
    if is_normed(op, branch) and is_affine(op, scope):
        shift = op.norm == "layer" and has_bias(op, "norm")
        layers.append(norm(f"{branch}.norm", stream, shift=shift, branch=branch))
    return tuple(layers)


def rows(stream: Space, sublayers: int = 1) -> Axis:
    """The shift, scale and gate of sublayers, one behind the other."""
    one: Axis = sum([axis(role, stream) for role in (Role.SHIFT, Role.SCALE, Role.GATE)], ())
    return one * sublayers


def given(op: Modulated, stream: Space, time: int) -> Axis:
    """The channels of what a block is given of the time: the embedding, or its own rows of it."""
    if op.modulation == "shared":
        return reads(3 * len(modulated(op)), stream)
    return reads(Space("time", time))
