"""What `position` of a core may be beside a word: positions that attention rotates."""

from typing import Literal, get_args

from growlang.signatures.signature import Signature, argument
from growlang.signatures.tables import table

Word = Literal["learned", "sincos", "sincos_xy", "none"]
WORDS: tuple[str, ...] = get_args(Word)


class Rope(Signature):
    """Rotary positions (RoFormer, arXiv 2104.09864): self-attention turns pairs of channels.

    Channels 2i and 2i + 1 of the queries and keys of a head of d channels are turned by the
    token's number times theta^(-2i / d). With two axes the first half of a head is turned by the
    row and the second by the column (EVA-02, arXiv 2303.11331).
    """

    call = "rope"
    axes: Literal[1, 2] | None = argument(
        "1 for the tokens' numbers, 2 for their rows and columns; by default 2 of an image", None
    )
    theta: float = argument("base of the frequencies", 10_000.0, gt=1)
    added: Word = argument("what is added to the tokens beside it", "none")


ROTATED = table(Rope)
