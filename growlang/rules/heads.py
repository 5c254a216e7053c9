"""More attention heads."""

from typing import Literal

from growlang.rules.base import Rule
from growlang.signatures.signature import argument


class Heads(Rule):
    """More attention heads: the new declaration gives their number.

    It is exact where each head keeps its width: beside `widen`, with as much more width of the
    whole, or with `head_width`. More heads at one width cut each of the old ones, which computes
    something else, and is refused.
    """

    call = "heads"
    listed = 3
    order = 3
    gives = "many heads"
    source = "arXiv 2310.07999 (LEMON)"
    how: Literal["zero", "copy"] = argument(
        "new heads are drawn and add nothing, their output being mapped by `zero`, or `copy` one "
        "each and share its output",
        "zero",
    )
