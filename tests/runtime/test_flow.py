"""The objective `flow` against its own formulas, and against what diffusers has of it."""

from typing import Any

import pytest
import torch
from tiny import net
from torch import Tensor

from growlang.signatures.installed import attribute
from growlang.spec.levels import LogitNormal
from growlang.spec.objectives import Flow, Velocity
from growlang.spec.samplers import DDIM, DPMSolver, Euler, Heun, Sampler
from growlang_runtime.diffusion.objective import Denoising, objective_of
from growlang_runtime.diffusion.sampling import Levels, Request, generate, generator

T = torch.tensor([0.001, 0.2, 0.5, 0.8, 1.0], dtype=torch.float64)
X = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
EPS = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(1))
NOISE = torch.randn(4, 1, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def flow(**said: Any) -> Denoising:
    found = objective_of(Flow(**said), net())
    assert isinstance(found, Denoising)
    return found


def over(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1).float()


def slightly_wrong(x_t: Tensor, log_snr: Tensor) -> Tensor:
    return 0.3 * x_t + 0.1


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_a_net_is_given_a_point_of_the_line_and_predicts_its_direction(shift: float) -> None:
    objective = flow(time_shift=shift)
    t = over(shift * T / (1 + (shift - 1) * T))
    x_t = objective.noisy(X, EPS, T)
    torch.testing.assert_close(x_t, (1 - t) * X + t * EPS, atol=2e-6, rtol=0)
    torch.testing.assert_close(objective.target(X, EPS, T), EPS - X)
    torch.testing.assert_close(objective.to_x(EPS - X, x_t, T), X, atol=2e-6, rtol=0)
    losses = objective.losses(slightly_wrong, X, EPS, T)
    wanted = (0.3 * x_t + 0.1 - (EPS - X)).square().flatten(1).mean(1)
    torch.testing.assert_close(losses, wanted)


@pytest.mark.parametrize("limit", [None, 400.0])
def test_the_error_of_an_image_may_be_weighed_as_that_of_its_velocity(limit: float | None) -> None:
    objective = flow(predict="x", weight=Velocity(limit=limit))
    x_t, t = objective.noisy(X, EPS, T), over(T)
    t_ = t if limit is None else t.clamp(min=limit**-0.5)
    implied, true = (x_t - (0.3 * x_t + 0.1)) / t_, (x_t - X) / t_
    losses = objective.losses(slightly_wrong, X, EPS, T)
    torch.testing.assert_close(
        losses, (implied - true).square().flatten(1).mean(1), rtol=2e-3, atol=0
    )


def test_the_shift_is_that_of_diffusers_and_comes_after_the_levels() -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler

    objective = flow(time_shift=3.0, levels=LogitNormal(mean=0, std=1))
    u = torch.linspace(0.05, 0.95, 10, dtype=torch.float64)
    times = objective.trained_at(u)
    torch.testing.assert_close(times, torch.sigmoid(torch.special.ndtri(u)))
    theirs = FlowMatchEulerDiscreteScheduler(shift=3.0)
    theirs.set_timesteps(sigmas=times.flip(0).tolist())
    ours = torch.sigmoid(-objective.log_snr(times) / 2).flip(0)
    torch.testing.assert_close(ours.float(), theirs.sigmas[:-1], atol=1e-6, rtol=0)


def velocity(x: Tensor, t: Tensor) -> Tensor:
    """E[eps - x | x_t] of x ~ N(0.2, 0.3^2)."""
    gain = (1 - t) * 0.09 / ((1 - t) ** 2 * 0.09 + t**2)
    return (x - (0.2 + gain * (x - (1 - t) * 0.2))) / t


def drawn(sampler: Sampler, shift: float = 1.0) -> Tensor:
    """From NOISE, by the exact velocity."""
    objective = flow(time_shift=shift)

    def denoised(x_t: Tensor, time: Tensor) -> Tensor:
        t = torch.sigmoid(-objective.log_snr(time) / 2)
        x = x_t * torch.hypot(1 - t, t)
        return x - t * velocity(x, t)

    random = [generator(0, index) for index in range(len(NOISE))]
    levels = Levels(denoised, objective.log_snr, random, objective.sampled_at, True)
    found: Tensor = attribute(sampler.runtime, sampler.call)(sampler, NOISE, levels)
    return found


@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("sampler", [Euler(steps=7), DDIM(steps=7)])
def test_euler_and_ddim_step_as_the_scheduler_of_diffusers(sampler: Sampler, shift: float) -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler

    theirs = FlowMatchEulerDiscreteScheduler(shift=shift)
    theirs.set_timesteps(sigmas=[1 - n / 7 for n in range(7)])
    x = NOISE.float()
    for t, sigma in zip(theirs.timesteps, theirs.sigmas, strict=False):
        x = theirs.step(velocity(x, sigma), t, x).prev_sample
    torch.testing.assert_close(drawn(sampler, shift).float(), x, atol=2e-5, rtol=0)


def test_heun_steps_as_the_scheduler_of_diffusers() -> None:
    from diffusers import FlowMatchHeunDiscreteScheduler

    theirs = FlowMatchHeunDiscreteScheduler()
    theirs.set_timesteps(7)
    grid = torch.tensor([1 - n / 7 for n in range(7)])  # theirs begins its last step elsewhere
    theirs.sigmas = torch.cat([grid[:1], grid[1:].repeat_interleave(2), torch.zeros(1)])
    x = NOISE.float()
    for t, sigma in zip(theirs.timesteps, theirs.sigmas, strict=False):
        x = theirs.step(velocity(x, sigma), t, x).prev_sample
    torch.testing.assert_close(drawn(Heun(steps=7)).float(), x, atol=2e-5, rtol=0)


def test_solvers_of_second_order_meet_where_the_flow_leads() -> None:
    deviation = NOISE * 0.3 + 0.2  # one Gaussian flows to another along straight lines of quantiles
    for sampler, close in ((Heun(steps=80), 1e-3), (DPMSolver(steps=80), 2e-2)):
        torch.testing.assert_close(drawn(sampler), deviation, atol=close, rtol=0)


@pytest.mark.parametrize("predict", ["velocity", "x"])
@pytest.mark.parametrize("sampler", [Euler(steps=4), Heun(steps=4), DDIM(steps=4)])
def test_images_are_drawn_at_every_time_with_finite_inputs(predict: Any, sampler: Any) -> None:
    read = []

    def module(x_t: Tensor, log_snr: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        read.append(log_snr)
        return x_t * 0.1

    given = {"text.ids": torch.zeros(2, 4).long(), "text.mask": torch.ones(2, 4).bool()}
    request = Request(given, given, range(2))
    objective = flow(predict=predict)
    images = generate(module, net(), objective, sampler, request, torch.device("cpu"))
    assert torch.isfinite(images).all()
    assert torch.isfinite(torch.stack(read)).all()
