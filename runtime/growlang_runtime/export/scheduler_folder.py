"""The scheduler of an exported folder: the sampler, and as far as it can say them the levels.

The pipeline sets the model's own levels, whatever the config says; others read the config.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch

from growlang.spec.objectives import EDM, Diffusion, Flow
from growlang.spec.samplers import DDIM, DDPM, DPMSolver, Sampler
from growlang.spec.schedules import CosineBeta, LinearBeta
from growlang_runtime.diffusion.objective import Denoising
from growlang_runtime.diffusion.schedulers import CLASSES

FLOW_CLASSES = {
    "euler": "FlowMatchEulerDiscreteScheduler",
    "heun": "FlowMatchHeunDiscreteScheduler",
}
"""Of samplers that step in t of (1 - t) x + t eps."""
EDM_CLASSES = {"euler": "EDMEulerScheduler", "dpm_solver": "EDMDPMSolverMultistepScheduler"}
"""Of samplers that diffusers has over sigma of x + sigma eps."""
PREDICTIONS = {"v": "v_prediction", "eps": "epsilon", "x": "sample"}


def write_scheduler(folder: Path, sampler: Sampler, objective: Denoising) -> list[str]:
    """Write the scheduler's config; gives its library and class, as `model_index.json` has them."""
    import diffusers

    name, options = _said(sampler, objective)
    with warnings.catch_warnings():
        # diffusers 0.42 turns a tensor into an array in a way that numpy 2 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        scheduler = getattr(diffusers, name)(**options)
    scheduler.save_pretrained(folder)
    return ["diffusers", name]


def _said(sampler: Sampler, objective: Denoising) -> tuple[str, dict[str, Any]]:
    declared = objective.declared
    own: dict[str, Any] = {}
    if isinstance(sampler, DPMSolver):
        own["solver_order"] = sampler.order
    if isinstance(declared, Flow) and sampler.call in FLOW_CLASSES:
        return FLOW_CLASSES[sampler.call], {"shift": declared.time_shift}
    if isinstance(declared, EDM) and sampler.call in EDM_CLASSES:
        names = ("sigma_min", "sigma_max", "sigma_data", "rho")
        return EDM_CLASSES[sampler.call], {n: getattr(declared, n) for n in names} | own
    if isinstance(sampler, DDIM | DDPM):
        own["clip_sample"] = False  # images are clipped before
    if isinstance(sampler, DDPM) and objective.learns_variance:
        own["variance_type"] = "learned_range"
    own["timestep_spacing"] = "trailing"
    return CLASSES[sampler.call], own | _betas(sampler, objective)


def _betas(sampler: Sampler, objective: Denoising) -> dict[str, Any]:
    """The discrete levels that a net is trained at; of continuous ones those of the sampler."""
    declared = objective.declared
    schedule = declared.schedule if isinstance(declared, Diffusion) else None
    if isinstance(declared, Diffusion) and isinstance(schedule, LinearBeta | CosineBeta):
        said: dict[str, Any] = {
            "num_train_timesteps": schedule.steps,
            "prediction_type": PREDICTIONS[declared.predict],
        }
        if isinstance(schedule, LinearBeta):
            return said | {"beta_start": schedule.start, "beta_end": schedule.end}
        at = objective.sampled_at(schedule.steps)
    else:
        at = objective.sampled_at(sampler.steps)
        said = {"num_train_timesteps": len(at), "prediction_type": "sample"}
    signal = torch.sigmoid(objective.log_snr(at))
    before = torch.cat([signal.new_ones(1), signal[:-1]])
    return said | {"trained_betas": (1 - signal / before).tolist()}
