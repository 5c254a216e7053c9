"""Samplers, guidance and the levels at which a net is asked: what `generate` does with a net."""

import math
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from tiny import net
from torch import Tensor

from growlang.spec.objectives import Diffusion, written
from growlang.spec.samplers import DDIM, SAMPLERS, DPMSolver
from growlang.spec.schedules import Cosine
from growlang_runtime.diffusion.noise import evenly, noise_schedule, target
from growlang_runtime.diffusion.objective import Denoising, denoising
from growlang_runtime.diffusion.sampling import Request, generate
from growlang_runtime.diffusion.schedulers import over_levels

CPU = torch.device("cpu")
CALLED = [
    DDIM(steps=20, eta=1.0),
    DPMSolver(steps=20, order=3),
    *(
        kind(steps=20)
        for kind in SAMPLERS.values()
        if not any(info.is_required() for info in kind.model_fields.values())
    ),
]
"""With arguments, and each at its defaults; one that has no defaults is added by hand."""
IDS = {"text.ids": torch.zeros(2, 4, dtype=torch.int64), "text.mask": torch.ones(2, 4).bool()}


def objective(predict: Any = "v") -> Denoising:
    return denoising(Diffusion(predict=predict, schedule=Cosine(base=8)), net())


class Perfect:
    """A net that knows the only image there is, and remembers the log-SNR it was given."""

    def __init__(self, x: Tensor, predict: Any) -> None:
        self.x, self.predict = x, predict
        self.seen: list[float] = []

    def __call__(self, x_t: Tensor, log_snr: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        self.seen.append(log_snr[0].item())
        level = log_snr.double()
        alpha, sigma = (torch.sigmoid(s * level).sqrt().view(-1, 1, 1, 1) for s in (1, -1))
        x = self.x.expand_as(x_t)
        eps = ((x_t - alpha * x) / sigma).float()
        return target(x, eps, level, self.predict)


def test_every_sampler_is_tried() -> None:
    assert {sampler.call for sampler in CALLED} == set(SAMPLERS), "add a call to CALLED"


@pytest.mark.parametrize("predict", ["x", "v", "eps"])
@pytest.mark.parametrize("sampler", CALLED, ids=written)
def test_a_perfect_net_gives_its_image(sampler: Any, predict: Any) -> None:
    image = torch.linspace(-0.9, 0.9, 64).view(1, 1, 8, 8)
    perfect = Perfect(image, predict)
    found = generate(perfect, net(), objective(predict), sampler, Request(IDS, IDS, range(2)), CPU)
    torch.testing.assert_close(found, image.expand(2, 1, 8, 8), atol=2e-3, rtol=0)
    assert perfect.seen[0] == pytest.approx(-15, abs=1e-4)
    assert perfect.seen == sorted(perfect.seen)
    assert len(perfect.seen) == (39 if sampler.call == "heun" else 20)


@pytest.mark.parametrize("kind", [DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler])
@pytest.mark.parametrize("size", [64, 512])
def test_sampling_starts_at_the_noisiest_level_and_visits_each_once(kind: Any, size: int) -> None:
    scheduler = over_levels(kind, evenly(256), noise_schedule(Cosine(base=64), size).log_snr)
    first = scheduler.alphas_cumprod[scheduler.timesteps[0]]
    assert torch.logit(first).item() == pytest.approx(-15 + 2 * math.log(64 / size), abs=1e-6)
    assert scheduler.timesteps.tolist() == list(range(255, -1, -1))


def test_guidance_goes_past_the_condition() -> None:
    def module(x_t: Tensor, log_snr: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        return (ids[:, 0].float() * 0.1).view(-1, 1, 1, 1).expand_as(x_t)

    null = {**IDS, "text.ids": IDS["text.ids"] + 2}
    given = {**IDS, "text.ids": IDS["text.ids"] + 3}
    found = [
        generate(
            module,
            net(),
            objective("x"),
            DDIM(steps=1),
            Request(given, null, range(2), guidance=scale),
            CPU,
        )
        .mean()
        .item()
        for scale in (0.0, 1.0, 4.0)
    ]
    assert found == pytest.approx([0.2, 0.3, 0.6], abs=1e-6)
