"""What ops declare their axes with: spaces of channels; layers: linear maps, norms and tables."""

from typing import Literal

from growlang.net import Shape
from growlang.net.axes import (
    Axes,
    Axis,
    Layer,
    Normalisation,
    Parameter,
    Role,
    Space,
    Symmetry,
    axis,
    reads,
    writes,
)

Place = Literal["inside", "last", "skip"]


def plain(name: str, channels: int) -> Space:
    """Channels that linear maps alone read and write; `Space(name, size)` behind an activation."""
    return Space(name, channels, Symmetry.SCALED)


def grouped(name: str, channels: int, groups: int) -> Space:
    """Channels that a GroupNorm reads."""
    return Space(name, channels, norm=Normalisation("group", groups))


def token_wise(name: str, channels: int, kind: Literal["layer", "rms"] = "layer") -> Space:
    """Channels that a LayerNorm or RMSNorm reads, all of a token at once."""
    return Space(name, channels, norm=Normalisation(kind))


def linear(
    name: str,
    rows: Axis,
    columns: Axis,
    *kernel: int,
    init: str = "linear",
    bias: bool = True,
    branch: str = "",
    place: Place = "inside",
) -> Layer:
    """A linear map, or a convolution with sides of `kernel` pixels, and its bias, which is zero.

    `rows` are its outputs: `writes(hidden) + writes(hidden)` where it computes two values of one
    space. `init` is one of `growlang.initial_values.INITIALISERS`. Without a name its
    tensors are the op's own, `weight` and `bias`.
    """
    prefix = f"{name}." if name else ""
    axes = (rows, columns, *[axis(Role.KERNEL, side) for side in kernel])
    weight = Parameter(f"{prefix}weight", axes, init, decay=True)
    shift = Parameter(f"{prefix}bias", (rows,), "zeros") if bias else None
    return Layer(name, "map", weight, shift, branch, place)


def depthwise(name: str, space: Space, *kernel: int, branch: str = "") -> Layer:
    """A convolution of each channel by itself; its result is indexed as the space is."""
    axes = (axis(Role.DEPTHWISE, space), *[axis(Role.KERNEL, side) for side in (1, *kernel)])
    weight = Parameter(f"{name}.weight", axes, "linear", decay=True)
    return Layer(name, "map", weight, Parameter(f"{name}.bias", (writes(space),), "zeros"), branch)


def norm(
    name: str,
    space: Space,
    *,
    role: Role = Role.NORM_SCALE,
    shift: bool = True,
    branch: str = "",
    place: Place = "inside",
) -> Layer:
    """What a norm of a space multiplies by and, with `shift`, adds."""
    prefix = f"{name}." if name else ""
    weight = Parameter(f"{prefix}weight", (axis(role, space),), "ones")
    by = Role.TIED_SHIFT if role is Role.TIED_SCALE else Role.NORM_SHIFT
    added = Parameter(f"{prefix}bias", (axis(by, space),), "zeros") if shift else None
    return Layer(name, "norm", weight, added, branch, place)


def table(name: str, rows: Axis, columns: Axis, init: str) -> Layer:
    """A row of values for each id, class or position; its one tensor has its name."""
    return Layer(name, "table", Parameter(name, (rows, columns), init), place="last")


def mapped(name: str, width: int, to: int, *kernel: int, init: str = "linear") -> Axes:
    """The axes of an op that is one linear map or convolution of its channels."""
    x, out = plain("x", width), plain("out", to)
    layer = linear(name, writes(out), reads(x), *kernel, init=init, place="last")
    return Axes((reads(x),), writes(out), (layer,))


def passed_on(x: Shape, inputs: int = 1) -> Axes:
    """The axes of an op that changes no channels of its inputs, all of the same ones."""
    stream = plain("x", x.width)
    return Axes((reads(stream),) * inputs, writes(stream))
