"""The objective `edm` against the formulas of its paper, and against diffusers' schedulers."""

from typing import Any

import pytest
import torch
from tiny import net
from torch import Tensor

from growlang.signatures.installed import attribute
from growlang.spec.objectives import EDM, Diffusion, EDMWeight, Flow, SoftMinSNR
from growlang.spec.samplers import Euler, Heun, Sampler
from growlang_runtime.diffusion.objective import Denoising, objective_of
from growlang_runtime.diffusion.sampling import Levels, generator

T = torch.tensor([0.0, 0.2, 0.5, 0.8, 1.0], dtype=torch.float64)
X = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
EPS = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(1))
NOISE = torch.randn(4, 1, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def edm(**said: Any) -> Denoising:
    found = objective_of(EDM(**said), net())
    assert isinstance(found, Denoising)
    return found


def sigmas(objective: Denoising) -> Tensor:
    return torch.exp(-objective.log_snr(T) / 2)


@pytest.mark.parametrize("data", [0.5, 1.0])
def test_the_preconditioning_is_that_of_the_paper(data: float) -> None:
    objective = edm(sigma_data=data)
    sigma = sigmas(objective)
    assert sigma[[0, -1]].tolist() == pytest.approx([0.002, 80])
    torch.testing.assert_close(objective.embedded(T), sigma.log() / 4)
    s, d2 = sigma.view(-1, 1, 1, 1), data**2
    noisy = X.double() + s * EPS
    c_in, c_skip = 1 / (s**2 + d2).sqrt(), d2 / (s**2 + d2)
    c_out = s * data / (s**2 + d2).sqrt()
    given = objective.noisy(X, EPS, T)
    torch.testing.assert_close(given.double(), c_in * noisy, atol=1e-5, rtol=0)
    raw = 0.3 * given + 0.1
    wanted = c_skip * noisy + c_out * raw
    torch.testing.assert_close(objective.to_x(raw, given, T).double(), wanted, atol=1e-5, rtol=0)
    losses = objective.losses(lambda x_t, read: 0.3 * x_t + 0.1, X, EPS, T)
    weight = (s**2 + d2) / (s * data) ** 2
    theirs = (weight * (wanted - X).square()).flatten(1).mean(1)
    torch.testing.assert_close(losses.double(), theirs, rtol=1e-3, atol=1e-6)


def test_with_data_of_deviation_one_it_is_v_with_another_sign() -> None:
    """c_skip = alpha^2 and c_out = sigma: F = sigma x - alpha eps."""
    objective = edm(sigma_data=1.0)
    level = objective.log_snr(T).view(-1, 1, 1, 1)
    v = torch.sigmoid(level).sqrt() * EPS - torch.sigmoid(-level).sqrt() * X
    torch.testing.assert_close(objective.target(X, EPS, T).double(), -v, atol=1e-6, rtol=0)


@pytest.mark.parametrize("declared", [Diffusion(predict="x"), Flow(predict="x")])
def test_its_weights_fit_other_objectives(declared: Any) -> None:
    for weight, formula in (
        (EDMWeight(), lambda sigma: (sigma**2 + 0.25) / (sigma * 0.5) ** 2),
        (SoftMinSNR(), lambda sigma: 1 / (sigma**2 + 0.25)),
    ):
        objective: Any = objective_of(declared.model_copy(update={"weight": weight}), net())
        sigma = sigmas(objective)
        torch.testing.assert_close(objective.weight(T), formula(sigma))
    assert torch.allclose(edm(weight=EDMWeight()).weight(T), torch.ones(5).double())


def denoised_of(x: Tensor, sigma: Tensor) -> Tensor:
    """E[x | x + sigma eps] of x ~ N(0.2, 0.3^2)."""
    return 0.2 + 0.09 / (0.09 + sigma**2) * (x - 0.2)


@pytest.mark.parametrize(("sampler", "name"), [(Euler(steps=8), "Euler"), (Heun(steps=8), "Heun")])
def test_samplers_step_as_those_of_diffusers(sampler: Sampler, name: str) -> None:
    import diffusers

    objective = edm()

    def denoised(x_t: Tensor, time: Tensor) -> Tensor:
        sigma = torch.exp(-objective.log_snr(time) / 2)
        return denoised_of(x_t * torch.hypot(sigma, torch.ones(())), sigma)

    random = [generator(0, index) for index in range(len(NOISE))]
    levels = Levels(denoised, objective.log_snr, random, objective.sampled_at)
    found = attribute(sampler.runtime, sampler.call)(sampler, NOISE, levels)
    steps = torch.linspace(0, 1, 8, dtype=torch.float64)
    grid = (80 ** (1 / 7) + steps * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    theirs = diffusers.EDMEulerScheduler()
    theirs.set_timesteps(8)
    torch.testing.assert_close(theirs.sigmas[:-1].double(), grid, rtol=1e-4, atol=0)
    x = NOISE * (1 + 80**2) ** 0.5
    for place, sigma in enumerate(grid):
        after = grid[place + 1] if place < 7 else torch.zeros(()).double()
        slope = (x - denoised_of(x, sigma)) / sigma
        ahead = x + (after - sigma) * slope
        if name == "Heun" and after > 0:
            slope = (slope + (ahead - denoised_of(ahead, after)) / after) / 2
        x = x + (after - sigma) * slope
    torch.testing.assert_close(found, x, atol=2e-5, rtol=0)
