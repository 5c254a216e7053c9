"""Images from a trained net: the samplers of diffusers over the run's own noise schedule.

The net is given the log-SNR, never a step number, and the sampler the denoised image, clipped to
[-1, 1], so that all of them work with every prediction.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor

from growlang.net import Net
from growlang.spec.recipe import DDIM, DPMSolver, Sampler
from growlang_runtime.diffusion.noise import to_x
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
    seed: int = 0
    guidance: float = 1.0


def times(steps: int) -> Tensor:
    """The times at which the net is evaluated, rising: 1 / steps, ..., 1; float64."""
    return torch.arange(1, steps + 1, dtype=torch.float64) / steps


def scheduler_of(sampler: Sampler, objective: Objective) -> Any:
    """The scheduler of diffusers for a sampler, over this objective's noise levels.

    Its table has exactly one entry for each step, so `trailing` starts at the noisiest one
    (arXiv 2305.08891) and no spacing skips or repeats a level. The table is float64: at high
    log-SNR, 1 - alpha^2 has no digits left in float32.
    """
    from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler

    common: dict[str, Any] = {
        "num_train_timesteps": sampler.steps,
        "timestep_spacing": "trailing",
        "prediction_type": "sample",
    }
    kinds: dict[str, Any] = {
        "ddim": DDIMScheduler,
        "ddpm": DDPMScheduler,
        "dpm_solver": DPMSolverMultistepScheduler,
    }
    if isinstance(sampler, DPMSolver):
        common["solver_order"] = sampler.order
    else:
        common["clip_sample"] = False
    scheduler = kinds[sampler.call](**common)
    scheduler.alphas_cumprod = torch.sigmoid(objective.schedule.log_snr(times(sampler.steps)))
    with warnings.catch_warnings():
        # diffusers 0.42 turns a tensor into an array in a way that numpy 2 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        scheduler.set_timesteps(sampler.steps)
    return scheduler


@torch.no_grad()
def generate(
    module: Callable[..., Tensor],
    net: Net,
    objective: Objective,
    sampler: Sampler,
    request: Request,
    device: torch.device,
) -> Tensor:
    """Images (N, C, H, W) float32 in [-1, 1], on the device."""
    scheduler = scheduler_of(sampler, objective)
    count = len(request.indices)
    generators = [generator(request.seed, index) for index in request.indices]
    x_t = torch.stack([torch.randn(net.image.dims, generator=g) for g in generators]).to(device)
    predict = guided(module, net, request, device)
    options: dict[str, Any] = {"generator": generators}
    if isinstance(sampler, DDIM):
        options["eta"] = sampler.eta
    levels = times(sampler.steps)
    for step in scheduler.timesteps.tolist():
        t = levels[step].expand(count)
        prediction = predict(x_t, objective.embedded(t).float().to(device))
        log_snr = objective.schedule.log_snr(t)
        x = to_x(prediction.float(), x_t, log_snr, objective.declared.predict).clamp(-1, 1)
        x_t = scheduler.step(x, step, x_t, **options).prev_sample
    return x_t.clamp(-1, 1)


def guided(
    module: Callable[..., Tensor], net: Net, request: Request, device: torch.device
) -> Callable[[Tensor, Tensor], Tensor]:
    """The prediction under classifier-free guidance (arXiv 2207.12598): null + s (given - null)."""
    given = {name: value.to(device) for name, value in request.conditions.items()}
    if request.guidance == 1.0 or not given:
        return denoiser(module, net, given)
    null = {name: request.null[name].to(device) for name in given}
    both = {name: torch.cat([value, null[name]]) for name, value in given.items()}
    denoise = denoiser(module, net, both)

    def predict(x_t: Tensor, log_snr: Tensor) -> Tensor:
        with_, without = denoise(x_t.repeat(2, 1, 1, 1), log_snr.repeat(2)).chunk(2)
        return without + request.guidance * (with_ - without)

    return predict


def generator(seed: int, index: int) -> torch.Generator:
    """The random numbers of one image, on the CPU."""
    digest = blake2b(f"{seed}/{index}".encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
