"""Changes of resolution: averaging and repeating, and the wavelet transform with its inverse."""

from typing import ClassVar

from growlang.net import Scope, Shape, grid
from growlang.net.axes import Axes, reads, writes
from growlang.ops.base import Op, OpError
from growlang.ops.convolution import ResidualBlock, divided, require_odd
from growlang.ops.kept import FP32, Kept, Widths
from growlang.ops.layers import linear, mapped, plain
from growlang.signatures.signature import argument


class ConvolvedChange(Op):
    """Base of the changes of resolution by one convolution."""

    input_kind = "grid"
    width: int = argument("channels of the output", ge=1)
    factor: int = argument("ratio of the two resolutions", 2, ge=1)

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The input of the convolution."""
        return x.size

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """The input of the convolution, which is kept even where it does not learn."""
        return Kept(widths.maps * self.saved_activations(x, scope), 0, widths.maps)


class ToCoarser(ConvolvedChange):
    """Base of the changes to a coarser grid."""

    called_as = "down"

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(width, height / factor, width / factor)."""
        return divided(x, self.factor).with_width(self.width)


class ToFiner(ConvolvedChange):
    """Base of the changes to a finer grid."""

    called_as = "up"

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(width, height * factor, width * factor)."""
        _, height, width = x.dims
        return grid(self.width, height * self.factor, width * self.factor)


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


class Filtered(ConvolvedChange):
    """Base of those whose convolution has sides."""

    resized = "kernel"
    kernel: int = argument("kernel size, in pixels; odd", 3, ge=1)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """As of the other base: a coarser grid or a finer one."""
        require_odd(self.kernel)
        return super().output(x, scope)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`conv.weight` (width, input channels, kernel, kernel) and `conv.bias`."""
        return mapped("conv", x.width, self.width, self.kernel, self.kernel)


class Strided(Filtered, ToCoarser):
    """To a coarser grid: a convolution whose stride is `factor` (DDPM, arXiv 2006.11239)."""

    call = "strided"
    source = "arXiv 2006.11239"

    def flops(self, x: Shape, scope: Scope) -> int:
        """One convolution per coarse pixel."""
        return 2 * self.kernel**2 * (x.size // self.factor**2) * self.width


class UpConv(Filtered, ToFiner):
    """To a finer grid: nearest upsampling by `factor`, then a convolution (arXiv 2006.11239)."""

    call = "up_conv"
    source = "arXiv 2006.11239"

    def flops(self, x: Shape, scope: Scope) -> int:
        """One convolution per fine pixel."""
        return 2 * self.kernel**2 * x.size * self.factor**2 * self.width

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The input of the convolution."""
        return x.size * self.factor**2


class ResidualChange(ResidualBlock):
    """Base of the residual blocks that change the resolution (ADM, arXiv 2105.05233).

    As `residual`, but what its first activation gives and what its skip reads are on the other
    grid: the block computes there.
    """

    behind: ClassVar[dict[str, str]] = {"factor": "width"}
    factor: int = argument("ratio of the two resolutions", 2, ge=1)

    def _moved(self, x: Shape, scope: Scope) -> int:
        """Scalars of the input on the grid of the result."""
        return x.width * self.output(x, scope).positions

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """Inputs of two norms, two SiLUs, two convolutions, of the pooling and of the skip."""
        timed = scope.time is not None
        inner = (3 + timed) * self.width * self.output(x, scope).positions
        moved = (1 + (x.width != self.width)) * self._moved(x, scope)
        before = (2 + (self.called_as == "down")) * x.size
        statistics = 2 * sum(self.numbers(x, scope).values())
        vectors = 2 * (scope.time or 0) + timed * self.width
        return before + moved + inner + statistics + vectors

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """As of `residual`, and what is pooled."""
        timed, down = scope.time is not None, self.called_as == "down"
        inner, moved = self.width * self.output(x, scope).positions, self._moved(x, scope)
        before = (2 + down) * FP32 * x.size
        before += down * widths.x * x.size if widths.x != FP32 else 0
        branch = widths.maps * moved + (2 * FP32 + widths.maps) * inner
        skip = widths.maps * moved if self.width != x.width else 0
        vectors = (FP32 + widths.maps) * (scope.time or 0) + timed * FP32 * self.width
        result = widths.maps
        if self.width == x.width:
            result = max(widths.x, widths.maps) if down else FP32
        statistics = 2 * FP32 * sum(self.numbers(x, scope).values())
        learning = vectors + timed * FP32 * inner if timed else 0
        return Kept(before + branch + skip + statistics, learning, result)


class ResidualDown(ResidualChange):
    """To a coarser grid: a residual block that pools behind its first SiLU and in its skip."""

    call = "residual_down"
    called_as = "down"
    source = "arXiv 2105.05233"

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(width, height / factor, width / factor)."""
        require_odd(self.kernel)
        found = divided(x, self.factor).with_width(self.width)
        if found.positions == 1 and self.numbers(x, scope)["norm2.groups"] == self.width:
            raise OpError(
                f"`residual` to one position normalises {self.width} groups of one value each",
                argument="factor",
                code="G204",
                help="write `down = average`, or let it have more channels than 32",
            )
        return found


class ResidualUp(ResidualChange):
    """To a finer grid: a residual block that upsamples behind its first SiLU and in its skip.

    Upsampling repeats the nearest pixel.
    """

    call = "residual_up"
    called_as = "up"
    source = "arXiv 2105.05233"

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(width, height * factor, width * factor)."""
        require_odd(self.kernel)
        _, height, width = x.dims
        return grid(self.width, height * self.factor, width * self.factor)


def _require_power_of_two(op: DWT | IDWT) -> None:
    if op.factor & (op.factor - 1):
        raise OpError(
            f"`{op.call}` needs a power of two as its factor, not {op.factor}",
            argument="factor",
            code="G204",
            help="leave the option out, or put a stage between at a half of the resolution",
        )
