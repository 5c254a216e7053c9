import math
from typing import Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from growlang.diagnostics import GrowlangError
from growlang.spec.objectives import written
from growlang.spec.schedules import (
    SCHEDULES,
    Cosine,
    CosineBeta,
    Interpolated,
    LinearBeta,
    Schedule,
)
from growlang_runtime.diffusion.noise import (
    alpha,
    noise_schedule,
    noisy,
    sigma,
    target,
    to_x,
)

LOG_SNR = st.floats(-20, 20)
PREDICT = st.sampled_from(["x", "v", "eps"])


@given(LOG_SNR)
def test_variance_is_preserved(log_snr: float) -> None:
    level = torch.tensor([log_snr], dtype=torch.float64)
    assert (alpha(level) ** 2 + sigma(level) ** 2).item() == pytest.approx(1, abs=1e-14)
    assert (alpha(level) / sigma(level)).log().item() * 2 == pytest.approx(log_snr, abs=1e-12)


@given(LOG_SNR, PREDICT)
def test_predictions_convert_to_the_image(
    log_snr: float, predict: Literal["x", "v", "eps"]
) -> None:
    generator = torch.Generator().manual_seed(0)
    x, eps = torch.randn(2, 1, 3, 2, 2, generator=generator, dtype=torch.float64)
    level = torch.tensor([log_snr], dtype=torch.float64)
    x_t, wanted = noisy(x, eps, level), target(x, eps, level, predict)
    torch.testing.assert_close(to_x(wanted, x_t, level, predict), x, atol=1e-9, rtol=0)


def test_cosine_meets_its_ends_and_its_shift() -> None:
    t = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    plain = noise_schedule(Cosine(), 64).log_snr(t)
    assert plain.tolist() == pytest.approx([15, 0, -15], abs=1e-9)
    shifted = noise_schedule(Cosine(base=64), 512)
    assert (shifted.log_snr(t) - plain).tolist() == pytest.approx([2 * math.log(1 / 8)] * 3)
    assert shifted.reference(t).tolist() == plain.tolist()
    stated = noise_schedule(Cosine(shift=-1.5), 512).log_snr(t)
    assert (stated - plain).tolist() == pytest.approx([-1.5] * 3)


def test_interpolated_goes_from_one_shift_to_the_other() -> None:
    schedule = noise_schedule(Interpolated(low=256, high=32), 128)
    t = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    assert schedule.shift(t).tolist() == pytest.approx([math.log(4), -math.log(2), -math.log(16)])


DECLARED = [
    Cosine(base=32),
    Interpolated(low=256, high=32),
    *(k() for k in SCHEDULES.values() if not any(f.is_required() for f in k.model_fields.values())),
]
"""With arguments, and each at its defaults; one that has no defaults is added by hand."""


def test_every_schedule_is_tried() -> None:
    assert {declared.call for declared in DECLARED} == set(SCHEDULES), "add a call to DECLARED"


@pytest.mark.parametrize("declared", DECLARED, ids=written)
def test_log_snr_falls_in_double_precision(declared: Schedule) -> None:
    schedule = noise_schedule(declared, 64)
    for dtype in (torch.float32, torch.float64):
        levels = schedule.log_snr(torch.linspace(0, 1, 101, dtype=dtype))
        assert levels.dtype == torch.float64
        assert levels.isfinite().all()
        assert (levels.diff() < 0).all()


@given(st.floats(0.01, 0.99), st.sampled_from(DECLARED))
def test_slope_is_the_derivative(t: float, declared: Schedule) -> None:
    schedule = noise_schedule(declared, 64)
    at = torch.tensor([t], dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(schedule.log_snr(at).sum(), at)
    assert schedule.slope(at).item() == pytest.approx(-found.item(), rel=1e-9)


@given(st.floats(0, 1), st.sampled_from(DECLARED))
def test_the_time_of_a_log_snr_is_where_it_is(t: float, declared: Schedule) -> None:
    schedule = noise_schedule(declared, 64)
    at = torch.tensor([t], dtype=torch.float64)
    assert schedule.time(schedule.log_snr(at)).item() == pytest.approx(t, abs=1e-9)


@pytest.mark.parametrize("declared", DECLARED, ids=written)
def test_outside_of_a_schedule_the_time_is_that_of_the_nearest_end(declared: Schedule) -> None:
    times = noise_schedule(declared, 64).time(torch.tensor([100.0, -100.0]))
    assert times.tolist() == pytest.approx([0, 1], abs=1e-12)


@pytest.mark.parametrize("steps", [20, 1000])
def test_linear_beta_has_the_levels_of_ddpm(steps: int) -> None:
    from diffusers import DDPMScheduler

    schedule = noise_schedule(LinearBeta(steps=steps), 64)
    theirs = DDPMScheduler(steps, beta_start=1e-4, beta_end=0.02, timestep_spacing="trailing")
    times = torch.arange(1, steps + 1, dtype=torch.float64) / steps
    ours = torch.sigmoid(schedule.log_snr(times))
    torch.testing.assert_close(ours.float(), theirs.alphas_cumprod, rtol=2e-5, atol=0)
    u = torch.rand(5000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    trained = schedule.nearest(u) * steps
    torch.testing.assert_close(trained, trained.round(), atol=1e-9, rtol=0)
    assert (trained.min(), trained.max()) == (1, steps)
    for count in (1, 7, 20):
        theirs.set_timesteps(count)
        sampled = (schedule.sampled_at(count) * steps).round().long() - 1
        assert sampled.flip(0).tolist() == theirs.timesteps.tolist()


@pytest.mark.parametrize("steps", [20, 1000])
def test_cosine_beta_has_the_levels_of_improved_ddpm(steps: int) -> None:
    from diffusers import DDPMScheduler

    theirs = DDPMScheduler(steps, beta_schedule="squaredcos_cap_v2")
    times = torch.arange(1, steps + 1, dtype=torch.float64) / steps
    ours = torch.sigmoid(noise_schedule(CosineBeta(steps=steps), 64).log_snr(times))
    torch.testing.assert_close(ours.float(), theirs.alphas_cumprod, rtol=1e-4, atol=1e-9)


def test_more_steps_than_levels_are_refused() -> None:
    with pytest.raises(GrowlangError, match="30 steps are more than the 20 noise levels"):
        noise_schedule(LinearBeta(steps=20), 64).sampled_at(30)
