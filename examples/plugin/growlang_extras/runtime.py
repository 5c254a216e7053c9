"""What a run computes for `bytes`, `pseudo_huber` and `contrast`; it imports torch."""

from collections.abc import Sequence

import torch
from torch import Tensor

from growlang.net import Net
from growlang_extras.condition import NULL, Bytes
from growlang_extras.metric import Contrast
from growlang_extras.objective import PseudoHuber
from growlang_extras.optimizer import Lion
from growlang_runtime.conditioning.readers import Read, Reader, Setting
from growlang_runtime.diffusion.noise import noise_schedule, noisy, target, to_x
from growlang_runtime.diffusion.objective import Denoiser, Objective, reads_reference
from growlang_runtime.evaluation.pictures import Pictures
from growlang_runtime.evaluation.subject import Measured, Subject
from growlang_runtime.train.update import Given, Updated


def read_bytes(declared: Bytes, setting: Setting) -> Reader:
    """Makes the ids (B, tokens) of captions, padded with the null, and the mask of their bytes."""

    def read(captions: Sequence[str | None]) -> Read:
        ids = torch.full((len(captions), declared.tokens), NULL)
        for row, caption in enumerate(captions):
            found = (caption or "").encode()[: declared.tokens]
            ids[row, : len(found)] = torch.tensor([*found], dtype=torch.int64)
        mask = ids != NULL
        mask[:, 0] = True  # attention needs a token: that of an empty caption is the null
        return Read(ids, mask)

    return read


class PseudoHuberLoss(Objective):
    """The objective for one net."""

    def __init__(self, declared: PseudoHuber, net: Net) -> None:
        self.scale = declared.scale
        self.schedule = noise_schedule(declared.schedule, min(net.image.dims[1:]))
        self.reference = reads_reference(net)

    def log_snr(self, t: Tensor) -> Tensor:
        """That of the schedule."""
        return self.schedule.log_snr(t)

    def embedded(self, t: Tensor) -> Tensor:
        """What the net's `time` asks for."""
        return self.schedule.reference(t) if self.reference else self.schedule.log_snr(t)

    def to_x(self, prediction: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """The image of a prediction of v."""
        return to_x(prediction, x_t, self.log_snr(t), "v")

    def losses(self, denoise: Denoiser, x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """One distance for each image."""
        log_snr = self.log_snr(t)
        level = self.embedded(t).to(device=x.device, dtype=torch.float32)
        prediction = denoise(noisy(x, eps, log_snr), level)
        error = (prediction.float() - target(x, eps, log_snr, "v").float()).flatten(1)
        return (error.square().sum(1) + self.scale**2).sqrt() - self.scale


def contrast(declared: Contrast, subject: Subject) -> Measured:
    """The mean over generated images, and over real ones."""

    def mean(pictures: Pictures) -> float:
        parts = [c.images[:, declared.channel].flatten(1).float().std(1) for c in pictures.chunks()]
        return float(torch.cat(parts).mean()) / 255

    protocol = {"generated": len(subject.generated), "real": len(subject.reference)}
    return Measured(mean(subject.generated), mean(subject.reference), protocol=protocol)


def lion(declared: Lion, given: Given) -> Updated:
    """A step of the learning rate in each entry; `given.step` is what growth left to it."""
    mean = given.moments["mean"]
    sign = mean.lerp(given.gradient, 1 - declared.fast).sign()
    kept = given.weight * (1 - given.lr * given.decay)
    weight = kept - given.lr * given.step * sign
    return Updated(weight, {"mean": mean.lerp(given.gradient, 1 - declared.slow)})
