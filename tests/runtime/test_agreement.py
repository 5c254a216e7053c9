"""What a run tries of an objective and its sampler: parts that agree or do not."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import metrics, net, phase, plan, train
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.spec.objectives import EDM, Diffusion, Flow, Objective, Sigmoid, Velocity, written
from growlang.spec.samplers import DDIM, SAMPLERS, Sampler
from growlang.spec.schedules import CosineBeta, LinearBeta
from growlang_runtime.diffusion import agreement
from growlang_runtime.diffusion.agreement import require_agreement, require_sampler
from growlang_runtime.diffusion.objective import Denoising, objective_of
from growlang_runtime.diffusion.sampling import Levels

DECLARED = [
    Diffusion(),
    Diffusion(predict="eps", schedule=LinearBeta()),
    Diffusion(predict="x", weight=Sigmoid()),
    Flow(time_shift=3.0),
    Flow(predict="x", weight=Velocity(limit=400.0)),
    EDM(),
    Diffusion(predict="eps", schedule=LinearBeta(), variance="learned"),
    Diffusion(predict="eps", schedule=CosineBeta(), variance="learned"),
    Diffusion(schedule=LinearBeta(start=0.01, end=0.5, steps=12), variance="learned"),
]


@pytest.mark.parametrize("sampler", [kind() for kind in SAMPLERS.values()], ids=written)
@pytest.mark.parametrize("declared", DECLARED, ids=written)
def test_what_is_built_in_agrees(declared: Objective, sampler: Sampler) -> None:
    learned = getattr(declared, "variance", "fixed") == "learned"
    objective = objective_of(declared, net(ends=2 if learned else None))
    require_agreement(objective, declared.call)
    require_sampler(objective, declared.call, sampler)


@dataclass(frozen=True)
class Broken(Denoising):
    """A denoising objective of which one part is another one's."""

    part: str = ""

    def noisy(self, x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        return super().noisy(x, eps, t) * (1.2 if self.part == "noise" else 1)

    def to_x(self, prediction: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        return super().to_x(-prediction if self.part == "prediction" else prediction, x_t, t)

    def losses(self, denoise: Any, x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        return super().losses(denoise, x, -eps if self.part == "loss" else eps, t)

    def weight(self, t: Tensor) -> Tensor:
        return super().weight(t) * (-1 if self.part == "weigh" else 1)


@pytest.mark.parametrize("part", ["noise", "prediction", "loss", "weigh"])
def test_a_part_that_does_not_fit_is_named(part: str) -> None:
    whole: Any = objective_of(Diffusion(), net())
    broken = Broken(whole.declared, whole.schedule, whole.reference, part=part)
    with pytest.raises(GrowlangError, match=f"{part} .*|does not {part} errors"):
        require_agreement(broken, "diffusion")


def too_noisy(declared: Sampler, noise: Tensor, levels: Levels) -> Tensor:
    return levels.denoised(3 * noise, torch.ones((), dtype=torch.float64))


def ends_elsewhere(declared: Sampler, noise: Tensor, levels: Levels) -> Tensor:
    return 0.5 * levels.denoised(noise, torch.ones((), dtype=torch.float64))


@pytest.mark.parametrize(
    ("kind", "match"),
    [
        (too_noisy, "does not follow the noise of the objective `diffusion`: at t = 1"),
        (ends_elsewhere, "does not end at the image"),
    ],
)
def test_a_sampler_that_does_not_fit_is_named(kind: Any, match: str) -> None:
    class Other(DDIM):
        runtime = f"test_agreement:{kind.__name__}"

    with pytest.raises(GrowlangError, match=match):
        require_sampler(objective_of(Diffusion(), net()), "diffusion", Other())


def test_a_run_is_tried_before_its_first_step(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "CLOSE", -1.0)  # which nothing meets
    with pytest.raises(GrowlangError, match="the noise of the objective `diffusion`"):
        train(plan([phase()]), data)


def test_a_sampler_is_tried_behind_the_first_step(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agreement, "SPREAD", (2.0, 3.0))  # which nothing meets
    with pytest.raises(GrowlangError, match="the sampler `ddim") as error:
        train(plan([phase()]), data)
    assert "does not follow the noise" in error.value.message
    losses = [line for line in metrics(data / "runs" / "tiny" / "main") if "loss" in line]
    assert len(losses) == 1
