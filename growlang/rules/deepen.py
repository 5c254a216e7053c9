"""More repeats."""

from typing import Literal

from growlang.rules.base import Rule
from growlang.signatures.signature import argument


class Deepen(Rule):
    """More repeats: the new declaration gives their number (G_stack, arXiv 2405.15319)."""

    call = "deepen"
    listed = 2
    how: Literal["interleave", "append", "stack"] = argument(
        "where new blocks go: after the one that each copies, at the end, or in copies of the whole"
    )
    init: Literal["zero", "copy"] = argument(
        "`zero`: a new block copies the one before it, with its last maps at zero", "zero"
    )
