"""What a model that classifies says of a few images during training: the same every time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from growlang.net import Net
from growlang.plans.plan import Plan
from growlang.torch_backend.lower import LoweredNet
from growlang_runtime.classification.cross_entropy import top
from growlang_runtime.conditioning.conditioner import Conditioner, classes_of
from growlang_runtime.data.mix import Mix
from growlang_runtime.diffusion.objective import Loss, denoiser, with_weights
from growlang_runtime.storage.files import save_text

COUNT, LIKELIEST = 8, 3
"""Images, and the classes that are listed of each."""


class Predictions:
    """The likeliest classes of the first images of a run."""

    ending = "txt"
    warnings: Sequence[str] = ()

    def __init__(
        self, plan: Plan, net: Net, conditioner: Conditioner, images: Mix, data_root: Path
    ) -> None:
        self.net, self.conditioner, self.sample = net, conditioner, plan.sample
        self.classes = classes_of(net.encoders)
        first = images.batch(range(min(COUNT, len(images))))
        self.images, self.labels = first.images, first.labels
        encoded = conditioner.read(first.captions, first.labels, numbers=first.numbers)
        self.given = conditioner.without_full_masks(encoded.inputs)

    @torch.no_grad()
    def draw(
        self, module: LoweredNet, weights: Mapping[str, Tensor], objective: Loss, path: Path | None
    ) -> bool:
        """Write what `weights` make of the images to `path`, unless it is there already.

        None writes nothing: where the weights are sharded, all processes have to compute. Returns
        whether all of it is finite.
        """
        if path is not None and path.exists():
            return True
        device = next(iter(weights.values())).device
        given = {name: value.to(device) for name, value in self.given.items()}
        computed = denoiser(with_weights(module, weights), self.net, given)
        logits = computed(self.images.to(device)).float().cpu()
        if path is not None:
            path.parent.mkdir(exist_ok=True)  # the run's folder may have been copied without it
            save_text(path, self._shown(logits))
        return bool(logits.isfinite().all())

    def _shown(self, logits: Tensor) -> str:
        """A line for each image: its class, and the likeliest ones with their probabilities."""
        lines = []
        for label, classes, chances in zip(self.labels, *top(logits, LIKELIEST), strict=True):
            likely = zip(classes.tolist(), chances.tolist(), strict=True)
            listed = ", ".join(f"{self.classes.name(c)} {p:.3f}" for c, p in likely)
            lines.append(f"{self.classes.name(label)}: {listed}\n")
        return "".join(lines)
