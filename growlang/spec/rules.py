"""The rules by which `grow SEL by RULE` transforms a component's tensors, and the transition.

This version checks how they are written and cannot apply them yet.
"""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from growlang.signatures.signature import Signature, argument
from growlang.signatures.tables import table


class Widen(Signature):
    """More channels: the new declaration gives the width (Net2Net, arXiv 1511.05641)."""

    call: ClassVar[str] = "widen"
    how: Literal["exact", "zero"] | None = argument(
        "`exact` computes the same function, `zero` pads with zeros; default: `exact`", None
    )
    noise: Annotated[float, Field(gt=0)] | None = argument(
        "instead: std of the noise on copies, relative to the std of what is copied", None
    )

    @model_validator(mode="after")
    def fits(self) -> Self:
        """The arguments among themselves."""
        if self.how is not None and self.noise is not None:
            raise ValueError(f"give either `{self.how}` or `noise = {self.noise:g}`")
        return self


class Deepen(Signature):
    """More repeats: the new declaration gives their number (G_stack, arXiv 2405.15319)."""

    call: ClassVar[str] = "deepen"
    how: Literal["interleave", "append", "stack"] = argument(
        "where new blocks go: after the one that each copies, at the end, or in copies of the whole"
    )
    init: Literal["zero", "copy"] = argument(
        "`zero`: a new block copies the one before it, with its last maps at zero", "zero"
    )


class Heads(Signature):
    """More attention heads: the new declaration gives their number (LEMON, arXiv 2310.07999)."""

    call: ClassVar[str] = "heads"
    how: Literal["zero", "copy"] = argument(
        "new heads output zero, or copy one and split its output", "zero"
    )


class Resize(Signature):
    """Another grid: tables of positions and the filters of patches are interpolated."""

    call: ClassVar[str] = "resize"


class Bridge(Signature):
    """A transition that starts as the parent's function and fades to the child's."""

    call: ClassVar[str] = "bridge"
    for_: int = argument("steps of the fade", alias="for", ge=1)


RULES = table(Widen, Deepen, Heads, Resize)
"""Callable behind `by`."""
TRANSITIONS = table(Bridge)
"""Callable as a recipe's `transition`, whose default is `discard`."""
