"""What training needs of a net with retained ends: how they are joined, levels and errors."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from growlang.net import Net
from growlang.net.generations import refinements
from growlang.torch_backend.generations import high, pooled
from growlang_runtime.diffusion.detail import Joint
from growlang_runtime.diffusion.noise import target
from growlang_runtime.distributed.ranks import ALONE, Ranks

Denoise = Callable[..., Tensor]


def gain(net: Net) -> float:
    """What the reduced image of the first generation has more in log-SNR, in nats; 0 for one."""
    return 2 * math.log(math.prod(node.args["factor"] for node in refinements(net)))


def joints(net: Net) -> tuple[Joint, ...]:
    """How the generations of a net are joined, from the smallest images on; none for one."""
    return tuple(Joint(n.args["factor"], n.args["upsample"]) for n in refinements(net))


class Errors:
    """The mean squared error of a net with retained ends, by which generation decides it."""

    def __init__(self, net: Net) -> None:
        self.joined = refinements(net)
        self._found: list[tuple[int, Tensor]] = []
        self._reads: list[Callable[[], list[float]]] = []

    def watching(self, denoise: Callable[..., Tensor], x: Tensor, eps: Tensor) -> Denoise:
        """The same denoiser of images x and noise eps (B, C, H, W); its errors are counted."""

        def watched(x_t: Tensor, log_snr: Tensor, level: Tensor) -> Tensor:
            prediction = denoise(x_t, log_snr, level)
            wanted = target(x, eps, level, self.joined[-1].args["predict"])
            self._count(prediction.detach().float() - wanted.float())
            return prediction

        return watched if self.joined else denoise

    @torch.no_grad()
    def _count(self, error: Tensor) -> None:
        last, count = self.joined[-1].args, len(error)
        low, detail = pooled(error, last["factor"]), high(error, last["factor"], last["upsample"])
        self._found.append((count, torch.stack([low.square().mean(), detail.square().mean()])))

    def bring(self, begin: Callable[[Tensor], Callable[[], list[float]]]) -> None:
        """Begin to bring what was counted to the CPU, so that `means` waits for nothing else."""
        self._reads = [begin(means) for _, means in self._found]

    def means(self, ranks: Ranks = ALONE) -> dict[str, float]:
        """Of D of the error, which generations before decide, and of H of it; empty if unknown.

        Over the images of all processes.
        """
        if not self._found:
            return {}
        images = sum(count for count, _ in self._found)
        low = detail = 0.0
        reads = self._reads or [means.tolist for _, means in self._found]
        for (count, _), read in zip(self._found, reads, strict=True):
            first, second = read()
            low, detail = low + count * first, detail + count * second
        counted = torch.tensor([low, detail, images], dtype=torch.float64)
        low, detail, images = ranks.sum(counted).tolist()
        return {"low_error": low / images, "detail_error": detail / images}
