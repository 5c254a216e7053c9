"""The built-in samplers: schedulers of diffusers, over the noise levels of an objective."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from growlang.spec.samplers import DDIM, DDPM, DPMSolver, Euler, Heun, Sampler
from growlang_runtime.diffusion.sampling import Levels

CLASSES = {
    "ddim": "DDIMScheduler",
    "ddpm": "DDPMScheduler",
    "dpm_solver": "DPMSolverMultistepScheduler",
    "heun": "HeunDiscreteScheduler",
    "euler": "EulerDiscreteScheduler",
}
"""The scheduler of each built-in sampler."""


def scheduler_of(
    declared: Sampler, at: Tensor, log_snr: Callable[[Tensor], Tensor], **options: Any
) -> Any:
    """The scheduler of a built-in sampler over the noise levels at rising times."""
    import diffusers

    if isinstance(declared, DDIM | DDPM):
        options["clip_sample"] = False  # images are clipped before
    if isinstance(declared, DPMSolver):
        options["solver_order"] = declared.order
    kind = getattr(diffusers, CLASSES[declared.call])
    return over_levels(kind, at, log_snr, **options)


def deterministic(declared: DPMSolver | Heun | Euler, noise: Tensor, levels: Levels) -> Tensor:
    """Images (N, C, H, W) from noise."""
    if levels.straight and not isinstance(declared, DPMSolver):
        return along_line(declared, noise, levels)
    return drawn(_scheduler(declared, levels), noise, levels)


def ddim(declared: DDIM, noise: Tensor, levels: Levels) -> Tensor:
    """Images (N, C, H, W) from noise."""
    scheduler = _scheduler(declared, levels)
    return drawn(scheduler, noise, levels, eta=declared.eta, generator=levels.generators)


def ddpm(declared: DDPM, noise: Tensor, levels: Levels) -> Tensor:
    """Images (N, C, H, W) from noise; with the variance that was learned, if one was."""
    if levels.ranged is None:
        scheduler = _scheduler(declared, levels)
        return drawn(scheduler, noise, levels, generator=levels.generators)
    scheduler = _scheduler(declared, levels, variance_type="learned_range")
    both = levels._replace(denoised=levels.ranged)  # which the scheduler takes apart
    return drawn(scheduler, noise, both, generator=levels.generators)


def _scheduler(declared: Sampler, levels: Levels, **options: Any) -> Any:
    return scheduler_of(declared, levels.times(declared.steps), levels.log_snr, **options)


def along_line(declared: Heun | Euler, noise: Tensor, levels: Levels) -> Tensor:
    """Images (N, C, H, W) from noise: dx/dt = (x - D) / t of x = (1 - t) x_0 + t eps.

    Euler's method, or Heun's, which takes the mean of the slopes at both ends of each step but the
    last. The shifted t is that of the log-SNR.
    """
    at = levels.times(declared.steps).flip(0)
    ends = [*torch.sigmoid(-levels.log_snr(at) / 2).tolist(), 0.0]

    def slope(x: Tensor, place: int) -> Tensor:
        t = ends[place]
        found: Tensor = (x - levels.denoised(x / math.hypot(1 - t, t), at[place])) / t
        return found

    x = noise * math.hypot(1 - ends[0], ends[0])
    for place, (now, then) in enumerate(pairwise(ends)):
        direction = slope(x, place)
        if isinstance(declared, Heun) and then > 0:
            direction = (direction + slope(x + (then - now) * direction, place + 1)) / 2
        x = x + (then - now) * direction
    return x


def over_levels(kind: Any, at: Tensor, log_snr: Callable[[Tensor], Tensor], **options: Any) -> Any:
    """A scheduler of diffusers, a class or what makes one, over the noise levels at rising times.

    Its table has exactly one entry for each step, so `trailing` starts at the noisiest one
    (arXiv 2305.08891) and no spacing skips or repeats a level. The table is float64: at high
    log-SNR, 1 - alpha^2 has no digits left in float32. So is sigma / alpha, which schedulers that
    hold x_t / alpha read: it is in the thousands at low log-SNR, and rounded there the levels are
    others than those of the net.
    """
    steps = len(at)
    with warnings.catch_warnings():
        # diffusers 0.42 turns a tensor into an array in a way that numpy 2 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        scheduler = kind(
            num_train_timesteps=steps,
            timestep_spacing="trailing",
            prediction_type="sample",
            **options,
        )
        levels = log_snr(at)
        scheduler.alphas_cumprod = torch.sigmoid(levels)
        scheduler.set_timesteps(steps)
    if scheduler.init_noise_sigma != 1:
        sigmas = torch.exp(-levels / 2)[scheduler.timesteps.long()]
        scheduler.sigmas = torch.cat([sigmas, sigmas.new_zeros(1)])
    return scheduler


def drawn(scheduler: Any, x_t: Tensor, levels: Levels, **options: Any) -> Tensor:
    """Images from noise x_t, both (N, C, H, W), by a scheduler of `over_levels`.

    Some schedulers hold x_t / alpha, whose noise has the standard deviation sigma / alpha
    (arXiv 2206.00364): they say so by `init_noise_sigma`. That begins in the thousands, and their
    steps subtract nearly all of it, so it is held in float64.
    """
    at = levels.times(scheduler.config.num_train_timesteps)
    x = x_t
    if scheduler.init_noise_sigma != 1:
        wide = torch.float32 if x_t.device.type == "mps" else torch.float64  # which mps has not
        x = x_t.to(wide) * math.hypot(1, float(scheduler.sigmas[0]))
    for step in scheduler.timesteps:
        seen = scheduler.scale_model_input(x, step).to(x_t.dtype)
        denoised = levels.denoised(seen, at[int(step)]).to(x.dtype)
        x = scheduler.step(denoised, step, x, **options).prev_sample
    return x.to(x_t.dtype)
