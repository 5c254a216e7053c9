"""Changes of resolution: averaging and repeating, and the wavelet transform with its inverse."""

from growlang.net import Scope, Shape, grid
from growlang.net.axes import Axes, reads, writes
from growlang.ops.base import Op, OpError
from growlang.ops.convolution import divided
from growlang.ops.kept import FP32, Kept, Widths
from growlang.ops.layers import linear, mapped, plain
from growlang.signatures.signature import argument


class ToCoarser(Op):
    """Base of the changes to a coarser grid."""

    called_as = "down"
    input_kind = "grid"
    width: int = argument("channels of the output", ge=1)
    factor: int = argument("ratio of the two resolutions", 2, ge=1)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(width, height / factor, width / factor)."""
        return divided(x, self.factor).with_width(self.width)


class ToFiner(Op):
    """Base of the changes to a finer grid, of which a 1 x 1 convolution is the first step."""

    called_as = "up"
    input_kind = "grid"
    width: int = argument("channels of the output", ge=1)
    factor: int = argument("ratio of the two resolutions", 2, ge=1)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(width, height * factor, width * factor)."""
        _, height, width = x.dims
        return grid(self.width, height * self.factor, width * self.factor)

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The input of the convolution."""
        return x.size

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """The input of the convolution, which is kept even where it does not learn."""
        return Kept(widths.maps * x.size, 0, widths.maps)


class Down(ToCoarser):
    """To a coarser grid: average pooling by `factor`, then a 1 x 1 convolution to `width`."""

    call = "down"
    source = "arXiv 2301.11093"

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`conv.weight` (width, input channels, 1, 1) and `conv.bias`."""
        return mapped("conv", x.width, self.width, 1, 1)

    def flops(self, x: Shape, scope: Scope) -> int:
        """One product with the weight per coarse pixel."""
        return 2 * x.size // self.factor**2 * self.width

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The inputs of the pooling and of the convolution."""
        return x.size + x.size // self.factor**2

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """The inputs of the pooling and of the convolution."""
        pooled = widths.maps * (x.size // self.factor**2)
        return Kept(widths.x * x.size + pooled, 0, widths.maps)


class Up(ToFiner):
    """To a finer grid: a 1 x 1 convolution to `width`, then nearest upsampling by `factor`."""

    call = "up"
    source = "arXiv 2301.11093"

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`conv.weight` (width, input channels, 1, 1) and `conv.bias`."""
        return mapped("conv", x.width, self.width, 1, 1)

    def flops(self, x: Shape, scope: Scope) -> int:
        """One product with the weight per coarse pixel."""
        return 2 * x.size * self.width

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """The input of the convolution; upsampling gives fp32."""
        return super().kept(x, scope, widths)._replace(result=FP32)


class DWT(ToCoarser):
    """To a coarser grid: Haar wavelet transform, then a 1 x 1 convolution to `width`.

    Each level halves both sides and turns c channels into 4 c: the sum of every 2 x 2 pixels and
    its three differences, all halved, which makes the transform orthonormal. `factor` = 2^k takes k
    levels, each of all the channels, so that nothing is lost before the convolution. It is Haar's
    and no longer wavelet: of these it alone is orthonormal, symmetric and free of borders.
    """

    call = "dwt"
    source = "Haar 1910, arXiv 2301.11093"
    factor: int = argument("ratio of the two resolutions; a power of two", 2, ge=1)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(width, height / factor, width / factor)."""
        _require_power_of_two(self)
        return super().output(x, scope)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`conv.weight` (width, factor^2 bands * input channels, 1, 1) and `conv.bias`."""
        stream, out = plain("x", x.width), plain("out", self.width)
        conv = linear("conv", writes(out), reads(self.factor**2, stream), 1, 1, place="last")
        return Axes((reads(stream),), writes(out), (conv,))

    def flops(self, x: Shape, scope: Scope) -> int:
        """One product with the weight per coarse pixel; the transform only adds."""
        return 2 * x.size * self.width

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The input of the convolution."""
        return x.size

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """The input of the convolution, which is kept even where it does not learn."""
        return Kept(widths.maps * x.size, 0, widths.maps)


class IDWT(ToFiner):
    """To a finer grid: a 1 x 1 convolution to `width` * factor^2, then the inverse of `dwt`."""

    call = "idwt"
    source = "Haar 1910, arXiv 2301.11093"
    factor: int = argument("ratio of the two resolutions; a power of two", 2, ge=1)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(width, height * factor, width * factor)."""
        _require_power_of_two(self)
        return super().output(x, scope)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`conv.weight` (factor^2 bands * width, input channels, 1, 1) and `conv.bias`."""
        stream, out = plain("x", x.width), plain("out", self.width)
        conv = linear("conv", writes(self.factor**2, out), reads(stream), 1, 1, place="last")
        return Axes((reads(stream),), writes(out), (conv,))

    def flops(self, x: Shape, scope: Scope) -> int:
        """One product with the weight per coarse pixel; the transform only adds."""
        return 2 * x.size * self.width * self.factor**2


def _require_power_of_two(op: DWT | IDWT) -> None:
    if op.factor & (op.factor - 1):
        raise OpError(
            f"`{op.call}` needs a power of two as its factor, not {op.factor}",
            argument="factor",
            code="G204",
            help="leave the option out, or put a stage between at a half of the resolution",
        )
