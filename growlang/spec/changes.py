"""What the options `down` and `up` of a stage may be: changes of resolution by their names."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from growlang.ops.base import Eps
from growlang.signatures.signature import Signature, argument
from growlang.signatures.tables import Table

Width = Annotated[int, Field(ge=1)] | None


class Change(Signature):
    """Base of the changes of resolution, as an option of a stage calls them."""

    op: ClassVar[str]
    """The op that the compiler places."""
    width: Width = argument(
        "channels of the result; by default those of the place that it leads to", None
    )

    @property
    def given(self) -> dict[str, Any]:
        """The arguments that are not at their default."""
        fields = type(self).model_fields.items()
        return {n: v for n, f in fields if (v := getattr(self, n)) != f.default}


class Filtered(Change):
    """Base of those whose convolution has sides."""

    kernel: int = argument("kernel size, in pixels; odd", 3, ge=1)


class Normalised(Filtered):
    """Base of the residual blocks."""

    eps: Eps = argument("added to the variance by its norms; by default 1e-6", None)


class Average(Change):
    """Average pooling, then a 1 x 1 convolution (arXiv 2301.11093)."""

    call, op = "average", "down"


class Down(Average):
    """`average`, by its former name."""

    call = "down"


class Strided(Filtered):
    """A convolution with a stride (DDPM, arXiv 2006.11239)."""

    call, op = "strided", "strided"


class Wavelet(Change):
    """Haar wavelet transform, then a 1 x 1 convolution of all its bands (arXiv 2301.11093)."""

    call, op = "dwt", "dwt"


class ResidualDown(Normalised):
    """A residual block that pools behind its first activation and in its skip (ADM)."""

    call, op = "residual", "residual_down"


class Nearest(Change):
    """A 1 x 1 convolution, then nearest-neighbour upsampling (arXiv 2301.11093)."""

    call, op = "nearest", "up"


class Up(Nearest):
    """`nearest`, by its former name."""

    call = "up"


class Convolved(Filtered):
    """Nearest-neighbour upsampling, then a convolution (DDPM, arXiv 2006.11239)."""

    call, op = "conv", "up_conv"


class InverseWavelet(Change):
    """A 1 x 1 convolution to all bands, then the inverse of `dwt` (arXiv 2301.11093)."""

    call, op = "idwt", "idwt"


class ResidualUp(Normalised):
    """A residual block that upsamples behind its first activation and in its skip (ADM)."""

    call, op = "residual", "residual_up"


DOWNS = Table(Change, [Average, Strided, Wavelet, ResidualDown, Down])
UPS = Table(Change, [Nearest, Convolved, InverseWavelet, ResidualUp, Up])
"""By the names that the language has for them."""
NAMES: dict[str, str] = {form.op: name for forms in (DOWNS, UPS) for name, form in forms.items()}
"""The language's name of the op of a change: `down` and `up` for those that were its first."""
