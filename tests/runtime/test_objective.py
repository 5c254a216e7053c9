from typing import Any

import pytest
import torch
from tiny import net
from torch import Tensor

from growlang.net import Net
from growlang.spec.objectives import Diffusion, MinSNR, Sigmoid, SNRPlusOne
from growlang.spec.schedules import Cosine
from growlang_runtime.diffusion.noise import noisy, to_eps, to_x
from growlang_runtime.diffusion.objective import denoiser, denoising

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
    eps_hat = to_eps(slightly_wrong(x_t, level), x_t, level, predict)
    alpha, sigma = (torch.sigmoid(s * level).sqrt().view(-1, 1, 1, 1) for s in (1, -1))
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


def test_a_denoiser_passes_the_inputs_in_the_order_of_the_net() -> None:
    ids, mask = torch.zeros(1, 4, dtype=torch.int64), torch.ones(1, 4, dtype=torch.bool)

    def module(*values: Tensor) -> Tensor:
        assert values == (X, T, ids, mask)
        return values[0]

    assert denoiser(module, net(), {"text.mask": mask, "text.ids": ids})(X, T) is X
