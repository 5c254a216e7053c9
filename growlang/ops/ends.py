"""Ops at the ends of a net, on patches and single values, and the internal changes of layout."""

from typing import Literal

from growlang.net import Scope, Shape, Tensor, grid, tokens
from growlang.ops.base import Op, OpError
from growlang.ops.convolution import divided, group_count, norm_affine, weight_and_bias
from growlang.signatures.signature import argument


class Patch(Op):
    """Patches of `factor` x `factor` pixels, each mapped linearly (ViT, arXiv 2010.11929)."""

    call = "patch"
    source = "arXiv 2010.11929"
    takes = "grid"
    factor: int = argument("side of a patch, in pixels", ge=1)
    width: int = argument("channels of the output", ge=1)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(width, height / factor, width / factor)."""
        return divided(x, self.factor).with_width(self.width)

    def tensors(self, x: Shape, scope: Scope) -> tuple[Tensor, ...]:
        """`proj.weight` (width, input channels, factor, factor) and `proj.bias`."""
        return weight_and_bias("proj", self.width, x.width, self.factor, self.factor)

    def flops(self, x: Shape, scope: Scope) -> int:
        """Every pixel enters one product with the weight."""
        return 2 * x.size * self.width

    def saved(self, x: Shape, scope: Scope) -> int:
        """The input of the convolution."""
        return x.size


class Unpatch(Op):
    """Back to pixels: GroupNorm, SiLU, zero-initialised 1 x 1 convolution, pixel shuffle.

    Channel c f^2 + i f + j of the convolution becomes row i, column j of a patch of the image's
    channel c: the order in which `patch` reads it (arXiv 1609.05158).
    """

    call = "unpatch"
    source = "arXiv 1609.05158"
    takes = "grid"
    factor: int = argument("side of a patch, in pixels", ge=1)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(channels of the image, height * factor, width * factor)."""
        _, height, width = x.dims
        return grid(scope.channels, height * self.factor, width * self.factor)

    def tensors(self, x: Shape, scope: Scope) -> tuple[Tensor, ...]:
        """`norm` and `proj` (channels * factor^2, input channels, 1, 1)."""
        filters = scope.channels * self.factor**2
        return norm_affine("norm", x.width) + weight_and_bias(
            "proj", filters, x.width, 1, 1, init="zeros"
        )

    def flops(self, x: Shape, scope: Scope) -> int:
        """One product with the weight per coarse pixel."""
        return 2 * x.size * scope.channels * self.factor**2

    def saved(self, x: Shape, scope: Scope) -> int:
        """The inputs of the norm, of the SiLU and of the convolution."""
        return 3 * x.size + 2 * self.numbers(x, scope)["norm.groups"]

    def numbers(self, x: Shape, scope: Scope) -> dict[str, int]:
        """Groups of the norm."""
        return {"norm.groups": scope.number("norm.groups", group_count(x.width))}


class Linear(Op):
    """Linear map of the channels, the same at every pixel or token."""

    call = "linear"
    source = "textbook"
    takes = "any"
    width: int = argument("channels of the output", ge=1)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """The same places with `width` channels."""
        return x.with_width(self.width)

    def tensors(self, x: Shape, scope: Scope) -> tuple[Tensor, ...]:
        """`weight` (width, input channels) and `bias`."""
        weight = Tensor("weight", (self.width, x.width))
        return (weight, Tensor("bias", (self.width,), "zeros", decay=False))

    def flops(self, x: Shape, scope: Scope) -> int:
        """One product with the weight per place."""
        return 2 * x.size * self.width

    def saved(self, x: Shape, scope: Scope) -> int:
        """The input."""
        return x.size


class Norm(Op):
    """GroupNorm of a grid (arXiv 1803.08494), LayerNorm of tokens (arXiv 1607.06450)."""

    call = "norm"
    source = "arXiv 1803.08494, arXiv 1607.06450"
    takes = "any"

    def output(self, x: Shape, scope: Scope) -> Shape:
        """As the input."""
        return x

    def tensors(self, x: Shape, scope: Scope) -> tuple[Tensor, ...]:
        """`weight` and `bias`, one of each per channel."""
        return (
            Tensor("weight", (x.width,), "ones", decay=False),
            Tensor("bias", (x.width,), "zeros", decay=False),
        )

    def saved(self, x: Shape, scope: Scope) -> int:
        """The input, with the mean and deviation of each group or token."""
        return x.size + 2 * self.numbers(x, scope).get("groups", x.positions)

    def numbers(self, x: Shape, scope: Scope) -> dict[str, int]:
        """Groups of the norm of a grid."""
        if x.kind != "grid":
            return {}
        return {"groups": scope.number("groups", group_count(x.width))}


class Identity(Op):
    """The input as it is."""

    call = "identity"
    source = "textbook"
    takes = "any"

    def output(self, x: Shape, scope: Scope) -> Shape:
        """As the input."""
        return x


# --- internal: no syntax; the compiler places them ------------------------------------------------


class Tokens(Op):
    """A grid as tokens, row by row."""

    call = "tokens"
    source = "arXiv 2010.11929"
    takes = "grid"

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(height * width, channels)."""
        return tokens(x.positions, x.width)


class Grid(Op):
    """Tokens as a grid, row by row."""

    call = "grid"
    source = "arXiv 2010.11929"
    takes = "tokens"
    height: int = argument("rows of the grid", ge=1)
    width: int = argument("columns of the grid", ge=1)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(channels, height, width)."""
        if self.height * self.width != x.positions:
            raise OpError(f"{x.positions} tokens do not fill a {self.height} x {self.width} grid")
        return grid(x.width, self.height, self.width)


class Concat(Op):
    """A grid with the channels of a skip appended (U-Net, arXiv 1505.04597)."""

    call = "concat"
    source = "arXiv 1505.04597"
    takes = "grid"
    skip: int = argument("channels of the second input", ge=1)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """The same grid with the channels of both."""
        return x.with_width(x.width + self.skip)


class Subtract(Op):
    """What a coarser place changed: its output less its input (arXiv 2410.19324)."""

    call = "subtract"
    source = "arXiv 2410.19324"
    takes = "grid"

    def output(self, x: Shape, scope: Scope) -> Shape:
        """As both inputs."""
        return x


class Add(Op):
    """The skip of a level, added to what comes back up (arXiv 2410.19324)."""

    call = "add"
    source = "arXiv 2410.19324"
    takes = "grid"

    def output(self, x: Shape, scope: Scope) -> Shape:
        """As both inputs."""
        return x


class Position(Op):
    """Position embedding, added to tokens: learned, or sines and cosines.

    The sines are of row and column, half of the channels each (MAE, arXiv 2111.06377, appendix),
    where `height` and `width` tell the grid, else of the index (arXiv 1706.03762, sec. 3.5).
    """

    call = "position"
    source = "arXiv 2010.11929, arXiv 2111.06377, arXiv 1706.03762"
    takes = "tokens"
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

    def tensors(self, x: Shape, scope: Scope) -> tuple[Tensor, ...]:
        """`position` (length, width), if learned."""
        if self.kind == "sincos":
            return ()
        return (Tensor("position", x.dims, "position", decay=False),)
