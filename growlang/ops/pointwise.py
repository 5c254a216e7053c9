"""Ops on single values and on the channels of each place."""

from growlang.net import Scope, Shape
from growlang.net.axes import (
    Axes,
    Space,
    normalised,
    reads,
    writes,
)
from growlang.ops.base import Op
from growlang.ops.convolution import group_count
from growlang.ops.kept import FP32, Kept, Widths
from growlang.ops.layers import grouped, mapped, norm, passed_on, token_wise
from growlang.signatures.signature import argument


class Activation(Op):
    """Base of the activations: a function of each value by itself."""

    listed = 7
    input_kind = "any"
    has_tensors = False

    def output(self, x: Shape, scope: Scope) -> Shape:
        """As the input."""
        return x

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """The same channels, which may be permuted and not scaled."""
        stream = Space("x", x.width)
        return Axes((reads(stream),), writes(stream))

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The input."""
        return x.size

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """The input as it is."""
        return Kept(widths.x * x.size, 0, widths.x)


class SiLU(Activation):
    """SiLU of each value: x sigmoid(x)."""

    call = "silu"
    source = "arXiv 1702.03118"


class GELU(Activation):
    """GELU of each value, exact: x Phi(x)."""

    call = "gelu"
    source = "arXiv 1606.08415"


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
        return passed_on(x)
