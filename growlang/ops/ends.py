"""Ops at the ends of a net, on patches and single values, and the internal changes of layout."""

from typing import Literal

from growlang.net import Scope, Shape, grid, tokens
from growlang.net.axes import Axes, Role, Space, Symmetry, axis, normalised, reads, writes
from growlang.ops.base import Op, OpError
from growlang.ops.convolution import divided, group_count
from growlang.ops.kept import FP32, Kept, Widths
from growlang.ops.layers import grouped, linear, mapped, norm, plain, table, token_wise
from growlang.signatures.signature import argument


class Patch(Op):
    """Patches of `factor` x `factor` pixels, each mapped linearly (ViT, arXiv 2010.11929)."""

    call = "patch"
    listed = 1
    source = "arXiv 2010.11929"
    input_kind = "grid"
    resized = "patches"
    factor: int = argument("side of a patch, in pixels", ge=1)
    width: int = argument("channels of the output", ge=1)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(width, height / factor, width / factor)."""
        return divided(x, self.factor).with_width(self.width)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`proj.weight` (width, input channels, factor, factor) and `proj.bias`."""
        return mapped("proj", x.width, self.width, self.factor, self.factor)

    def flops(self, x: Shape, scope: Scope) -> int:
        """Every pixel enters one product with the weight."""
        return 2 * x.size * self.width

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The input of the convolution."""
        return x.size

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """The input of the convolution, which is kept even where it does not learn."""
        return Kept(widths.maps * x.size, 0, widths.maps)


class Unpatch(Op):
    """Back to pixels: GroupNorm, SiLU, zero-initialised 1 x 1 convolution, pixel shuffle.

    Channel c f^2 + i f + j of the convolution becomes row i, column j of a patch of the image's
    channel c: the order in which `patch` reads it (arXiv 1609.05158).
    """

    call = "unpatch"
    listed = 1
    source = "arXiv 1609.05158"
    input_kind = "grid"
    resized = "pixels"
    factor: int = argument("side of a patch, in pixels", ge=1)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(channels of the image, height * factor, width * factor)."""
        _, height, width = x.dims
        return grid(scope.channels, height * self.factor, width * self.factor)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`norm` and `proj` (channels * factor^2, input channels, 1, 1)."""
        stream = grouped("x", x.width, self.numbers(x, scope)["norm.groups"])
        out = plain("out", scope.channels)
        filters = writes(out, self.factor, self.factor)
        last = linear("proj", filters, normalised(stream), 1, 1, init="zeros", place="last")
        return Axes((reads(stream),), writes(out), (norm("norm", stream), last))

    def flops(self, x: Shape, scope: Scope) -> int:
        """One product with the weight per coarse pixel."""
        return 2 * x.size * scope.channels * self.factor**2

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The inputs of the norm, of the SiLU and of the convolution."""
        return 3 * x.size + 2 * self.numbers(x, scope)["norm.groups"]

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """The inputs of the norm, of the SiLU and of the convolution."""
        statistics = 2 * FP32 * self.numbers(x, scope)["norm.groups"]
        return Kept((2 * FP32 + widths.maps) * x.size + statistics, 0, widths.maps)

    def numbers(self, x: Shape, scope: Scope) -> dict[str, int]:
        """Groups of the norm."""
        return {"norm.groups": scope.number("norm.groups", group_count(x.width))}


class Linear(Op):
    """Linear map of the channels, the same at every pixel or token."""

    call = "linear"
    listed = 6
    source = "textbook"
    input_kind = "any"
    width: int = argument("channels of the output", ge=1)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """The same places with `width` channels."""
        return x.with_width(self.width)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`weight` (width, input channels) and `bias`."""
        return mapped("", x.width, self.width)

    def flops(self, x: Shape, scope: Scope) -> int:
        """One product with the weight per place."""
        return 2 * x.size * self.width

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The input."""
        return x.size

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """The input; of pixels, which a convolution maps, even where it does not learn."""
        size = widths.maps * x.size
        return Kept(size, 0, widths.maps) if x.kind == "grid" else Kept(0, size, widths.maps)


class Norm(Op):
    """GroupNorm of a grid (arXiv 1803.08494), LayerNorm of tokens (arXiv 1607.06450)."""

    call = "norm"
    listed = 5
    source = "arXiv 1803.08494, arXiv 1607.06450"
    input_kind = "any"

    def output(self, x: Shape, scope: Scope) -> Shape:
        """As the input."""
        return x

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`weight` and `bias`, one of each per channel."""
        groups = self.numbers(x, scope).get("groups")
        stream = grouped("x", x.width, groups) if groups else token_wise("x", x.width)
        return Axes((reads(stream),), normalised(stream), (norm("", stream, place="last"),))

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The input, with the mean and deviation of each group or token."""
        return x.size + 2 * self.numbers(x, scope).get("groups", x.positions)

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """The input in fp32, with the mean and deviation of each group or token."""
        return Kept(FP32 * self.saved_activations(x, scope), 0, FP32)

    def numbers(self, x: Shape, scope: Scope) -> dict[str, int]:
        """Groups of the norm of a grid."""
        if x.kind != "grid":
            return {}
        return {"groups": scope.number("groups", group_count(x.width))}


