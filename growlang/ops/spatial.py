"""Attention of the positions of a grid, as U-Nets have it beside their residual blocks."""

from math import gcd

from growlang.net import Scope, Shape
from growlang.net.axes import Axes, Role, axis, normalised, reads, writes
from growlang.ops.attention_cost import PLAIN_TOKENS
from growlang.ops.base import Eps, Op, OpError
from growlang.ops.convolution import group_count
from growlang.ops.kept import FP32, Kept, Widths
from growlang.ops.layers import grouped, linear, norm, plain
from growlang.signatures.signature import argument


class SpatialAttention(Op):
    """Attention block of a U-Net: x + out(attention(GroupNorm(x))) over all positions of a grid.

    The time embedding does not enter it, and nothing tells positions apart but what they hold. The
    output projection starts at zero (ADM, arXiv 2105.05233).
    """

    call = "spatial_attention"
    listed = 4
    source = "arXiv 2105.05233"
    input_kind = "grid"
    is_residual = True
    width: int = argument("channels; the same as the input's", ge=1)
    head_width: int = argument("channels of a head; divides the width", 64, ge=1)
    eps: Eps = argument("added to the variance by its norm; by default 1e-6", None)

    @property
    def heads(self) -> int:
        """Attention heads: as many as `head_width` makes of the width."""
        return self.width // self.head_width

    def output(self, x: Shape, scope: Scope) -> Shape:
        """As the input."""
        if self.width != x.width:
            raise OpError(
                f"`spatial_attention` keeps its width, but has `width = {self.width}` and an "
                f"input of {x.width}",
                argument="width",
                code="G205",
                help=f"write `width = {x.width}`, or put `linear({self.width})` before it",
            )
        if self.width % self.head_width:
            divisors = ", ".join(str(n) for n in range(1, 129) if self.width % n == 0)
            nearest = gcd(self.width, self.head_width)
            raise OpError(
                f"heads of {self.head_width} channels do not divide width {self.width}",
                argument="head_width",
                code="G207",
                help=f"write `head_width = {nearest}`, or another of {divisors}",
            )
        return x

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`norm qkv out`; `qkv` has the rows of all queries, of all keys, of all values."""
        stream = grouped("x", x.width, self.numbers(x, scope)["norm.groups"])
        heads, head = plain("heads", self.heads), plain("head", self.head_width)
        query, key, value = (axis(r, heads, head) for r in (Role.QUERY, Role.KEY, Role.VALUE))
        out = reads(heads, head)
        layers = (
            norm("norm", stream, branch="attend"),
            linear("qkv", query + key + value, normalised(stream), branch="attend"),
            linear("out", writes(stream), out, init="zeros", branch="attend", place="last"),
        )
        return Axes((reads(stream),), writes(stream), layers)

    def flops(self, x: Shape, scope: Scope) -> int:
        """Four projections; scores and weighted sums of every pair of positions."""
        return 2 * x.size * (4 * self.width + 2 * x.positions)

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """Inputs of the norm and of both projections; queries, keys, values; probabilities.

        Of the probabilities, and of the fused kernel in their place, as of `attention`.
        """
        positions = x.positions
        attended = self.heads * positions**2
        if positions > PLAIN_TOKENS:
            attended = self.heads * positions + x.size
        return 6 * x.size + 2 * self.numbers(x, scope)["norm.groups"] + attended

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """Of the fused kernel: the norm's input, what it gives, queries, keys, values, results."""
        statistics = 2 * self.numbers(x, scope)["norm.groups"]
        scores = FP32 * self.heads * x.positions
        always = FP32 * (x.size + statistics) + widths.maps * 4 * x.size + scores
        return Kept(always, widths.maps * x.size, max(widths.x, widths.maps))

    def numbers(self, x: Shape, scope: Scope) -> dict[str, int]:
        """Groups of the norm."""
        return {"norm.groups": scope.number("norm.groups", group_count(x.width))}
