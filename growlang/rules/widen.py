"""More channels."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from growlang.rules.base import Rule
from growlang.signatures.signature import argument


class Widen(Rule):
    """More channels: the new declaration gives the width (Net2Net, arXiv 1511.05641)."""

    call = "widen"
    listed = 1
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
