"""How schedulers of diffusers draw with a model's own noise levels, in an exported pipeline.

Each is made anew over the levels, and given the denoised image in the terms that it reads. There
are three families: those over a table of levels (`over_levels`), those of flow matching, which
hold (1 - t) x + t eps, and those of EDM, which hold x + sigma eps.
"""

from __future__ import annotations

import inspect
import math
from functools import partial
from typing import Any

import torch
from torch import Tensor

from growlang_runtime.diffusion.sampling import Levels
from growlang_runtime.diffusion.schedulers import drawn, over_levels

FLOW_MATCHING = ("FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler")


def solved(scheduler: Any, steps: int, x_t: Tensor, levels: Levels, **options: Any) -> Tensor:
    """Images from variance-preserving noise x_t, both (N, C, H, W), by a pipeline's scheduler.

    Of the options those are used that its steps take.
    """
    kind, config = type(scheduler), scheduler.config
    taken = inspect.signature(kind.step).parameters.keys() & options.keys()
    given = {name: options[name] for name in taken}
    if kind.__name__ in FLOW_MATCHING:
        made = kind.from_config(config, use_dynamic_shifting=False, shift=1.0)
        return _straight(made, steps, x_t, levels, given)
    if hasattr(kind, "precondition_outputs"):
        made = kind.from_config(config, sigma_data=1.0, prediction_type="epsilon")
        return _preconditioned(made, steps, x_t, levels, given)
    if config.get("variance_type") != "learned_range":
        levels = levels._replace(ranged=None)
    make = partial(kind.from_config, config, trained_betas=None, beta_schedule="linear")
    made = over_levels(make, levels.times(steps), levels.log_snr)
    whole = levels._replace(denoised=levels.ranged) if levels.ranged else levels
    return drawn(made, x_t, whole, **given)


def _straight(
    scheduler: Any, steps: int, x_t: Tensor, levels: Levels, options: dict[str, Any]
) -> Tensor:
    """By a scheduler of flow matching, which is given eps - x."""
    at = levels.times(steps).flip(0)
    t = torch.sigmoid(-levels.log_snr(at) / 2)
    scheduler.set_timesteps(steps)
    if twice := scheduler.order == 2:  # which evaluates the net again where a step ends
        at = torch.cat([at[:1], at[1:].repeat_interleave(2)])
        t = torch.cat([t[:1], t[1:].repeat_interleave(2)])
    scheduler.timesteps = t * scheduler.config.num_train_timesteps
    scheduler.sigmas = torch.cat([t, t.new_zeros(1)])
    scheduler.set_begin_index(0)
    assert len(t) == (2 * steps - 1 if twice else steps)
    x = x_t * math.hypot(1 - float(t[0]), float(t[0]))
    for place, step in enumerate(scheduler.timesteps):
        now = float(t[place])
        seen = x / math.hypot(1 - now, now)
        velocity = (x - levels.denoised(seen, at[place])) / now
        x = scheduler.step(velocity, step, x, **options).prev_sample
    return x


def _preconditioned(
    scheduler: Any, steps: int, x_t: Tensor, levels: Levels, options: dict[str, Any]
) -> Tensor:
    """By a scheduler of EDM, which is given F, of which it makes the denoised image.

    With sigma_data = 1 what it gives the net is the variance-preserving x_t.
    """
    at = levels.times(steps).flip(0)
    sigmas = torch.exp(-levels.log_snr(at) / 2)
    scheduler.set_timesteps(steps)
    scheduler.sigmas = torch.cat([sigmas, sigmas.new_zeros(1)])
    scheduler.timesteps = sigmas
    scheduler.set_begin_index(0)
    wide = torch.float32 if x_t.device.type == "mps" else torch.float64  # which mps has not
    x = x_t.to(wide) * math.hypot(1, float(sigmas[0]))
    for place, sigma in enumerate(sigmas):
        seen = scheduler.scale_model_input(x, sigma)
        denoised = levels.denoised(seen.to(x_t.dtype), at[place]).to(wide)
        root = math.hypot(1, float(sigma))
        output = (denoised - x / root**2) * root / float(sigma)
        x = scheduler.step(output, sigma, x, **options).prev_sample.to(wide)
    return x.to(x_t.dtype)