class Identity(Op):
    """The input as it is."""

    call = "identity"
    listed = 8
    source = "textbook"
    input_kind = "any"
    is_layout = True
    has_tensors = False

    def output(self, x: Shape, scope: Scope) -> Shape:
        """As the input."""
        return x

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """The same channels."""
        return _kept(x)


# --- internal: no syntax; the compiler places them ------------------------------------------------


class Tokens(Op):
    """A grid as tokens, row by row."""

    call = "tokens"
    called_as = "internal"
    source = "arXiv 2010.11929"
    input_kind = "grid"
    is_layout = True
    has_tensors = False

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(height * width, channels)."""
        return tokens(x.positions, x.width)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """The same channels."""
        return _kept(x)


class Grid(Op):
    """Tokens as a grid, row by row."""

    call = "grid"
    called_as = "internal"
    source = "arXiv 2010.11929"
    input_kind = "tokens"
    is_layout = True
    has_tensors = False
    height: int = argument("rows of the grid", ge=1)
    width: int = argument("columns of the grid", ge=1)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(channels, height, width)."""
        if self.height * self.width != x.positions:
            raise OpError(f"{x.positions} tokens do not fill a {self.height} x {self.width} grid")
        return grid(x.width, self.height, self.width)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """The same channels."""
        return _kept(x)


class Concat(Op):
    """A grid with the channels of a skip appended (U-Net, arXiv 1505.04597)."""

    call = "concat"
    called_as = "internal"
    source = "arXiv 1505.04597"
    input_kind = "grid"
    has_tensors = False
    is_join = True
    skip: int = argument("channels of the second input; a node's inputs tell them", 0, ge=0)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """The same grid with the channels of both."""
        return x.with_width(x.width + self.skip)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """The channels of the skip after those of the input."""
        stream, skip = plain("x", x.width), plain("skip", self.skip)
        return Axes((reads(stream), reads(skip)), writes(stream) + writes(skip))

    def others(self, x: Shape, scope: Scope) -> tuple[Shape, ...]:
        """The skip."""
        return (x.with_width(self.skip),)


class Sum(Op):
    """Base of the sums of two grids with equal channels."""

    called_as = "internal"
    source = "arXiv 2410.19324"
    input_kind = "grid"
    has_tensors = False
    is_join = True

    def output(self, x: Shape, scope: Scope) -> Shape:
        """As both inputs."""
        return x

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """The same channels in both inputs and the result."""
        return _kept(x, 2)

    def others(self, x: Shape, scope: Scope) -> tuple[Shape, ...]:
        """The second."""
        return (x,)


class Subtract(Sum):
    """What a coarser place changed: its output less its input (arXiv 2410.19324)."""

    call = "subtract"


class Add(Sum):
    """The skip of a level, added to what comes back up (arXiv 2410.19324)."""

    call = "add"


class Position(Op):
    """Position embedding, added to tokens: learned, or sines and cosines.

    The sines are of row and column, half of the channels each (MAE, arXiv 2111.06377, appendix),
    where `height` and `width` tell the grid, else of the index (arXiv 1706.03762, sec. 3.5).
    """

    call = "position"
    called_as = "internal"
    source = "arXiv 2010.11929, arXiv 2111.06377, arXiv 1706.03762"
    input_kind = "tokens"
    is_join = True
    resized = "positions"
    kind: Literal["learned", "sincos"] = argument("a table, or sines and cosines", "learned")
    height: int | None = argument("rows of the grid that the tokens come from", None)
    width: int | None = argument("columns of that grid", None)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """As the input."""
        if self.kind == "sincos" and x.width % (4 if self.height else 2):
            raise OpError(
                f"`sincos` needs channels in {'fours' if self.height else 'pairs'}, not {x.width}",
                argument="position",
            )
        return x

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`position` (length, width), if learned; sines and cosines fix the channels."""
        if self.kind == "sincos":
            fixed = Space("x", x.width, Symmetry.FIXED)
            return Axes((reads(fixed),), writes(fixed))
        length, stream = axis(Role.POSITION, x.positions), plain("x", x.width)
        learned = table("position", length, writes(stream), "position")
        return Axes((reads(stream),), writes(stream), (learned,))

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """Nothing; a learned table makes the result fp32, as it is itself."""
        return Kept(0, 0, FP32 if self.kind == "learned" else widths.x)


def _kept(x: Shape, inputs: int = 1) -> Axes:
    """The axes of an op that changes no channels of its inputs, all of the same ones."""
    stream = plain("x", x.width)
    return Axes((reads(stream),) * inputs, writes(stream))
