"""The embedding of the noise level computes what diffusers' does, and adds what it is told to."""

from __future__ import annotations

from math import exp, log
from typing import Any

import pytest
import torch
from diffusers.models.embeddings import get_timestep_embedding
from torch import Tensor

from growlang.net import Scope, Shape, tokens
from growlang.ops.noise_level import Fourier
from growlang.torch_backend.modules import build
from growlang.torch_backend.noise_level import Fourier as Module

X = Shape("vector", ())
STEPS = torch.tensor([0.0, 1.0, 17.0, 500.0, 999.0])
MASK = torch.tensor([[True, True, False], [True, False, False]])


def module(op: Fourier, scope: Scope) -> Module:
    found = build(op, X, scope, "cpu").double()
    generator = torch.Generator().manual_seed(0)
    for parameter in found.requires_grad_(False).parameters():
        parameter.data.normal_(generator=generator)
    assert isinstance(found, Module)
    return found


def waves(op: Fourier, level: Tensor) -> Tensor:
    """What the first map of a module is given."""
    given: list[Tensor] = []
    found = build(op, X, Scope(), "cpu").float()
    found.linear1.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    found(level)
    return given[0]


@pytest.mark.parametrize(
    ("said", "theirs"),
    [
        ({"order": "cos_sin", "spacing": "closed"}, {"flip_sin_to_cos": True}),
        ({"order": "cos_sin"}, {"flip_sin_to_cos": True, "downscale_freq_shift": 0}),
        ({"spacing": "closed", "scale": 3.0}, {"scale": 3}),
        ({"max_period": 100.0}, {"downscale_freq_shift": 0, "max_period": 100}),
    ],
)
def test_waves_are_those_of_diffusers(said: dict[str, Any], theirs: dict[str, Any]) -> None:
    op = Fourier(width=24, features=32, of="step", **said)
    assert torch.equal(waves(op, STEPS), get_timestep_embedding(STEPS, 32, **theirs))


def test_a_log_snr_may_have_a_period_too() -> None:
    op = Fourier(width=8, features=4, max_period=100.0)
    level = torch.tensor([-3.0, 2.0])
    wanted = level[:, None] * torch.tensor([1.0, 0.1])
    torch.testing.assert_close(waves(op, level), torch.cat([wanted.sin(), wanted.cos()], 1))


def added(pool: str, mask: Tensor | None, width: int = 6) -> tuple[Module, Tensor, Tensor]:
    """A module with one condition, its tokens (2, 3, width), and what they add."""
    scope = Scope(conditions={"text": tokens(3, width)}, pools={"text": pool})
    found = module(Fourier(width=8, add=["text"]), scope)
    words = torch.randn(2, 3, width, generator=torch.Generator().manual_seed(1)).double()
    level = torch.zeros(2).double()
    without = found.linear2(
        torch.nn.functional.silu(
            found.linear1(
                torch.cat([level[:, None].expand(2, 4), level[:, None].expand(2, 4) + 1], 1)
            )
        )
    )
    return found, words, found(level, words, mask) - without


def test_pools_are_of_the_valid_tokens_alone() -> None:
    found, words, mean = added("mean", MASK)
    proj = found.add["text"].proj
    wanted = torch.stack([words[0, :2].mean(0), words[1, 0]])
    torch.testing.assert_close(mean, proj(wanted))
    found, words, first = added("first", MASK)
    torch.testing.assert_close(first, found.add["text"].proj(words[:, 0]))
    found, words, attended = added("attention", MASK)
    score = found.add["text"].score(words)[..., 0]
    a, b = (exp(float(s)) for s in score[0, :2])
    wanted = torch.stack([(a * words[0, 0] + b * words[0, 1]) / (a + b), words[1, 0]])
    torch.testing.assert_close(attended, found.add["text"].proj(wanted))


def test_without_a_mask_all_tokens_are_valid() -> None:
    everything = torch.ones(2, 3, dtype=torch.bool)
    for pool in ("mean", "first", "attention"):
        torch.testing.assert_close(added(pool, None)[2], added(pool, everything)[2])


def test_a_condition_of_the_same_width_is_added_as_it_is() -> None:
    found, words, sum_ = added("mean", None, width=8)
    assert not dict(found.add.named_parameters())
    torch.testing.assert_close(sum_, words.mean(1))


def test_the_period_of_what_is_no_log_snr_is_that_of_ddpm() -> None:
    assert [Fourier(width=8, of=of).period for of in ("t", "one_minus_t", "step")] == [1e4] * 3
    assert Fourier(width=8).period is None
    assert log(Fourier(width=8, max_period=9.0).period or 0) == log(9)
