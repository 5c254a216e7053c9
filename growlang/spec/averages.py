"""Averages of the weights: by a constant decay, or by a power of the steps."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from growlang.signatures.signature import Signature, argument
from growlang.signatures.tables import CallOf, read_call, table


class Power(Signature):
    """An average whose profile over the steps is a power of them, as wide at any length of a run.

    After n updates the next one has decay (1 - 1 / (n + 1))^(gamma + 1), gamma by
    `sigma_rel` (Karras et al. 2024, arXiv 2312.02696, section 3.1).
    """

    call: ClassVar[str] = "power"
    sigma_rel: float = argument(
        "standard deviation of the profile, as a share of the steps so far", gt=0, le=0.25
    )

    @property
    def gamma(self) -> float:
        """The exponent of the profile: the root of a cubic (appendix C, algorithm 2)."""
        low, high = 0.0, 4.0 / self.sigma_rel
        for _ in range(200):
            middle = (low + high) / 2
            wide = (middle + 1) / ((middle + 2) ** 2 * (middle + 3)) > self.sigma_rel**2
            low, high = (middle, high) if wide else (low, middle)
        return low


AVERAGES = table(Power)
Average = Annotated[
    Annotated[float, Field(ge=0, lt=1)] | Power, CallOf(AVERAGES), read_call(AVERAGES)
]


def _listed(value: Any) -> Any:
    """A list of averages. Raises ValueError if something else is in it."""
    for one in value or ["nothing"] if isinstance(value, list) else ():
        decay = isinstance(one, int | float) and not isinstance(one, bool) and 0 <= one < 1
        if not (decay or isinstance(one, Power | dict)):
            raise ValueError("must be a list of decays from 0 to below 1, and of `power(...)`")
    return value


Averages = Annotated[
    Average | Annotated[list[Average], Field(min_length=1)] | Literal["auto"],
    BeforeValidator(_listed),
]


def averages_of(said: Averages) -> tuple[float | Power, ...]:
    """The averages of a plan, in order. Raises ValueError for `auto`, which is not chosen yet."""
    if isinstance(said, str):
        raise ValueError("`auto` is chosen once the number of steps is known")
    return tuple(said) if isinstance(said, list) else (said,)


def count_of(said: Averages) -> int:
    """The number of averages."""
    return len(said) if isinstance(said, list) else 1
