"""Ops that join generations of a model, made for images of rising sizes; the compiler places them.

Generation g makes images n_g = k n_(g-1) pixels wide. D is the mean over k x k pixels, U an
upsampling with D U = 1, and H = 1 - U D what is lost between them: D H = 0.
"""

from typing import Literal, get_args

from growlang.net import Scope, Shape
from growlang.net.axes import Axes, Layer, Parameter, Role, Space, axis, reads, writes
from growlang.net.generations import MEASURED
from growlang.ops.base import Op
from growlang.ops.convolution import divided
from growlang.ops.kept import FP32, Kept, Widths
from growlang.ops.layers import plain
from growlang.signatures.signature import argument

Predict = Literal["v", "eps", "x"]
Upsample = Literal["bicubic", "nearest"]
Detail = Literal["high", "free"]
UPSAMPLES: tuple[str, ...] = get_args(Upsample)
DETAILS: tuple[str, ...] = get_args(Detail)
LEVEL = Shape("vector", ())
"""Shape of the log-SNR, a scalar for each image."""


class Reduce(Op):
    """A noisy image as the generation before sees it: D x / rho, noise of variance 1 or less again.

    With a^2 = sigmoid(l), s^2 = sigmoid(-l): rho^2 = a^2 + s^2 / k^2, and the result is the noisy
    image of D of the clean one at log-SNR l + 2 ln k. The second input is the log-SNR of the
    largest image, which `above` times as many pixels wide makes smaller than l.
    """

    call = "reduce"
    called_as = "internal"
    source = "arXiv 2301.11093, section 3.1"
    input_kind = "grid"
    has_tensors = False
    factor: int = argument("ratio of the two sizes, k", 2, ge=2)
    above: int = argument("ratio of the largest size to that of the input", 1, ge=1)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """The same channels at a size smaller by `factor`."""
        return divided(x, self.factor)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """The same channels; the log-SNR has none."""
        stream = plain("x", x.width)
        return Axes((reads(stream), ()), writes(stream))

    def others(self, x: Shape, scope: Scope) -> tuple[Shape, ...]:
        """The log-SNR."""
        return (LEVEL,)


class Refine(Op):
    """The prediction of a generation: that of the one before, and the detail that it adds.

    Reads p of the generation before, Z of its own decoder, its noisy image x, and the log-SNR of
    the largest image. With V the variance of detail in the data (`detail_variance`, measured
    before step 0) and q = a^2 V + s^2 the best linear guess of the detail is a V / q H x:

        x:   U p + (a V / q) H x + H Z
        v:   U[p / (k rho) - a s (1 - 1 / k^2) / rho^2 D x] + (a s (1 - V) / q) H x + H Z
        eps: U p / k + (s / q) H x + H Z

    so that D of the denoised image is that of the generation before, whatever Z is. `free` detail
    is Z instead of H Z, without that promise.
    """

    call = "refine"
    called_as = "internal"
    source = "Wiener 1949, arXiv 2202.00512"
    input_kind = "grid"
    is_join = True
    factor: int = argument("ratio of the two sizes, k", 2, ge=2)
    above: int = argument("ratio of the largest size to that of the result", 1, ge=1)
    predict: Predict = argument("what both generations predict", "v")
    upsample: Upsample = argument("U: a bicubic with D U = 1, or the nearest pixel", "bicubic")
    detail: Literal["high", "free", "none"] = argument(
        "H Z, which D removes, Z as it is, or no Z at all", "high"
    )

    def output(self, x: Shape, scope: Scope) -> Shape:
        """The same channels at a size larger by `factor`."""
        channels, height, width = x.dims
        return Shape("grid", (channels, height * self.factor, width * self.factor))

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`detail_variance` (channels,)."""
        pixels = Space("x", x.width)
        variance = Parameter("detail_variance", (axis(Role.DEPTHWISE, pixels),), MEASURED)
        images = (reads(pixels),) * len(self.others(x, scope))
        return Axes((*images, ()), writes(pixels), (Layer("", "table", variance),))

    def others(self, x: Shape, scope: Scope) -> tuple[Shape, ...]:
        """Z, if there is one, the noisy image and the log-SNR."""
        large = self.output(x, scope)
        return (*([] if self.detail == "none" else [large]), large, LEVEL)

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The noisy image."""
        return x.size * self.factor**2

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """Both images of which means are taken: Z with the guess, and the smooth U of the means."""
        smooth = 2 if self.upsample == "bicubic" else 1
        return Kept(smooth * FP32 * x.size * self.factor**2, 0, FP32)


class Fade(Op):
    """w times a value that fades, added to one that stays: w a + b, with w a scalar."""

    call = "fade"
    called_as = "internal"
    source = "textbook"
    input_kind = "grid"
    has_tensors = False
    is_join = True

    def output(self, x: Shape, scope: Scope) -> Shape:
        """As both values."""
        return x

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """The same channels in both values and the result."""
        stream = plain("x", x.width)
        return Axes((reads(stream), reads(stream), ()), writes(stream))

    def others(self, x: Shape, scope: Scope) -> tuple[Shape, ...]:
        """What stays, and w."""
        return (x, LEVEL)
