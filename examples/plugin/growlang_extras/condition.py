"""The declaration of `bytes`: captions by their bytes, without a vocabulary and without torch."""

from growlang.net import Scope, Shape, tokens
from growlang.net.axes import Axes, Space, reads, writes
from growlang.ops import Condition
from growlang.ops.layers import plain, table
from growlang.signatures.signature import argument

NULL = 256
"""The id that fills up short captions, and stands for a caption that is dropped."""


class Bytes(Condition):
    """Trainable embedding of the bytes of a caption in UTF-8; the last row is the null."""

    call = "bytes"
    source = "arXiv 2105.13626"
    role = "ids"
    runtime = "growlang_extras.runtime:read_bytes"
    width: int = argument("channels of a token", ge=1)
    tokens: int = argument("bytes that are read; the rest of a caption is cut", 64, ge=1)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(tokens, width)."""
        return tokens(self.tokens, self.width)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`embedding.weight`, with a row for each byte, then one for the null."""
        rows, out = Space("bytes", NULL + 1), plain("out", self.width)
        weight = table("embedding.weight", reads(rows), writes(out), "embedding")
        return Axes((reads(rows),), writes(out), (weight,))

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The ids."""
        return self.tokens
