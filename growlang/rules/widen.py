"""More channels."""

from typing import Annotated, Any, Literal, Self

from pydantic import model_validator

from growlang.rules.base import Rule
from growlang.signatures.signature import Signature, argument
from growlang.signatures.tables import CallOf, read_call, table


class Noise(Signature):
    """Noise on the copies of what is read, of zero sum over the copies of one channel."""

    call = "noise"
    std: float = argument("its std, relative to that of the values that are copied", 0.1, gt=0)


BREAKS = table(Noise)
Break = Annotated[Literal["none", "shares", "moments"] | Noise, CallOf(BREAKS), read_call(BREAKS)]
"""How the copies of a channel are told apart."""


class Widen(Rule):
    """More channels: the new declaration gives the width of all that it makes larger.

    That is the component's stream, the hidden channels of its MLPs, its heads and their width.
    `exact` computes the same function, or is refused with the place, the reason and the nearest
    that is exact. It is exact for

    - linear maps, convolutions, patches, changes of resolution, tables: any width;
    - the hidden channels of an MLP: any width, by random maps to them and zeros from them;
    - RMSNorm, with or without time, and LayerNorm without time: any width;
    - LayerNorm with time: whole multiples of the width; else write `norm = rms`;
    - GroupNorm: where each new group is copies of channels of one old group, or where whole
      groups are added whose readers are zero;
    - attention: more heads with more width, and wider heads. Heads of another width at the same
      width of the whole are cut, which no rule makes exact; `head_width` keeps theirs.

    Copies that are equal stay equal for ever: `break` says what tells them apart. With `none`
    Adam's moments are carried exactly; the others start from the same function too.
    """

    call = "widen"
    listed = 1
    order = 4
    gives = "many channels"
    source = "arXiv 1511.05641 (Net2Net), arXiv 2310.07999 (LEMON), arXiv 2409.12903 (HyperCloning)"
    how: Literal["exact", "pad", "copy", "random"] = argument(
        "`exact`: the same function, or refused; without a promise, `pad` with zeros, `copy` "
        "channels in turn, or draw new ones at `random`",
        "exact",
    )
    break_: Break = argument(
        "what tells copies apart: unequal `shares` of what they copy, `noise(0.1)` on them, first "
        "`moments` begun anew for one of them (arXiv 2602.02472), or `none`; of `exact` and `copy`",
        "shares",
        alias="break",
    )

    @model_validator(mode="before")
    @classmethod
    def breaks_copies_alone(cls, values: Any) -> Any:
        """Where nothing is copied, nothing is told apart."""
        if isinstance(values, dict) and values.get("how") in ("pad", "random"):
            return {"break": "none"} | values
        return values

    @model_validator(mode="after")
    def fits(self) -> Self:
        """The arguments among themselves."""
        if self.how in ("pad", "random") and self.break_ != "none":
            raise ValueError(
                f"`break` tells copies apart, and `{self.how}` makes none: remove it, or write "
                "`widen(copy, break = ...)`"
            )
        return self
