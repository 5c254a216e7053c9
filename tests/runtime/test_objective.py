from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny import net
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.net import Net
from growlang.spec.levels import LogitNormal, LogNormal, Uniform
from growlang.spec.objectives import Diffusion, Flow, MinSNR, Sigmoid, SNRPlusOne, written
from growlang.spec.schedules import Cosine, Interpolated, LinearBeta, Schedule
from growlang_runtime.diffusion.noise import noisy, to_x
from growlang_runtime.diffusion.objective import denoiser, denoising, flow

T = torch.tensor([0.0, 0.2, 0.5, 0.8, 1.0], dtype=torch.float64)
X = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
EPS = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def slightly_wrong(x_t: Tensor, log_snr: Tensor) -> Tensor:
    return 0.3 * x_t + 0.1


@pytest.mark.parametrize("predict", ["x", "v", "eps"])
@pytest.mark.parametrize("space", ["x", "v", "eps", None])
def test_a_space_weighs_the_error_in_that_space(predict: Any, space: Any) -> None:
    objective = denoising(
        Diffusion(predict=predict, weight=space, schedule=Cosine(min=-6, max=6)), net()
    )
    found = objective.losses(slightly_wrong, X, EPS, T)
    level = objective.schedule.log_snr(T)
    x_t = noisy(X, EPS, level)
    x_hat = to_x(slightly_wrong(x_t, level), x_t, level, predict)
    alpha, sigma = (torch.sigmoid(s * level).sqrt().view(-1, 1, 1, 1) for s in (1, -1))
    eps_hat = (x_t - alpha * x_hat) / sigma
    errors = {
        "x": X - x_hat,
        "eps": EPS - eps_hat,
        "v": (alpha * EPS - sigma * X) - (alpha * eps_hat - sigma * x_hat),
    }
    wanted = errors[space or predict].square().flatten(1).mean(1)
    torch.testing.assert_close(found.double(), wanted.double(), rtol=2e-4, atol=1e-6)


def test_snr_plus_one_is_the_error_in_v_cut_off_at_low_noise() -> None:
    cut = denoising(Diffusion(predict="x", weight=SNRPlusOne(limit=5.0)), net())
    in_v = denoising(Diffusion(predict="x", weight="v"), net())
    snr = torch.exp(cut.schedule.log_snr(T))
    ratio = cut.losses(slightly_wrong, X, EPS, T) / in_v.losses(slightly_wrong, X, EPS, T)
    expected = (snr + 1).clamp(max=5.0) / (snr + 1)
    torch.testing.assert_close(ratio, expected.to(ratio.dtype), rtol=1e-4, atol=0)


def test_min_snr_cuts_the_weight_of_the_error_in_x() -> None:
    objective = denoising(Diffusion(predict="x", weight=MinSNR(gamma=5.0)), net())
    snr = objective.schedule.log_snr(T).exp()
    torch.testing.assert_close(objective.weight(T), snr.clamp(max=5.0))


def test_sigmoid_is_a_weight_over_the_log_snr() -> None:
    objective = denoising(Diffusion(predict="eps", weight=Sigmoid(bias=-1.0)), net())
    level, slope = objective.schedule.log_snr(T), objective.schedule.slope(T)
    torch.testing.assert_close(objective.weight(T), 0.5 * slope * torch.sigmoid(-1.0 - level))


@pytest.mark.parametrize("weight", [None, "x", "v", MinSNR(), SNRPlusOne(), Sigmoid()])
def test_weights_of_v_are_finite_at_both_ends(weight: Any) -> None:
    objective = denoising(Diffusion(weight=weight), net())
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    assert torch.isfinite(objective.weight(ends).float()).all()
    assert (objective.weight(ends) > 0).all()


def test_the_net_reads_the_reference_log_snr_unless_it_embeds_the_raw_one() -> None:
    declared, seen = Diffusion(schedule=Cosine(base=64)), []

    def denoise(x_t: Tensor, log_snr: Tensor) -> Tensor:
        seen.append(log_snr)
        return x_t

    data = net().to_json()
    next(n for n in data["nodes"] if n["path"] == "time")["args"] = {"width": 8, "embed": "raw"}
    for model in (net(), Net.from_json(data)):
        denoising(declared, model).losses(denoise, X, EPS, T)
    shift = 2 * torch.tensor(64 / 8).log()
    torch.testing.assert_close(seen[1] - seen[0], shift.expand(5), atol=1e-5, rtol=0)


def reading(of: str) -> Net:
    """A net whose `time` embeds something else than a log-SNR."""
    found = net()
    nodes = [
        replace(node, args={**node.args, "of": of}) if node.path == "time" else node
        for node in found.nodes
    ]
    return replace(found, nodes=tuple(nodes))


def test_the_net_reads_a_time_or_a_step_where_it_embeds_these() -> None:
    steps = denoising(Diffusion(schedule=LinearBeta(steps=50)), reading("step"))
    at = torch.tensor([1, 2, 50], dtype=torch.float64) / 50
    assert steps.embedded(at).round(decimals=12).tolist() == [0, 1, 49]
    assert torch.equal(denoising(Diffusion(), reading("t")).embedded(T), T)
    assert torch.equal(denoising(Diffusion(), reading("one_minus_t")).embedded(T), 1 - T)


