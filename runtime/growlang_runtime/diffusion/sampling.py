"""Images from a trained net, over the run's own noise schedule.

The net is given the log-SNR, or what else its `time` embeds of the objective's noise level, never
a sampler's step number, and the sampler the denoised image, clipped to [-1, 1], so that all of them
work with every prediction. A sampler holds the variance-preserving
x_t, whatever multiple of it the net is given. Of a net with retained ends the part that
the first of them makes is clipped, and the detail that is added to it is not. Latents are not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import NamedTuple

import torch
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.net import Net
from growlang.signatures.installed import attribute
from growlang.spec.recipe import Sample
from growlang.spec.samplers import Sampler
from growlang_runtime.diffusion.detail import clipped, with_detail
from growlang_runtime.diffusion.generations import joints
from growlang_runtime.diffusion.guidance import Guidance, guided
from growlang_runtime.diffusion.noise import evenly, over_pixels
from growlang_runtime.diffusion.objective import Objective, denoiser


@dataclass(frozen=True)
class Request:
    """Images to sample: one for each row of the conditions.

    `conditions` and `null` give the net's inputs other than image and log-SNR by name, (N, ...).
    `indices` number the images: noise is a function of the seed and the number alone.
    """

    conditions: Mapping[str, Tensor]
    null: Mapping[str, Tensor]
    indices: Sequence[int]
    seed: int | Sequence[int] = 0
    """Of all images, or of each."""
    guidance: float = 1.0
    detail_scale: float = 1.0
    """On the detail of the images, where ends are retained."""
    detail_temperature: float = 1.0
    """On the detail of the noise to begin with, where ends are retained."""
    interval: tuple[float, float] = (0.0, 1.0)
    """Times between which there is guidance."""
    rescale: float = 0.0
    """Of guided predictions: see `growlang_runtime.diffusion.guidance`."""

    @staticmethod
    def of(
        said: Sample,
        conditions: Mapping[str, Tensor],
        null: Mapping[str, Tensor],
        indices: Sequence[int],
        seed: int | Sequence[int] = 0,
    ) -> Request:
        """What a `sample` section says, of images with these conditions."""
        low, high = said.guidance_interval
        return Request(
            conditions,
            null,
            indices,
            seed,
            said.guidance,
            said.detail_scale,
            said.detail_temperature,
            (low, high),
            said.guidance_rescale,
        )

    def generators(self) -> list[torch.Generator]:
        """The random numbers of each image, on the CPU."""
        seeds = self.seed if isinstance(self.seed, Sequence) else [self.seed] * len(self.indices)
        return [generator(*of) for of in zip(seeds, self.indices, strict=True)]


class Levels(NamedTuple):
    """What a sampler draws with: a denoiser at every noise level."""

    denoised: Callable[[Tensor, Tensor], Tensor]
    """x_t (N, C, H, W) and a time, a float64 scalar in [0, 1] -> the denoised images, clipped."""
    log_snr: Callable[[Tensor], Tensor]
    """Times in [0, 1] -> log-SNR, float64."""
    generators: list[torch.Generator]
    """The random numbers of each image, on the CPU."""
    times: Callable[[int], Tensor] = evenly
    """Steps -> the times at which the net is to be evaluated, rising to 1, float64."""
    straight: bool = False
    """Whether solvers take their steps in t of (1 - t) x + t eps."""
    ranged: Callable[[Tensor, Tensor], Tensor] | None = None
    """As `denoised`, with a learned variance behind the channels of the images, (N, 2 C, H, W).

    It says where the log variance of a step lies between those of beta~ and beta, at -1 and 1.
    None where no variance is learned.
    """


def levels_of(
    objective: Objective,
    ranged: Callable[[Tensor, Tensor], Tensor],
    generators: list[torch.Generator],
) -> Levels:
    """What samplers draw with under an objective.

    `ranged` gives the denoised images of x_t and a time, and behind them a variance, if one is
    learned.
    """

    def denoised(x_t: Tensor, time: Tensor) -> Tensor:
        return ranged(x_t, time)[:, : x_t.shape[1]]

    return Levels(
        denoised,
        objective.log_snr,
        generators,
        objective.sampled_at,
        objective.is_straight,
        ranged if objective.learns_variance else None,
    )


@torch.no_grad()
def generate(
    module: Callable[..., Tensor],
    net: Net,
    objective: Objective,
    sampler: Sampler,
    request: Request,
    device: torch.device,
) -> Tensor:
    """Images (N, C, H, W) float32 on the device, clipped, or latents; detail is scaled then.

    Raises GrowlangError where the sampler gives something else.
    """
    count = len(request.indices)
    generators = request.generators()
    noise = torch.stack([torch.randn(net.image.dims, generator=g) for g in generators])
    x_t = with_detail(noise.to(device), joints(net), request.detail_temperature)
    given, null = (
        {name: value.to(device) for name, value in values.items()}
        for values in (request.conditions, request.null)
    )
    guidance = Guidance(request.guidance, request.interval, request.rescale)
    predict = guided(partial(denoiser, module, net), given, null, guidance)

    def ranged(x_t: Tensor, time: Tensor) -> Tensor:
        t = time.expand(count)
        level = objective.log_snr(t).to(device)
        if (scale := objective.input_scale(t)) is not None:
            x_t = over_pixels(scale, x_t) * x_t
        found = predict(float(time))(x_t, objective.embedded(t).float().to(device), level)
        prediction, variance = found.float().tensor_split([x_t.shape[1]], 1)
        image = within(objective.to_x(prediction, x_t, t), net)
        return torch.cat([image, variance], 1) if variance.shape[1] else image

    levels = levels_of(objective, ranged, generators)
    drawn = attribute(sampler.runtime, sampler.call)(sampler, x_t, levels)
    if not (isinstance(drawn, Tensor) and drawn.shape == x_t.shape):
        gave = tuple(drawn.shape) if isinstance(drawn, Tensor) else type(drawn).__name__
        raise GrowlangError(
            f"the sampler `{sampler.call}` ({sampler.runtime}) gave {gave}, "
            f"not images {tuple(x_t.shape)}"
        )
    return with_detail(within(drawn, net), joints(net), request.detail_scale)


def within(x: Tensor, net: Net) -> Tensor:
    """Denoised images (N, C, H, W) of a net, clipped; latents have no ends to be clipped to."""
    return x if net.latent else clipped(x, joints(net))


def generator(seed: int, index: int) -> torch.Generator:
    """The random numbers of one image, on the CPU."""
    digest = blake2b(f"{seed}/{index}".encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
