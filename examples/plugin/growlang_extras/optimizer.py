"""The declaration of `lion`: an optimizer that steps by signs, without torch."""

from collections.abc import Mapping

from growlang.signatures.signature import argument
from growlang.spec.optimizers import Grows, Optimizer


class Lion(Optimizer):
    """Lion (arXiv 2302.06675): the sign of a mean of gradients, with decoupled weight decay."""

    call = "lion"
    runtime = "growlang_extras.runtime:lion"
    lr: float = argument("learning rate, about a third of AdamW's", 3e-5, gt=0)
    fast: float = argument("share of the mean in a step's direction", 0.9, ge=0, lt=1)
    slow: float = argument("decay rate of the mean", 0.99, ge=0, lt=1)
    weight_decay: float = argument("per step, times the learning rate", 0.0, ge=0)

    def moments(self) -> Mapping[str, Grows | None]:
        """One, which grows as gradients do: a net that grew by copies goes on as before."""
        return {"mean": "first moment"}
