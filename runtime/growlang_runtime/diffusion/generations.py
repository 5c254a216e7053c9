"""What training and sampling need of a net with retained ends: levels, errors, clipping, detail."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from growlang.net import Net, Node
from growlang.net.generations import refinements
from growlang.torch_backend.generations import high, pooled, upsampled
from growlang_runtime.diffusion.noise import target

Denoise = Callable[..., Tensor]


def gain(net: Net) -> float:
    """What the reduced image of the first generation has more in log-SNR, in nats; 0 for one."""
    return 2 * math.log(math.prod(node.args["factor"] for node in refinements(net)))


def clipped(x: Tensor, net: Net) -> Tensor:
    """A denoised image, clipped to [-1, 1]: of retained ends the first's part, never the detail.

    With x_0 the image of the first generation: x changes by what the clipping of x_0 does to U x_0.
    """
    return _clipped(x, refinements(net))


def _clipped(x: Tensor, joined: tuple[Node, ...]) -> Tensor:
    if not joined:
        return x.clamp(-1, 1)
    factor, how = joined[-1].args["factor"], joined[-1].args["upsample"]
    low = pooled(x, factor)
    return x + upsampled(_clipped(low, joined[:-1]) - low, factor, how)


def with_detail(x: Tensor, net: Net, factor: float) -> Tensor:
    """Images or noise (B, C, H, W) whose detail, in every generation but the first, is scaled.

    With x_0 that of the generation before, so scaled: U x_0 + factor * H x. A net without retained
    ends has no detail, and a factor of 1 changes nothing.
    """
    return x if factor == 1 else _with_detail(x, refinements(net), factor)


def _with_detail(x: Tensor, joined: tuple[Node, ...], factor: float) -> Tensor:
    if not joined:
        return x
    k, how = joined[-1].args["factor"], joined[-1].args["upsample"]
    low = pooled(x, k)
    detail = x - upsampled(low, k, how)
    return upsampled(_with_detail(low, joined[:-1], factor), k, how) + factor * detail


class Errors:
    """The mean squared error of a net with retained ends, by which generation decides it."""

    def __init__(self, net: Net) -> None:
        self.joined = refinements(net)
        self._found: list[tuple[int, Tensor]] = []

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

    def means(self) -> dict[str, float]:
        """Of D of the error, which generations before decide, and of H of it; empty if unknown."""
        if not self._found:
            return {}
        images = sum(count for count, _ in self._found)
        low = detail = 0.0
        for count, means in self._found:
            first, second = means.tolist()
            low, detail = low + count * first, detail + count * second
        return {"low_error": low / images, "detail_error": detail / images}
