"""The declaration of `convnext`: everything that the compiler needs, without torch."""

from growlang.net import Shape, Tensor
from growlang.ops import Op, OpError, Scope
from growlang.signatures.signature import argument


class ConvNeXt(Op):
    """ConvNeXt block: depthwise convolution, LayerNorm, two 1 x 1 convolutions, with a skip.

    The norm is scaled and shifted by the time embedding, where there is one; the last convolution
    starts at zero, so that a fresh block is its input.
    """

    call = "convnext"
    source = "arXiv 2201.03545, section 2"
    takes = "grid"
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

    def tensors(self, x: Shape, scope: Scope) -> tuple[Tensor, ...]:
        """`depthwise norm|time expand project`, named as the module's parameters are."""
        width, hidden, side = x.width, self.expand * x.width, self.kernel
        rows = [
            Tensor("depthwise.weight", (width, 1, side, side)),
            Tensor("depthwise.bias", (width,), "zeros", decay=False),
        ]
        if scope.time is None:
            rows += [
                Tensor("norm.weight", (width,), "ones", decay=False),
                Tensor("norm.bias", (width,), "zeros", decay=False),
            ]
        else:
            rows += [
                Tensor("time.weight", (2 * width, scope.time), "zeros"),
                Tensor("time.bias", (2 * width,), "zeros", decay=False),
            ]
        return (
            *rows,
            Tensor("expand.weight", (hidden, width, 1, 1)),
            Tensor("expand.bias", (hidden,), "zeros", decay=False),
            Tensor("project.weight", (width, hidden, 1, 1), "zeros"),
            Tensor("project.bias", (width,), "zeros", decay=False),
        )

    def flops(self, x: Shape, scope: Scope) -> int:
        """Three convolutions, and the projection of the time embedding."""
        pointwise = 2 * self.expand * x.width
        return 2 * x.size * (self.kernel**2 + pointwise) + 4 * x.width * (scope.time or 0)

    def saved(self, x: Shape, scope: Scope) -> int:
        """Inputs of the depthwise convolution, the norm, `expand`, the GELU and `project`."""
        return (3 + 2 * self.expand) * x.size + 2 * x.positions + (scope.time or 0)

    def reads(self, scope: Scope) -> tuple[str, ...]:
        """The time embedding, if there is one."""
        return () if scope.time is None else ("time",)
