"""The loss of a model that classifies images, and the accuracy of its logits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from growlang.diagnostics import GrowlangError
from growlang.net import Net
from growlang.spec import objectives as declarations
from growlang_runtime.conditioning.conditioner import target_of
from growlang_runtime.diffusion.objective import Denoiser, Loss

TOP = 5
"""Of a label of more classes, whether its class is among so many likeliest is counted too."""


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """Cross-entropy of the classes in nats; `labels` are those of a batch, (B,) int64."""

    label: str
    smoothing: float = 0.0
    labels: Tensor | None = None

    def of_batch(self, given: Mapping[str, Tensor]) -> CrossEntropy:
        """With the labels of a batch."""
        return replace(self, labels=given[target_of(self.label)])

    def losses(self, denoise: Denoiser, x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """Loss of each image, (B,) float32; `x` are images (B, C, H, W) in [-1, 1]."""
        return self._losses(denoise(x).float())

    def measured(
        self, denoise: Denoiser, x: Tensor, eps: Tensor, t: Tensor
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The losses, `accuracy` (top-1) and, of more than five classes, `accuracy_top5`."""
        logits = denoise(x).float()
        return self._losses(logits), scores(logits, self._known())

    def _losses(self, logits: Tensor) -> Tensor:
        return cross_entropy(
            logits, self._known(), reduction="none", label_smoothing=self.smoothing
        )

    def _known(self) -> Tensor:
        assert self.labels is not None
        return self.labels


def scores(logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Whether the class of each image is the likeliest, (B,) float32, and one of the five."""
    found = {"accuracy": (logits.argmax(1) == labels).float()}
    if logits.shape[1] > TOP:
        likeliest = logits.topk(TOP, dim=1).indices
        found["accuracy_top5"] = (likeliest == labels[:, None]).any(1).float()
    return found


def classify(declared: declarations.Classify, net: Net) -> CrossEntropy:
    """The loss for a net that predicts the label. Raises GrowlangError for another net."""
    if net.predicts != declared.label:
        what = f"predicts `{net.predicts}`" if net.predicts else "predicts none"
        raise GrowlangError(f"`classify` trains for `{declared.label}`, and the model {what}")
    return CrossEntropy(declared.label, declared.label_smoothing)


def top(logits: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The likeliest classes of each image and their probabilities, (B, count) both."""
    likely = torch.softmax(logits.double(), 1).topk(min(count, logits.shape[1]), dim=1)
    return likely.indices, likely.values
