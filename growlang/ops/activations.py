"""Activations of an MLP: what `mlp` of a transformer may be beside a number of widths."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from growlang.signatures.signature import Signature, argument
from growlang.signatures.tables import CallOf, read_call, table


class Gelu(Signature):
    """GELU, x P(X <= x) of a standard normal X (arXiv 1606.08415): what a number alone means."""

    call = "gelu"
    widths: float = argument("hidden channels, in widths", 4.0, gt=0)


class GeluTanh(Signature):
    """GELU by its approximation with tanh (arXiv 1606.08415, sec. 2), as GPT-2 computes it."""

    call = "gelu_tanh"
    widths: float = argument("hidden channels, in widths", 4.0, gt=0)


ACTIVATIONS = table(Gelu, GeluTanh)


def _plain(value: Any) -> Any:
    """GELU as the number of widths that has always meant it, so that both are one net."""
    return value.widths if isinstance(value, Gelu) else value


Hidden = Annotated[
    Annotated[float, Field(gt=0)] | Gelu | GeluTanh,
    CallOf(ACTIVATIONS),
    read_call(ACTIVATIONS),
    AfterValidator(_plain),
]
"""Hidden channels of an MLP, in widths, and its activation if that is not GELU."""


def widths(hidden: float | Gelu | GeluTanh) -> float:
    """How many hidden channels there are, in widths."""
    return hidden.widths if isinstance(hidden, Gelu | GeluTanh) else hidden
