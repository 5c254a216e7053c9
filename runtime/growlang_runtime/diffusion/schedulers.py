"""The built-in samplers: schedulers of diffusers, over the noise levels of an objective."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from growlang.spec.samplers import DDIM, DDPM, DPMSolver
from growlang_runtime.diffusion.sampling import Levels


def ddim(declared: DDIM, noise: Tensor, levels: Levels) -> Tensor:
    """Images (N, C, H, W) from noise."""
    from diffusers import DDIMScheduler

    scheduler = over_levels(DDIMScheduler, declared.steps, levels.log_snr, clip_sample=False)
    return _drawn(scheduler, noise, levels, eta=declared.eta)


def ddpm(declared: DDPM, noise: Tensor, levels: Levels) -> Tensor:
    """Images (N, C, H, W) from noise."""
    from diffusers import DDPMScheduler

    scheduler = over_levels(DDPMScheduler, declared.steps, levels.log_snr, clip_sample=False)
    return _drawn(scheduler, noise, levels)


def dpm_solver(declared: DPMSolver, noise: Tensor, levels: Levels) -> Tensor:
    """Images (N, C, H, W) from noise."""
    from diffusers import DPMSolverMultistepScheduler as Solver

    scheduler = over_levels(Solver, declared.steps, levels.log_snr, solver_order=declared.order)
    return _drawn(scheduler, noise, levels)


def times(steps: int) -> Tensor:
    """The times at which the net is evaluated, rising: 1 / steps, ..., 1; float64."""
    return torch.arange(1, steps + 1, dtype=torch.float64) / steps


def over_levels(kind: Any, steps: int, log_snr: Callable[[Tensor], Tensor], **options: Any) -> Any:
    """A scheduler of diffusers over noise levels.

    Its table has exactly one entry for each step, so `trailing` starts at the noisiest one
    (arXiv 2305.08891) and no spacing skips or repeats a level. The table is float64: at high
    log-SNR, 1 - alpha^2 has no digits left in float32.
    """
    scheduler = kind(
        num_train_timesteps=steps,
        timestep_spacing="trailing",
        prediction_type="sample",
        **options,
    )
    scheduler.alphas_cumprod = torch.sigmoid(log_snr(times(steps)))
    with warnings.catch_warnings():
        # diffusers 0.42 turns a tensor into an array in a way that numpy 2 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        scheduler.set_timesteps(steps)
    return scheduler


def _drawn(scheduler: Any, x_t: Tensor, levels: Levels, **options: Any) -> Tensor:
    at = times(len(scheduler.timesteps))
    for step in scheduler.timesteps.tolist():
        x = levels.denoised(x_t, at[step])
        x_t = scheduler.step(x, step, x_t, generator=levels.generators, **options).prev_sample
    return x_t
