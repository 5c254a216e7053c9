"""Exports of every objective: diffusers draws the images of `growlang sample` with each sampler."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from drawing_alone import apart, by_diffusers
from tiny import net, phase, plan
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.spec.objectives import EDM, Diffusion, Flow, Objective
from growlang.spec.recipe import Sample
from growlang.spec.samplers import DDIM, DDPM, DPMSolver, Euler, Heun, Sampler
from growlang.spec.schedules import CosineBeta, LinearBeta
from growlang.torch_backend.initialisation import initialise
from growlang.torch_backend.lower import lower
from growlang_runtime.diffusion.objective import objective_of
from growlang_runtime.export.exporting import export
from growlang_runtime.sample import requested, sample
from growlang_runtime.storage.weights import Weights, model_metadata

WORDS = ["red", "", "blue sky"]
SHIFTED = Flow(time_shift=3.0)
LEARNED = Diffusion(predict="eps", schedule=LinearBeta(steps=50), variance="learned")
OBJECTIVES: dict[str, Objective] = {
    "velocity": SHIFTED,
    "flow of x": Flow(predict="x"),
    "edm": EDM(sigma_data=0.6, sigma_max=20.0),
    "linear": Diffusion(predict="eps", schedule=LinearBeta(steps=50)),
    "cosine": Diffusion(predict="v", schedule=CosineBeta(steps=40)),
    "learned": LEARNED,
}
STOCHASTIC: list[Sampler] = [DDIM(steps=5, eta=0.5), DDPM(steps=5)]
SOLVERS: list[Sampler] = [DPMSolver(steps=5, order=3), Euler(steps=5), Heun(steps=5)]
DRAWN: dict[str, list[Sampler]] = {
    "velocity": [STOCHASTIC[0], *SOLVERS],
    "flow of x": [SOLVERS[1]],
    "edm": [STOCHASTIC[1], *SOLVERS],
    "linear": STOCHASTIC,
    "cosine": [SOLVERS[0]],
    "learned": STOCHASTIC,
}


def weights(objective: Objective, sampler: Sampler = STOCHASTIC[0]) -> Weights:
    """Random weights of the tiny net, trained for an objective, as far as it is told."""
    learned = isinstance(objective, Diffusion) and objective.variance == "learned"
    model = net(ends=2 if learned else None)
    said = Sample(sampler=sampler, guidance=2.0, guidance_interval=[0.3, 1.0])
    made = plan([phase(objective=objective)], model=model, sample=said)
    module = initialise(lower(model, "meta"), model, 0)
    tensors = {n: 0.1 + 0.9 * t for n, t in module.state_dict().items()}
    return Weights(Path("random.safetensors"), model, tensors, model_metadata(made))


def by_growlang(own: Weights, **given: Any) -> Tensor:
    return sample(own, prompts=WORDS, seed=3, **given).tensor


SWAPS = [
    ("velocity", "FlowMatchHeunDiscreteScheduler", "heun"),
    ("edm", "EulerDiscreteScheduler", "euler"),
    ("edm", "EDMDPMSolverMultistepScheduler", "dpm_solver"),
    ("linear", "EDMEulerScheduler", "euler"),
]
"""Schedulers of another family: Euler's method over sigma and along the line are two paths of
solvers, each the model's."""


def test_diffusers_draws_the_same_images_of_every_objective_with_its_schedulers(
    tmp_path: Path,
) -> None:
    jobs: list[dict[str, Any]] = []
    wanted: list[Tensor] = []

    def drawn(own: Weights, name: str, more: dict[str, str], **given: Any) -> None:
        folder = tmp_path / name
        export(own, "diffusers", folder)
        jobs.append({"folder": str(folder), "prompts": WORDS, "asked": {"seed": 3}, **more})
        wanted.append(by_growlang(own, **given))

    for name, objective in OBJECTIVES.items():
        for sampler in DRAWN[name]:
            drawn(weights(objective, sampler), f"{name} {sampler.call}", {})
    for name, kind, method in SWAPS:
        own = weights(OBJECTIVES[name])
        drawn(own, f"{name} {kind}", {"scheduler": kind}, sampler=method, steps=5)
    found = by_diffusers(jobs, tmp_path)["images"]
    for job, image, own_image in zip(jobs, found, wanted, strict=True):
        assert apart(image, own_image) < 1e-4, job["folder"]
        assert float(own_image.std()) > 0.01, "images that say nothing"


@pytest.mark.parametrize(
    ("name", "sampler", "kind"),
    [
        ("velocity", Euler(), "FlowMatchEulerDiscreteScheduler"),
        ("velocity", Heun(), "FlowMatchHeunDiscreteScheduler"),
        ("velocity", DPMSolver(), "DPMSolverMultistepScheduler"),
        ("edm", Euler(), "EDMEulerScheduler"),
        ("edm", DPMSolver(order=3), "EDMDPMSolverMultistepScheduler"),
        ("edm", Heun(), "HeunDiscreteScheduler"),
        ("learned", DDPM(), "DDPMScheduler"),
        ("cosine", DDIM(), "DDIMScheduler"),
    ],
)
def test_the_scheduler_of_a_folder_has_the_models_levels(
    name: str, sampler: Sampler, kind: str, tmp_path: Path
) -> None:
    steps = 20
    own = weights(OBJECTIVES[name], sampler.model_copy(update={"steps": steps}))
    export(own, "diffusers", tmp_path / "out")
    index = json.loads((tmp_path / "out" / "model_index.json").read_text())
    assert index["scheduler"] == ["diffusers", kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of diffusers' Heun
        found = getattr(diffusers, kind).from_pretrained(tmp_path / "out" / "scheduler")
    objective = objective_of(OBJECTIVES[name], own.net)
    levels = objective.log_snr(objective.sampled_at(steps)).flip(0)
    if kind.startswith("EDM"):
        found.set_timesteps(steps)
        assert torch.allclose(found.sigmas[:-1].double(), torch.exp(-levels / 2), rtol=1e-5)
    elif kind.startswith("Flow"):
        assert found.config.shift == SHIFTED.time_shift
    elif name in ("learned", "cosine"):
        count = 50 if name == "learned" else 40
        table = objective.log_snr(torch.arange(1, count + 1) / count)
        assert torch.allclose(found.alphas_cumprod.double(), torch.sigmoid(table), atol=1e-6)
        wanted = "epsilon" if name == "learned" else "v_prediction"
        assert found.config.prediction_type == wanted
        assert found.config.get("variance_type") == (
            "learned_range" if kind == "DDPMScheduler" else None
        )
    assert found.config.get("solver_order") == getattr(sampler, "order", None)


def test_more_steps_than_levels_are_refused(tmp_path: Path) -> None:
    own = weights(OBJECTIVES["linear"], DDIM(steps=51))
    with pytest.raises(GrowlangError, match="51 steps are more than the 50 noise levels") as error:
        export(own, "diffusers", tmp_path / "out")
    assert "at most 50" in error.value.help
    assert not (tmp_path / "out").exists()
    assert requested(own).sampler.steps == 51
