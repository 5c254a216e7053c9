"""Each objective in a run: it trains, is stopped, goes on to the same weights, and draws."""

from pathlib import Path

import pytest
import torch
from tiny import interrupt_at, metrics, phase, plan, state, train

from growlang.spec.levels import LogitNormal, LogNormal
from growlang.spec.objectives import EDM, Diffusion, Flow, Objective, written
from growlang.spec.schedules import LinearBeta
from growlang_runtime.sample import sample
from growlang_runtime.storage.weights import load

OBJECTIVES = [
    pytest.param(Diffusion(levels=LogNormal(mean=-0.5, std=1.0)), marks=pytest.mark.slow),
    Diffusion(predict="eps", schedule=LinearBeta(steps=50)),
    Flow(levels=LogitNormal(mean=0.0, std=1.0), time_shift=2.0),
    pytest.param(Flow(predict="x"), marks=pytest.mark.slow),
    EDM(),
]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=written)
def test_an_objective_trains_and_goes_on_and_draws(
    objective: Objective, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plan([phase(steps=60, batch=8, objective=objective)])
    whole = train(made, data, "whole")
    losses = [line["loss"] for line in metrics(whole.run) if "loss" in line]
    assert sum(losses[-15:]) < 0.97 * sum(losses[:15])
    with monkeypatch.context() as patched:
        interrupt_at(patched, 31)
        assert not train(made, data, "parts").finished
    resumed = train(made, data, "parts", resume="must")
    assert state(resumed) == state(whole)
    for sampler in ("ddim", "ddpm", "dpm_solver", "euler", "heun"):
        images = sample(load(whole.run), prompts=["red"], sampler=sampler, steps=6).tensor
        assert torch.isfinite(images).all()
