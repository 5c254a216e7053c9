"""A learned variance: its loss against the paper's formulas, and `ddpm` against diffusers'."""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import metrics, net, phase, plan, train
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from growlang.diagnostics import GrowlangError
from growlang.spec.objectives import Diffusion
from growlang.spec.recipe import Sample
from growlang.spec.samplers import DDIM, DDPM
from growlang.spec.schedules import Cosine, LinearBeta
from growlang_runtime.diffusion.objective import Denoising, denoising
from growlang_runtime.diffusion.sampling import Request, generate, generator

BETAS = LinearBeta(start=0.002, end=0.3, steps=10)
T = torch.arange(1, 11, dtype=torch.float64) / 10
X = torch.randn(10, 1, 8, 8, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
EPS = torch.randn(10, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def learning(predict: Any = "eps", variance: Any = "learned") -> Denoising:
    ends = 2 if variance == "learned" else None
    return denoising(Diffusion(predict=predict, schedule=BETAS, variance=variance), net(ends=ends))


def both(x_t: Tensor, log_snr: Tensor) -> Tensor:
    """A prediction and, behind it, where the variance lies."""
    return torch.cat([0.3 * x_t + 0.1, torch.sin(5 * x_t)], 1)


def bound(n: int, x: Tensor, x_hat: Tensor, x_t: Tensor, share: Tensor) -> Tensor:
    """Bits a value of the step from level n, as improved DDPM writes it; all in float64."""
    betas = torch.linspace(BETAS.start, BETAS.end, BETAS.steps, dtype=torch.float64)
    bars = torch.cat([torch.ones(1, dtype=torch.float64), (1 - betas).cumprod(0)])
    posterior = betas * (1 - bars[:-1]) / (1 - bars[1:])
    beta, bar, before = betas[n - 1], bars[n], bars[n - 1]
    of_x, of_x_t = before.sqrt() * beta / (1 - bar), (1 - beta).sqrt() * (1 - before) / (1 - bar)
    least = posterior[max(n - 1, 1)]
    std = torch.exp((share * beta.log() + (1 - share) * least.log()) / 2)
    step = Normal(of_x * x_hat + of_x_t * x_t, std)
    if n == 1:
        above = torch.where(x > 0.999, 1.0, step.cdf(x + 1 / 255))
        below = torch.where(x < -0.999, 0.0, step.cdf(x - 1 / 255))
        return -(above - below).clamp(min=1e-12).log2().mean()
    known = Normal(of_x * x + of_x_t * x_t, least.sqrt().expand_as(std))
    return kl_divergence(known, step).mean() / math.log(2)


@pytest.mark.parametrize("predict", ["x", "v", "eps"])
def test_the_variance_learns_by_a_thousandth_of_the_bound(predict: Any) -> None:
    objective = learning(predict)
    found = objective.losses(both, X, EPS, T)
    plain = learning(predict, "fixed").losses(lambda *given: both(*given)[:, :1], X, EPS, T)
    x_t = objective.noisy(X, EPS, T)
    x_hat = objective.to_x(0.3 * x_t + 0.1, x_t, T)
    share = (torch.sin(5 * x_t) + 1) / 2
    bits = [
        bound(n, *(v[n - 1].double() for v in (X, x_hat, x_t, share))) for n in range(1, len(T) + 1)
    ]
    wanted = plain.double() + 0.001 * BETAS.steps * torch.stack(bits)
    torch.testing.assert_close(found.double(), wanted, rtol=1e-4, atol=1e-6)


def test_the_bound_moves_the_variance_alone() -> None:
    given = (0.3 * X + 0.1).requires_grad_()
    place = torch.zeros_like(X).requires_grad_()
    learning().losses(lambda *_: torch.cat([given, place], 1), X, EPS, T).sum().backward()
    alone = given.detach().clone().requires_grad_()
    learning(variance="fixed").losses(lambda *_: alone, X, EPS, T).sum().backward()
    assert given.grad is not None and place.grad is not None and alone.grad is not None
    assert torch.equal(given.grad, alone.grad)
    assert (place.grad != 0).any(dim=(1, 2, 3)).all()


def ends(x_t: Tensor, log_snr: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
    """What a net gives that learns a variance, under a condition."""
    kind = 0.1 * ids[:, :1].view(-1, 1, 1, 1)
    return torch.cat([0.9 * x_t + kind, torch.cos(3 * x_t) - kind], 1)


IDS = {"text.ids": torch.full((3, 4), 3), "text.mask": torch.ones(3, 4).bool()}
NULL = IDS | {"text.ids": torch.full((3, 4), 2)}


def drawn(sampler: Any, guidance: float = 1.0, net_: Any = ends, **said: Any) -> Tensor:
    objective = learning(**said)
    model = net(ends=2 if objective.learns_variance else None)
    request = Request(IDS, NULL, range(3), guidance=guidance)
    return generate(net_, model, objective, sampler, request, torch.device("cpu"))


def theirs(steps: int, guidance: float) -> Tensor:
    """What diffusers' own table of betas and scheduler draw, guided in the noise alone."""
    from diffusers import DDPMScheduler

    scheduler = DDPMScheduler(
        BETAS.steps,
        BETAS.start,
        BETAS.end,
        variance_type="learned_range",
        timestep_spacing="trailing",
    )
    scheduler.set_timesteps(steps)
    random = [generator(0, place) for place in range(3)]
    x = torch.stack([torch.randn(1, 8, 8, generator=g) for g in random])
    for step in scheduler.timesteps:
        with_, place = ends(x, x, **_named(IDS)).chunk(2, 1)
        without, _ = ends(x, x, **_named(NULL)).chunk(2, 1)
        eps = without + guidance * (with_ - without)
        found = scheduler.step(torch.cat([eps, place], 1), step, x, generator=random)
        x = found.prev_sample
    # The last step gives its mean: diffusers adds noise to it where it does not start at level 0.
    last: Tensor = found.pred_original_sample
    return last


def _named(given: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("text."): value for name, value in given.items()}


@pytest.mark.parametrize("steps", [10, 5])
@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_ddpm_draws_what_diffusers_does_with_a_learned_range(steps: int, guidance: float) -> None:
    found = drawn(DDPM(steps=steps), guidance)
    torch.testing.assert_close(found, theirs(steps, guidance), atol=2e-5, rtol=0)
    least = drawn(DDPM(steps=steps), net_=lambda *v: ends(*v)[:, :1], variance="fixed")
    assert not torch.allclose(found, least, atol=1e-2)


def test_ddim_reads_the_channels_of_the_image_alone() -> None:
    plain = drawn(DDIM(steps=5), net_=lambda *v: ends(*v)[:, :1], variance="fixed")
    assert torch.equal(drawn(DDIM(steps=5)), plain)


def test_a_variance_needs_levels_and_a_place_in_the_head() -> None:
    with pytest.raises(GrowlangError, match="the schedule has none"):
        denoising(Diffusion(schedule=Cosine(), variance="learned"), net(ends=2))
    with pytest.raises(GrowlangError, match="needs a head of 2 channels, but it has 1"):
        denoising(Diffusion(schedule=BETAS, variance="learned"), net())


def test_a_net_learns_a_variance_in_a_run_and_draws_with_it(data: Path) -> None:
    declared = Diffusion(predict="eps", schedule=BETAS, variance="learned")
    run = plan(
        [phase(steps=40, objective=declared)],
        model=net(ends=2),
        sample=Sample(sampler=DDPM(steps=5), prompts=["a"]),
    )
    train(run, data)
    lines = metrics(data / "runs" / "tiny" / "main")
    losses = [line["loss"] for line in lines if "loss" in line]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert all(math.isfinite(b - a) for a, b in pairwise(losses))
