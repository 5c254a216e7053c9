"""Ops that change the layout of values, join them, and place them: internal ones."""

from typing import Literal

from growlang.net import Scope, Shape, grid, tokens
from growlang.net.axes import (
    Axes,
    Role,
    Space,
    Symmetry,
    axis,
    reads,
    writes,
)
from growlang.ops.base import Op, OpError
from growlang.ops.kept import FP32, Kept, Widths
from growlang.ops.layers import linear, passed_on, plain, table
from growlang.signatures.signature import argument


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
        return passed_on(x)


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
        return passed_on(x)


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


class Merge(Op):
    """A value with a skip appended, mapped back to its width (U-ViT, arXiv 2209.12152)."""

    call = "merge"
    called_as = "internal"
    source = "arXiv 2209.12152"
    input_kind = "any"
    is_join = True
    skip: int = argument("channels of the skip", ge=1)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """As the input."""
        return x

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`linear.weight` (width, width + skip) and `linear.bias`."""
        stream, skip, out = plain("x", x.width), plain("skip", self.skip), plain("out", x.width)
        last = linear("linear", writes(out), reads(stream) + reads(skip), place="last")
        return Axes((reads(stream), reads(skip)), writes(out), (last,))

    def flops(self, x: Shape, scope: Scope) -> int:
        """One product with the weight per place."""
        return 2 * x.size * (x.width + self.skip)

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """Both inputs, one behind the other."""
        return x.positions * (x.width + self.skip)

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """Both inputs; of pixels, which a convolution maps, even where it does not learn."""
        size = widths.maps * self.saved_activations(x, scope)
        return Kept(size, 0, widths.maps) if x.kind == "grid" else Kept(0, size, widths.maps)

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
        return passed_on(x, 2)

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
    where `height` and `width` tell the grid, else of the index (arXiv 1706.03762, sec. 3.5). The
    code of MAE, DiT and JiT has the column first: `sincos_xy`.
    """

    call = "position"
    called_as = "internal"
    source = "arXiv 2010.11929, arXiv 2111.06377, arXiv 1706.03762"
    input_kind = "tokens"
    is_join = True
    resized = "positions"
    kind: Literal["learned", "sincos", "sincos_xy"] = argument(
        "a table, or sines and cosines: of row, then column, or with `xy` of column, then row",
        "learned",
    )
    height: int | None = argument("rows of the grid that the tokens come from", None)
    width: int | None = argument("columns of that grid", None)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """As the input."""
        if self.kind == "sincos_xy" and not self.height:
            raise OpError("`sincos_xy` is of the tokens of an image", argument="position")
        if self.kind != "learned" and x.width % (4 if self.height else 2):
            raise OpError(
                f"`sincos` needs channels in {'fours' if self.height else 'pairs'}, not {x.width}",
                argument="position",
            )
        return x

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`position` (length, width), if learned; sines and cosines fix the channels."""
        if self.kind != "learned":
            fixed = Space("x", x.width, Symmetry.FIXED)
            return Axes((reads(fixed),), writes(fixed))
        length, stream = axis(Role.POSITION, x.positions), plain("x", x.width)
        learned = table("position", length, writes(stream), "position")
        return Axes((reads(stream),), writes(stream), (learned,))

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """Nothing; a learned table makes the result fp32, as it is itself."""
        return Kept(0, 0, FP32 if self.kind == "learned" else widths.x)
