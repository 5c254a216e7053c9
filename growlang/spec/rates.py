"""How the learning rate goes over the steps: its schedules, and how long a warm-up lasts."""

from typing import Any, ClassVar, Literal

from growlang.signatures.signature import Signature, argument
from growlang.signatures.tables import table

Auto = Literal["auto"]
"""Chosen from the number of steps, which `growlang.spec.automatic` does."""


class WSD(Signature):
    """Warm-up, stable, decay: constant, then linear to zero at the end (arXiv 2404.06395)."""

    call: ClassVar[str] = "wsd"
    decay: float = argument("fraction of the steps over which it falls", 0.2, gt=0, le=1)


class CosineDecay(Signature):
    """Half a cosine from the learning rate to `min` at the end (arXiv 1608.03983).

    Tensors with a rate of their own, by `lr_scale` or as the rest of Muon, fall in proportion.
    """

    call: ClassVar[str] = "cosine"
    min: float = argument("learning rate at the end, less than the optimizer's", 0.0, ge=0)


LR_SCHEDULES = table(WSD, CosineDecay)
LrSchedule = Literal["constant", "cosine", "inverse_sqrt"] | WSD | CosineDecay


def read_schedule(value: Any) -> Any:
    """`cosine()` as the bare word, which a schedule without arguments is in hashes."""
    return "cosine" if value == CosineDecay() else value


class Epochs(Signature):
    """The steps of so many passes over the data, which a run knows once it has opened it."""

    call: ClassVar[str] = "epochs"
    count: float = argument("passes over the data", gt=0)

    def at_each_step(self, batch: int, images: int | None) -> float | None:
        """Passes in a step of `batch` images, of data that has `images`; None if not known."""
        return batch / images if images else None


class Images(Signature):
    """The steps in which so many images are seen."""

    call: ClassVar[str] = "images"
    count: int = argument("number of images", ge=1)

    def at_each_step(self, batch: int, images: int | None) -> float | None:
        """Images in a step."""
        return batch


LENGTHS = table(Epochs, Images)
