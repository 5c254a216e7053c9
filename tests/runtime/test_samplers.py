"""Samplers on a distribution whose denoiser is known in closed form: one Gaussian."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import torch
from tiny import net
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.signatures.installed import attribute
from growlang.spec.objectives import Diffusion
from growlang.spec.samplers import DDIM, DDPM, DPMSolver, Euler, Heun, Sampler
from growlang.spec.schedules import Cosine
from growlang_runtime.diffusion.guidance import Guidance, guided, rescaled
from growlang_runtime.diffusion.noise import alpha, noise_schedule, sigma
from growlang_runtime.diffusion.objective import denoising
from growlang_runtime.diffusion.sampling import Levels, Request, generate, generator

MEAN, DEVIATION = 0.2, 0.3
SCHEDULE = noise_schedule(Cosine(min=-3, max=24), 8)
NOISE = torch.randn(4, 1, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def denoised(x_t: Tensor, time: Tensor) -> Tensor:
    """E[x | x_t] of x ~ N(MEAN, DEVIATION^2)."""
    a, s = (f(SCHEDULE.log_snr(time)) for f in (alpha, sigma))
    gain = a * DEVIATION**2 / (a**2 * DEVIATION**2 + s**2)
    return (MEAN + gain * (x_t.double() - a * MEAN)).to(x_t.dtype)


def exact() -> Tensor:
    """Where the probability flow leads from NOISE at t = 1."""
    a, s = (f(SCHEDULE.log_snr(torch.ones(()))) for f in (alpha, sigma))
    return MEAN + DEVIATION * (NOISE - a * MEAN) / (a**2 * DEVIATION**2 + s**2).sqrt()


def generators() -> list[torch.Generator]:
    return [generator(0, index) for index in range(len(NOISE))]


def drawn(sampler: Sampler, dtype: torch.dtype = torch.float32) -> Tensor:
    levels = Levels(denoised, SCHEDULE.log_snr, generators())
    found: Tensor = attribute(sampler.runtime, sampler.call)(sampler, NOISE.to(dtype), levels)
    return found.double()


def steps(count: int) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]:
    """Each step's time, then alpha and sigma before it and after it; the last one ends at x."""
    times = torch.arange(count, -1, -1, dtype=torch.float64) / count
    for now, then in pairwise(times):
        before = SCHEDULE.log_snr(now)
        after = SCHEDULE.log_snr(then) if then > 0 else torch.tensor(torch.inf).double()
        yield now, alpha(before), sigma(before), alpha(after), sigma(after)


def ddim(count: int) -> Tensor:
    x = NOISE
    for time, a, s, a_, s_ in steps(count):
        d = denoised(x, time)
        x = a_ * d + s_ * (x - a * d) / s
    return x


def ddpm(count: int) -> Tensor:
    x, random = NOISE, generators()
    for time, a, s, a_, s_ in steps(count):
        d = denoised(x, time)
        ratio = a**2 / a_**2
        mean = (a_ * (1 - ratio) * d + ratio.sqrt() * s_**2 * x) / s**2
        x, deviation = mean, ((1 - ratio) * s_**2 / s**2).sqrt()
        if s_ > 0:
            x = mean + deviation * torch.stack([torch.randn(1, 2, 2, generator=g) for g in random])
    return x


def ode(count: int, correct: bool) -> Tensor:
    """dx/d(sigma) = (x - D) / sigma of x = x_t / alpha: Euler's method, or Heun's if `correct`."""
    x = NOISE / alpha(SCHEDULE.log_snr(torch.ones(())))
    for time, a, s, a_, s_ in steps(count):
        v, v_ = s / a, s_ / a_
        slope = (x - denoised(a * x, time)) / v
        ahead = x + slope * (v_ - v)
        if correct and s_ > 0:
            slope = (slope + (ahead - denoised(a_ * ahead, time - 1 / count)) / v_) / 2
        x = x + slope * (v_ - v)
    return x


def dpm_solver(count: int) -> Tensor:
    """DPM-Solver++(2M), of first order at both ends (arXiv 2211.01095, algorithm 2)."""
    x, last, h_last = NOISE, torch.zeros_like(NOISE), 0.0
    for index, (time, a, s, a_, s_) in enumerate(steps(count)):
        d = denoised(x, time)
        h = (a_ / s_).log() - (a / s).log()
        more = (d - last) * h / (2 * h_last) if 0 < index < count - 1 else 0.0
        x = s_ / s * x - a_ * torch.expm1(-h) * (d + more)
        last, h_last = d, h
    return x


CASES: list[tuple[type[Sampler], Callable[[int], Tensor], int, int]] = [
    (DDIM, ddim, 1, 40),
    (Euler, partial(ode, correct=False), 1, 40),
    (Heun, partial(ode, correct=True), 2, 40),
    (DPMSolver, dpm_solver, 2, 640),
]
"""A sampler, what it computes, its order, and from how many steps on the order shows."""


