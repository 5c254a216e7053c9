"""Activations of an MLP: what `mlp` of a transformer may be beside a number of widths."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from growlang.signatures.canonical import Later
from growlang.signatures.signature import Signature, argument
from growlang.signatures.tables import CallOf, read_call, table

Multiple = Annotated[int, Field(ge=1), Later()]
MULTIPLE = "of which the hidden channels are a multiple, rounded up"


class Activation(Signature):
    """Base of the activations: hidden channels in widths, rounded up to whole multiples."""

    is_gated: ClassVar[bool] = False
    """Whether a second map of the input multiplies what is activated (GLU, arXiv 2002.05202)."""
    widths: float
    multiple: int

    def hidden(self, width: int) -> int:
        """Hidden channels of an MLP of `width` channels."""
        channels = self.widths * width
        if self.multiple == 1:
            return max(1, round(channels))
        return -(-max(1, int(round(channels, 6))) // self.multiple) * self.multiple


class Gelu(Activation):
    """GELU, x P(X <= x) of a standard normal X (arXiv 1606.08415): what a number alone means."""

    call = "gelu"
    widths: float = argument("hidden channels, in widths", 4.0, gt=0)
    multiple: Multiple = argument(MULTIPLE, 1)


class GeluTanh(Activation):
    """GELU by its approximation with tanh (arXiv 1606.08415, sec. 2), as GPT-2 computes it."""

    call = "gelu_tanh"
    widths: float = argument("hidden channels, in widths", 4.0, gt=0)
    multiple: Multiple = argument(MULTIPLE, 1)


class Relu(Activation):
    """ReLU, max(x, 0), as in the first transformer (arXiv 1706.03762)."""

    call = "relu"
    widths: float = argument("hidden channels, in widths", 4.0, gt=0)
    multiple: Multiple = argument(MULTIPLE, 1)


class Swiglu(Activation):
    """SiLU of one map times another (SwiGLU, arXiv 2002.05202), as in Llama (arXiv 2302.13971)."""

    call = "swiglu"
    is_gated = True
    widths: float = argument("hidden channels, in widths", 8 / 3, gt=0)
    multiple: Multiple = argument(MULTIPLE, 1)


class Geglu(Activation):
    """GELU of one map times another (GEGLU, arXiv 2002.05202)."""

    call = "geglu"
    is_gated = True
    widths: float = argument("hidden channels, in widths", 8 / 3, gt=0)
    multiple: Multiple = argument(MULTIPLE, 1)


ACTIVATIONS = table(Gelu, GeluTanh, Relu, Swiglu, Geglu)


def _plain(value: Any) -> Any:
    """GELU as the number of widths that has always meant it, so that both are one net."""
    return value.widths if isinstance(value, Gelu) and value.multiple == 1 else value


Hidden = Annotated[
    Annotated[float, Field(gt=0)] | Gelu | GeluTanh | Relu | Swiglu | Geglu,
    CallOf(ACTIVATIONS),
    read_call(ACTIVATIONS),
    AfterValidator(_plain),
]
"""Hidden channels of an MLP, in widths, and its activation if that is not GELU."""


def activation(hidden: float | Activation) -> Activation:
    """The activation that `mlp` names; of a number GELU."""
    return hidden if isinstance(hidden, Activation) else Gelu(widths=hidden)
