"""The declaration of `convnext`: everything that the compiler needs, without torch."""

from growlang.net import Shape
from growlang.net.axes import Axes, Role, Space, axis, normalised, reads, writes
from growlang.ops import Op, OpError, Scope
from growlang.ops.layers import depthwise, linear, norm, token_wise
from growlang.signatures.signature import argument


class ConvNeXt(Op):
    """ConvNeXt block: depthwise convolution, LayerNorm, two 1 x 1 convolutions, with a skip.

    The norm is scaled and shifted by the time embedding, where there is one; the last convolution
    starts at zero, so that a fresh block is its input.
    """

    call = "convnext"
    source = "arXiv 2201.03545, section 2"
    input_kind = "grid"
    is_residual = True
    resized = "kernel"
    kernel: int = argument("side of the depthwise filters, in pixels; odd", 7, ge=1)
    expand: int = argument("hidden channels per channel", 4, ge=1)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """The shape of the input."""
        if self.kernel % 2 == 0:
            raise OpError(
                f"kernel {self.kernel} is even, and would shift the grid by half a pixel",
                argument="kernel",
                help=f"write kernel = {self.kernel + 1}",
            )
        return x

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`depthwise norm|time expand project`, named as the module's parameters are."""
        stream, hidden = token_wise("x", x.width), Space("hidden", self.expand * x.width)
        inputs, layers = [reads(stream)], [depthwise("depthwise", stream, self.kernel, self.kernel)]
        if scope.time is None:
            layers.append(norm("norm", stream))
        else:
            time = reads(Space("time", scope.time))
            inputs.append(time)
            scaled = axis(Role.SCALE, stream) + axis(Role.SHIFT, stream)
            layers.append(linear("time", scaled, time, init="zeros"))
        layers += [
            linear("expand", writes(hidden), normalised(stream), 1, 1),
            linear("project", writes(stream), reads(hidden), 1, 1, init="zeros", place="last"),
        ]
        return Axes(tuple(inputs), writes(stream), tuple(layers))

    def flops(self, x: Shape, scope: Scope) -> int:
        """Three convolutions, and the projection of the time embedding."""
        pointwise = 2 * self.expand * x.width
        return 2 * x.size * (self.kernel**2 + pointwise) + 4 * x.width * (scope.time or 0)

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """Inputs of the depthwise convolution, the norm, `expand`, the GELU and `project`."""
        return (3 + 2 * self.expand) * x.size + 2 * x.positions + (scope.time or 0)

    def reads(self, scope: Scope) -> tuple[str, ...]:
        """The time embedding, if there is one."""
        return () if scope.time is None else ("time",)