def test_the_time_of_a_flow_is_that_of_its_path() -> None:
    shifted = flow(Flow(time_shift=3.0), reading("t"))
    t = T[1:-1]
    torch.testing.assert_close(shifted.embedded(t), 3 * t / (1 + 2 * t))
    x_t = shifted.noisy(X[1:-1], EPS[1:-1], t)
    s = shifted.embedded(t).float().view(-1, 1, 1, 1)
    torch.testing.assert_close(x_t, (1 - s) * X[1:-1] + s * EPS[1:-1])


def test_steps_need_levels_that_are_numbered() -> None:
    with pytest.raises(GrowlangError, match="have none"):
        denoising(Diffusion(), reading("step"))


def test_a_denoiser_passes_the_inputs_in_the_order_of_the_net() -> None:
    ids, mask = torch.zeros(1, 4, dtype=torch.int64), torch.ones(1, 4, dtype=torch.bool)

    def module(*values: Tensor) -> Tensor:
        assert values == (X, T, ids, mask)
        return values[0]

    assert denoiser(module, net(), {"text.mask": mask, "text.ids": ids})(X, T) is X


# --- levels --------------------------------------------------------------------------------------

U = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000
SCHEDULES_OF_LEVELS = [Cosine(base=64, min=-20, max=20), Interpolated(low=8, high=64)]


@pytest.mark.parametrize("schedule", SCHEDULES_OF_LEVELS, ids=written)
def test_log_normal_levels_are_normal_in_ln_sigma(schedule: Schedule) -> None:
    levels = LogNormal(mean=-1.2, std=1.2)
    objective = denoising(Diffusion(schedule=schedule, levels=levels), net())
    times = objective.trained_at(U)
    log_sigma = -objective.log_snr(times) / 2
    assert log_sigma.mean().item() == pytest.approx(-1.2, abs=2e-3)
    assert log_sigma.std().item() == pytest.approx(1.2, abs=2e-3)
    assert (times.diff() >= 0).all()


def test_logit_normal_levels_are_those_of_diffusers() -> None:
    from diffusers.training_utils import compute_density_for_timestep_sampling

    objective = denoising(Diffusion(levels=LogitNormal(mean=0.5, std=0.8)), net())
    random = torch.Generator().manual_seed(0)
    theirs = compute_density_for_timestep_sampling(
        "logit_normal", len(U), 0.5, 0.8, generator=random
    )
    quantiles = torch.linspace(0.05, 0.95, 7, dtype=torch.float64)
    ours = objective.trained_at(U).quantile(quantiles)
    torch.testing.assert_close(ours, theirs.double().quantile(quantiles), atol=5e-3, rtol=0)


def test_levels_outside_of_the_schedule_are_its_ends() -> None:
    objective = denoising(Diffusion(levels=LogNormal(mean=0, std=50)), net())
    assert objective.trained_at(torch.tensor([0.0, 0.01, 0.99])).tolist() == [0, 0, 1]


@pytest.mark.parametrize("levels", [Uniform(), LogNormal(mean=0, std=2), LogitNormal(std=1.2)])
def test_a_weight_over_the_log_snr_has_one_mean_whatever_the_levels(levels: Any) -> None:
    schedule = Cosine(base=8, min=-12, max=12)
    objective = denoising(
        Diffusion(predict="eps", weight=Sigmoid(bias=-1), schedule=schedule, levels=levels), net()
    )
    times = objective.trained_at(U)
    inside = (objective.log_snr(times).abs() < 8).double()
    over = torch.linspace(-8, 8, 100_001, dtype=torch.float64)
    wanted = 0.5 * torch.trapezoid(torch.sigmoid(-1 - over), over)
    found = (objective.weight(times) * inside).mean()
    torch.testing.assert_close(found, wanted, rtol=2e-3, atol=0)


@pytest.mark.parametrize("weight", [None, "x", "v", "eps", MinSNR(), SNRPlusOne(), Sigmoid()])
@pytest.mark.parametrize("levels", [LogNormal(), LogitNormal()])
def test_the_rarest_levels_have_a_finite_weight(weight: Any, levels: Any) -> None:
    objective = denoising(Diffusion(weight=weight, levels=levels), net())
    times = objective.trained_at(torch.tensor([0.0, 0.5, 1 - 1e-12], dtype=torch.float64))
    assert torch.isfinite(objective.weight(times).float()).all()


def test_the_loss_over_scales_is_that_of_simple_diffusion() -> None:
    declared = Diffusion(predict="eps", weight="eps", scales=[1, 2, 4])
    objective = denoising(declared, net())
    found = objective.losses(slightly_wrong, X, EPS, T)
    x_t = noisy(X, EPS, objective.schedule.log_snr(T))
    error = (0.3 * x_t + 0.1 - EPS).double()
    wanted = torch.zeros(5, dtype=torch.float64)
    for side in (8, 4, 2):  # sum over s of 1 / s times the loss of images of s x s
        f = 8 // side
        reduced = error.reshape(5, 1, side, f, side, f).mean((3, 5))
        wanted += 1 / side * reduced.square().sum((1, 2, 3)) / side**2
    torch.testing.assert_close(found.double(), 8 * wanted, rtol=1e-5, atol=0)
