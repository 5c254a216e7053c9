"""More attention heads."""

from typing import Literal

from growlang.rules.base import Rule
from growlang.signatures.signature import argument


class Heads(Rule):
    """More attention heads: the new declaration gives their number (LEMON, arXiv 2310.07999)."""

    call = "heads"
    listed = 3
    how: Literal["zero", "copy"] = argument(
        "new heads output zero, or copy one and split its output", "zero"
    )