@pytest.mark.parametrize(
    ("kind", "reference"),
    [*(case[:2] for case in CASES), (DDPM, ddpm), (partial(DDIM, eta=1.0), ddpm)],
)
def test_a_sampler_computes_what_its_paper_says(
    kind: Callable[..., Sampler], reference: Callable[[int], Tensor]
) -> None:
    for count in (2, 7, 40):
        found = drawn(kind(steps=count))
        torch.testing.assert_close(found, reference(count), atol=2e-5, rtol=1e-5)


def test_heun_loses_no_digits_at_the_noisiest_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """x_t / alpha is in the thousands at first, and what a step leaves of it is corrected by it."""
    monkeypatch.setattr(f"{__name__}.SCHEDULE", noise_schedule(Cosine(base=64), 256))
    found = drawn(Heun(steps=4), torch.float64)
    torch.testing.assert_close(found, ode(4, correct=True), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("kind", "reference", "order", "first"), CASES)
def test_a_sampler_converges_with_its_order(
    kind: type[Sampler], reference: Callable[[int], Tensor], order: int, first: int
) -> None:
    found = [drawn(kind(steps=n), torch.float64) for n in (first, 2 * first)]
    errors = [float((x - exact()).abs().max()) for x in found]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.3)
    assert errors[1] < 0.02


# --- guidance ------------------------------------------------------------------------------------


class Counting:
    """A net that predicts its condition plus a pattern, and counts the images that it is given."""

    def __init__(self) -> None:
        self.images: list[int] = []

    def __call__(self, x_t: Tensor, log_snr: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        self.images.append(len(x_t))
        wave = torch.linspace(-1, 1, 64).view(1, 1, 8, 8)
        return 0.1 * ids[:, 0].view(-1, 1, 1, 1) * wave.expand_as(x_t)


GIVEN = {"text.ids": torch.full((3, 4), 3), "text.mask": torch.ones(3, 4).bool()}
NULL = {**GIVEN, "text.ids": torch.full((3, 4), 2)}


def generated(module: Any, sampler: Sampler, **said: Any) -> Tensor:
    objective = denoising(Diffusion(predict="x", schedule=Cosine(base=8)), net())
    request = Request(GIVEN, NULL, range(3), guidance=4.0, **said)
    return generate(module, net(), objective, sampler, request, torch.device("cpu"))


@pytest.mark.parametrize(
    ("interval", "twice"), [((0.0, 1.0), range(10)), ((0.1, 0.45), range(6, 10)), ((1.0, 1.0), [0])]
)
def test_outside_the_interval_an_image_is_one_evaluation(
    interval: tuple[float, float], twice: Any
) -> None:
    counting = Counting()
    generated(counting, DDIM(steps=10), interval=interval)
    assert counting.images == [6 if step in twice else 3 for step in range(10)]


def test_guidance_applies_in_its_interval_alone() -> None:
    last = [generated(Counting(), DDIM(steps=10), interval=i) for i in ((0.0, 1.0), (0.2, 1.0))]
    wave = torch.linspace(-1, 1, 64).view(1, 1, 8, 8).expand(3, 1, 8, 8)
    torch.testing.assert_close(last[0], 0.6 * wave, atol=1e-5, rtol=0)
    torch.testing.assert_close(last[1], 0.3 * wave, atol=1e-5, rtol=0)


def test_a_rescaled_prediction_has_the_deviation_of_the_conditional_one() -> None:
    given, far = torch.randn(2, 5, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    far = 0.5 + 4 * far
    whole, part = rescaled(far, given, 1.0), rescaled(far, given, 0.7)
    torch.testing.assert_close(whole.flatten(1).std(dim=1), given.flatten(1).std(dim=1))
    torch.testing.assert_close(part, 0.7 * whole + 0.3 * far)
    assert rescaled(far, given, 0.0) is far
    images = [generated(Counting(), DDIM(steps=1), rescale=share) for share in (0.0, 1.0)]
    assert float(images[1].std() / images[0].std()) == pytest.approx(0.5, abs=1e-5)


def test_without_conditions_there_is_nothing_to_guide() -> None:
    seen = []

    def under(conditions: Any) -> Any:
        return lambda x: seen.append(len(x)) or x

    guided(under, {}, {}, Guidance(4.0))(0.5)(torch.zeros(3, 1, 2, 2))
    assert seen == [3]


def test_a_sampler_that_gives_no_images_is_named() -> None:
    class Broken(DDIM):
        runtime = "builtins:print"

    with pytest.raises(GrowlangError, match=r"the sampler `ddim` \(builtins:print\) gave NoneType"):
        generated(Counting(), Broken(steps=1))
