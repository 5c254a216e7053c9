"""The map of the time embedding that all blocks of a core share; the compiler places it."""

from typing import Literal

from growlang.net import Scope, Shape, vector
from growlang.net.axes import Axes, Space, reads, writes
from growlang.ops.base import Op
from growlang.ops.kept import Kept, Widths
from growlang.ops.layers import linear, token_wise
from growlang.ops.modulation import rows
from growlang.signatures.signature import argument


class SharedModulation(Op):
    """Shift, scale and gate of each sublayer of a block, of SiLU(time) by one linear map.

    All blocks are given the same, and each adds a table of its own (adaLN-single, PixArt-alpha,
    arXiv 2310.00426, section 2.3). The map begins at zero.
    """

    call = "modulation"
    called_as = "internal"
    source = "arXiv 2310.00426"
    input_kind = "any"
    width: int = argument("channels of the blocks", ge=1)
    sublayers: int = argument("sublayers of a block that it modulates", ge=1)
    norm: Literal["layer", "rms"] = argument("the norm whose results it scales", "layer")

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(3 * sublayers * width,)."""
        return vector(3 * self.sublayers * self.width)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`weight` (3 * sublayers * width, time) and `bias`."""
        stream, time = token_wise("stream", self.width, self.norm), Space("time", x.width)
        map_ = linear("", rows(stream, self.sublayers), reads(time), init="zeros", place="last")
        return Axes((reads(time),), writes(3 * self.sublayers, stream), (map_,))

    def flops(self, x: Shape, scope: Scope) -> int:
        """The map."""
        return 2 * x.width * 3 * self.sublayers * self.width

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The inputs of the SiLU and of the map."""
        return 2 * x.width

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """The inputs of the SiLU and of the map."""
        return Kept(0, (widths.x + widths.maps) * x.width, widths.maps)
