"""More repeats."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from growlang.rules.base import Rule
from growlang.signatures.signature import argument


class Deepen(Rule):
    """More repeats: the new declaration gives their number.

    With `init = zero` it is exact wherever new blocks go, of ops that add to their input: a new
    block copies the one before it, and the last map of each of its branches is zero. So it is with
    `default` where such a block adds nothing as it begins. In a U both sides grow, mirrored: with
    skips of blocks, new ones come last on the encode side and first on the decode side. `copy` is
    not exact, and often trains better.

    `interleave` spreads new blocks evenly, or puts one behind each `every` of the parent's, as
    LLaMA Pro does; `stack` repeats the whole (G_stack); `middle` repeats the blocks in the middle
    (MIDAS, LIDAS).
    """

    call = "deepen"
    listed = 2
    order = 5
    gives = "many repeats"
    source = (
        "arXiv 2401.02415 (LLaMA Pro), arXiv 2405.15319 (G_stack), arXiv 2512.08819 (MIDAS, LIDAS)"
    )
    how: Literal["interleave", "append", "prepend", "middle", "stack"] = argument(
        "where new blocks go: among the others, behind them, before them, in their middle, or in "
        "copies of the whole"
    )
    every: Annotated[int, Field(ge=1)] | None = argument(
        "for `interleave`: a new block behind each so many of the parent's; by default evenly", None
    )
    init: Literal["zero", "copy", "default"] = argument(
        "new blocks are copies with their last maps `zero`, plain copies, or begin as their ops "
        "do; `stack` copies unless it is said",
        "zero",
    )

    @model_validator(mode="before")
    @classmethod
    def stack_copies(cls, values: Any) -> Any:
        """A stack is of copies where nothing else is said."""
        if isinstance(values, dict) and values.get("how") == "stack":
            return {"init": "copy"} | values
        return values

    @model_validator(mode="after")
    def fits(self) -> Self:
        """The arguments among themselves."""
        if self.every is not None and self.how != "interleave":
            raise ValueError(
                f"`every` belongs to `interleave`, not to `{self.how}`: remove it, or write "
                f"`deepen(interleave, every = {self.every})`"
            )
        return self
