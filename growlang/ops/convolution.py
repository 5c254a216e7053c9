"""Ops on feature maps: convolutions and residual blocks."""

from math import gcd
from typing import ClassVar

from growlang.net import Scope, Shape, grid
from growlang.net.axes import Axes, Role, Space, axis, normalised, reads, writes
from growlang.ops.base import Eps, Op, OpError
from growlang.ops.kept import FP32, Kept, Widths
from growlang.ops.layers import grouped, linear, mapped, norm, plain
from growlang.signatures.signature import argument


def group_count(channels: int) -> int:
    """Groups of a GroupNorm: 32, or the largest divisor that 32 and the channels share."""
    return gcd(32, channels)


def divided(x: Shape, factor: int) -> Shape:
    """The grid with both sides divided by `factor`; OpError if they do not divide."""
    channels, height, width = x.dims
    if height % factor or width % factor:
        raise OpError(
            f"`factor` {factor} does not divide the {height} x {width} grid",
            argument="factor",
            code="G204",
        )
    return grid(channels, height // factor, width // factor)


class Conv(Op):
    """Convolution with stride 1 that keeps the grid: `width` filters of `kernel` x `kernel`."""

    call = "conv"
    listed = 3
    source = "LeCun et al. 1989"
    input_kind = "grid"
    resized = "kernel"
    width: int = argument("channels of the output", ge=1)
    kernel: int = argument("kernel size, in pixels; odd", 3, ge=1)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(width, height, width of the grid)."""
        require_odd(self.kernel)
        return x.with_width(self.width)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`weight` (width, input channels, kernel, kernel) and `bias`."""
        return mapped("", x.width, self.width, self.kernel, self.kernel)

    def flops(self, x: Shape, scope: Scope) -> int:
        """One convolution."""
        return 2 * self.kernel**2 * x.size * self.width

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The input of the convolution."""
        return x.size

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """The input of the convolution, which is kept even where it does not learn."""
        return Kept(widths.maps * x.size, 0, widths.maps)


class ZeroConv(Op):
    """1 x 1 convolution that starts at zero (ControlNet, arXiv 2302.05543)."""

    call = "zero_conv"
    listed = 7
    source = "arXiv 2302.05543"
    input_kind = "grid"
    width: int = argument("channels of the output", ge=1)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """The same grid with `width` channels."""
        return x.with_width(self.width)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`weight` (width, input channels, 1, 1) and `bias`, both zero."""
        return mapped("", x.width, self.width, 1, 1, init="zeros")

    def flops(self, x: Shape, scope: Scope) -> int:
        """One product with the weight per pixel."""
        return 2 * x.size * self.width

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The input of the convolution."""
        return x.size

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """The input of the convolution, which is kept even where it does not learn."""
        return Kept(widths.maps * x.size, 0, widths.maps)


class ResidualBlock(Op):
    """Base of the residual blocks: two norms, two convolutions, and a map beside them if needed."""

    input_kind = "grid"
    is_residual = True
    resized = "kernel"
    width: int = argument("channels of the output", ge=1)
    kernel: int = argument("kernel size, in pixels; odd", 3, ge=1)
    eps: Eps = argument("added to the variance by its norms; by default 1e-6", None)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`norm1 conv1 [time] norm2 conv2 [skip]`, on whatever grids the convolutions are."""
        sides, groups = (self.kernel, self.kernel), self.numbers(x, scope)
        stream = grouped("x", x.width, groups["norm1.groups"])
        hidden = grouped("hidden", self.width, groups["norm2.groups"])
        out = stream if x.width == self.width else plain("out", self.width)
        inputs, layers = [reads(stream)], [norm("norm1", stream)]
        layers.append(linear("conv1", writes(hidden), normalised(stream), *sides))
        if scope.time is not None:
            time = reads(Space("time", scope.time))
            inputs.append(time)
            scaled = axis(Role.SCALE, hidden) + axis(Role.SHIFT, hidden)
            layers.append(linear("time", scaled, time, init="zeros"))
        layers.append(norm("norm2", hidden))
        last = linear("conv2", writes(out), normalised(hidden), *sides, init="zeros", place="last")
        layers.append(last)
        if out is not stream:
            layers.append(linear("skip", writes(out), reads(stream), 1, 1, place="skip"))
        return Axes(tuple(inputs), writes(out), tuple(layers))

    def flops(self, x: Shape, scope: Scope) -> int:
        """Two or three convolutions of the result's grid and the projection of the time."""
        pixels, width = self.output(x, scope).positions, self.width
        convolutions = pixels * width * self.kernel**2 * (x.width + width)
        skip = pixels * width * x.width if x.width != width else 0
        return 2 * (convolutions + skip + 2 * width * (scope.time or 0))

    def numbers(self, x: Shape, scope: Scope) -> dict[str, int]:
        """Groups of both norms."""
        widths = {"norm1.groups": x.width, "norm2.groups": self.width}
        return {name: scope.number(name, group_count(width)) for name, width in widths.items()}

    def reads(self, scope: Scope) -> tuple[str, ...]:
        """The time embedding, if there is one."""
        return ("time",) if scope.time is not None else ()


class Residual(ResidualBlock):
    """Residual block: GroupNorm, SiLU, conv, GroupNorm, SiLU, conv, on top of a skip.

    The second norm is scaled and shifted by the time embedding (ADM, arXiv 2105.05233); the last
    convolution starts at zero, so that a fresh block is its skip: the input, or a 1 x 1
    convolution of it where the width changes.
    """

    call = "residual"
    listed = 3
    source = "arXiv 2105.05233"
    takes_skips = True
    training_arguments = frozenset(("dropout",))
    behind: ClassVar[dict[str, str]] = {"dropout": "width"}
    dropout: float = argument("dropout probability", 0.0, ge=0, lt=1)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """The same grid with `width` channels."""
        require_odd(self.kernel)
        return x.with_width(self.width)

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """Inputs of two norms, two SiLUs, two convolutions, of the scaling and of the dropout."""
        timed = scope.time is not None
        inner = (3 + timed + (self.dropout > 0)) * self.width * x.positions
        statistics = 2 * sum(self.numbers(x, scope).values())
        return 3 * x.size + inner + statistics + 2 * (scope.time or 0) + timed * self.width

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """Of each branch what a norm, a SiLU and a convolution take; what time scales and drops."""
        timed, inner = scope.time is not None, self.width * x.positions
        branch = (2 * FP32 + widths.maps) * (x.size + inner) + (self.dropout > 0) * inner
        skip = widths.maps * x.size if self.width != x.width and widths.maps != FP32 else 0
        vectors = (FP32 + widths.maps) * (scope.time or 0) + timed * FP32 * self.width
        result = widths.maps if self.width != x.width else max(widths.x, widths.maps)
        statistics = 2 * FP32 * sum(self.numbers(x, scope).values())
        learning = vectors + timed * FP32 * inner if timed else 0
        return Kept(branch + skip + statistics, learning, result)


def require_odd(kernel: int) -> None:
    """OpError if a kernel has no centre."""
    if kernel % 2 == 0:
        raise OpError(
            f"`kernel` must be odd, not {kernel}: it would shift the grid by half a pixel",
            argument="kernel",
            help=f"write `kernel = {kernel + 1}`",
        )
