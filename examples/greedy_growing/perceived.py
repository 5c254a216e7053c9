"""What networks make of samples: `fd_efflite0` and `align_ridge`, each with its floor.

Images are (N, C, H, W) in [-1, 1]. Both metrics are those of `growlang evaluate`, over the images
at hand; the regression is fitted on other objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from statistics import mean
from typing import NamedTuple

import torch
from metrics import upsampled
from torch import Tensor

from growlang.torch_backend.device import open_device
from growlang_runtime.evaluation.align import Ridge, fitted, minilm
from growlang_runtime.evaluation.align import scores as ranked
from growlang_runtime.evaluation.distances import frechet
from growlang_runtime.evaluation.extractors import basis, efflite0
from growlang_runtime.evaluation.pictures import to_bytes

ALL, FEW = 1280, 16
"""Dimensions of features, and to how many a distance projects: it needs more images than that."""
PENALTY = 0.3
"""Of the ridge regression."""
BATCH = 32


class Perceived(NamedTuple):
    """Samples of all objects, or real images (the floor)."""

    distance: float
    """Frechet distance of their features from those of the true images."""
    alignment: float
    """Mean share of the other captions that fit an image less than its own does (AUC)."""


class Judge:
    """The true images of the objects with their captions, and other objects with theirs."""

    def __init__(
        self, real: Tensor, captions: Sequence[str], others: Tensor, texts: Sequence[str]
    ) -> None:
        self.real, self.captions = real, tuple(captions)
        self.others, self.texts = others, list(texts)

    def perceived(self, samples: Tensor) -> Perceived:
        """How samples (objects, draws, C, h, w) are judged: the mean over the draws."""
        side = self.real.shape[-1]
        each = [self._judged(features(upsampled(one, side))) for one in samples.unbind(1)]
        return Perceived(*(mean(values) for values in zip(*each, strict=True)))

    def floor(self) -> Perceived:
        """The distance of other real images, of as many at most, and the alignment of the true."""
        some = self._other_features[: len(self.real)]
        return Perceived(self._distance(some), self._judged(self._real_features).alignment)

    def _judged(self, found: Tensor) -> Perceived:
        fit = ranked(self._ridge, found, self.captions, self._captions)
        return Perceived(self._distance(found), float(fit["auc"]))

    def _distance(self, found: Tensor) -> float:
        return frechet(self._real_features @ basis(ALL, FEW), found @ basis(ALL, FEW))

    @cached_property
    def _real_features(self) -> Tensor:
        return features(self.real)

    @cached_property
    def _other_features(self) -> Tensor:
        return features(self.others)

    @cached_property
    def _captions(self) -> Tensor:
        found: Tensor = minilm()[0](list(self.captions))
        return found

    @cached_property
    def _ridge(self) -> Ridge:
        return fitted(self._other_features, minilm()[0](self.texts), PENALTY)


def features(images: Tensor) -> Tensor:
    """(N, 1280): features of EfficientNet-Lite0, of images in 8 bits."""
    extractor = efflite0(open_device("auto"))
    with torch.no_grad():
        parts = torch.split(to_bytes(images), BATCH)
        found: list[Tensor] = [extractor.compute(part).float().cpu() for part in parts]
        return torch.cat(found)
