"""The metric `retrieval`: whose caption the nearest real image has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from growlang.diagnostics import GrowlangError
from growlang.spec.metrics import Retrieval
from growlang_runtime.conditioning.readings import quoted
from growlang_runtime.evaluation.pictures import Chunk, Pictures, to_signed
from growlang_runtime.evaluation.subject import Measured, Subject

POOLED = 16
"""Side, in pixels, to which images are pooled by default."""
ROWS = 256
"""Images whose distances from all real ones are computed at once."""


def retrieval(metric: Retrieval, subject: Subject) -> Measured:
    """The share of generated images whose nearest real image has their prompt as its caption.

    Raises GrowlangError for a prompt that is the caption of no real image.
    """
    captions, prompts = subject.reference.texts(), subject.generated.texts()
    known = set(captions) - {""}
    if unknown := next((prompt for prompt in prompts if prompt not in known), None):
        raise GrowlangError(
            f"`{metric.call}` looks for images by their captions, and no real image has the "
            f"caption {quoted(unknown)}",
            help="leave `prompts` out of `evaluate`: then they are the captions of the reference",
        )
    if not known or "" in prompts:
        raise GrowlangError(
            f"`{metric.call}` looks for images by their captions, and the model reads none",
            help=f"leave `{metric.call}` out of `metrics`",
        )
    real, fake = (_small(x, metric.side) for x in (subject.reference, subject.generated))
    hits = matches([captions[place] for place in nearest_of(fake, real)], prompts)
    counts = Counter(captions)
    floor = sum(counts[p] for p in prompts) / (len(captions) * len(prompts))
    protocol = {
        "features": f"pixels in [-1, 1], average-pooled to {metric.side} x {metric.side}",
        "distance": "Euclidean",
        "generated": len(fake),
        "real": len(real),
        "captions": len(known),
    }
    details = {"hits": hits, "of": len(prompts), "chance": floor}
    return Measured(hits / len(prompts), None, details, protocol)


def matches(found: Sequence[str], wanted: Sequence[str]) -> int:
    """How many of the captions that were found are those that were wanted."""
    return sum(a == b for a, b in zip(found, wanted, strict=True))


def nearest(images: Tensor, real: Tensor, side: int = POOLED) -> list[int]:
    """For each image (N, C, H, W) the place of the real one (M, C, H, W) that is nearest to it.

    Both are average-pooled to `side` and compared by Euclidean distance.
    """
    return nearest_of(pooled(images, side), pooled(real, side))


def nearest_of(a: Tensor, b: Tensor, rows: int = ROWS) -> list[int]:
    """For each row of `a` the nearest one of `b`, by Euclidean distance, `rows` at a time."""
    return [
        int(place) for some in torch.split(a, rows) for place in torch.cdist(some, b).argmin(dim=1)
    ]


def pooled(images: Tensor, side: int) -> Tensor:
    """Images (N, C, H, W) as vectors of their means over `side` x `side` places."""
    return adaptive_avg_pool2d(images.float(), side).flatten(1)


def _small(pictures: Pictures, side: int) -> Tensor:
    def compute(chunk: Chunk) -> Tensor:
        return pooled(to_signed(chunk.images), side)

    return torch.cat([*pictures.computed(f"pooled to {side}", compute)])
