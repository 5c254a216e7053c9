from typing import Any

import pytest
import torch
from torch import nn

from growlang.spec.optimizers import SGD, Adam, AdamW
from growlang_runtime.train.optimizer import Optimizer, clip_gradients, gradient_norm

SETTINGS = AdamW(lr=0.1, betas=[0.9, 0.95], weight_decay=0.3)


def weights() -> dict[str, nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return {name: nn.Parameter(torch.randn(5, generator=generator)) for name in "abc"}


def give_gradients(parameters: dict[str, nn.Parameter], step: int) -> None:
    generator = torch.Generator().manual_seed(step)
    for weight in parameters.values():
        gradient = torch.randn(5, generator=generator)
        weight.grad = gradient if weight.requires_grad else None


def test_equals_torch_adamw_over_five_steps() -> None:
    ours, theirs = weights(), weights()
    optimizer = Optimizer(ours, frozenset("ab"))
    reference = torch.optim.AdamW(
        [
            {"params": [theirs["a"]], "weight_decay": 0.3},
            {"params": [theirs["b"]], "weight_decay": 0.3, "lr": 0.05},
            {"params": [theirs["c"]], "weight_decay": 0.0},
        ],
        lr=0.1,
        betas=(0.9, 0.95),
        eps=SETTINGS.eps,
        fused=True,
    )
    for step in range(5):
        give_gradients(ours, step)
        give_gradients(theirs, step)
        optimizer.step(SETTINGS, SETTINGS.lr, {"b": 0.5})
        reference.step()
    for name in "abc":
        assert torch.equal(ours[name], theirs[name])
        assert torch.equal(optimizer.first[name], reference.state[theirs[name]]["exp_avg"])


@pytest.mark.parametrize(
    ("settings", "reference"),
    [
        (Adam(lr=0.1, weight_decay=0.3), torch.optim.Adam),
        (SGD(lr=0.1, weight_decay=0.3), torch.optim.SGD),
        (SGD(lr=0.1, nesterov=True, momentum=0.5), torch.optim.SGD),
        (SGD(lr=0.1, momentum=0.0), torch.optim.SGD),
    ],
    ids=repr,
)
def test_equals_torch(settings: Adam | SGD, reference: Any) -> None:
    ours, theirs = weights(), weights()
    optimizer = Optimizer(ours, frozenset("abc"), settings=settings)
    told = {name: value for name, value in settings.model_dump()[settings.call].items()}
    other = reference(theirs.values(), **told)
    for step in range(5):
        give_gradients(ours, step)
        give_gradients(theirs, step)
        optimizer.step(settings, settings.lr, {})
        other.step()
    for name in "abc":
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-6, atol=1e-7)
    assert {*optimizer.moments("a")} == {*settings.moments()}


def test_a_frozen_tensor_keeps_everything_and_goes_on_later() -> None:
    ours, alone = weights(), weights()
    optimizer, reference = Optimizer(ours, frozenset("abc")), Optimizer(alone, frozenset("abc"))
    for step in range(6):
        frozen = step in (2, 3)
        ours["a"].requires_grad_(not frozen)
        before = [ours["a"].detach().clone(), optimizer.first.get("a", torch.zeros(5)).clone()]
        give_gradients(ours, step)
        optimizer.step(SETTINGS, SETTINGS.lr, {})
        if frozen:
            assert torch.equal(ours["a"], before[0])
            assert torch.equal(optimizer.first["a"], before[1])
        else:
            give_gradients(alone, step)
            reference.step(SETTINGS, SETTINGS.lr, {})
    assert (optimizer.steps["a"].item(), optimizer.steps["b"].item()) == (4, 6)
    assert torch.equal(ours["a"], alone["a"])


def test_a_new_tensor_takes_a_first_step_of_the_learning_rate() -> None:
    ours = weights()
    optimizer = Optimizer(ours, frozenset())
    optimizer.steps["a"].fill_(1000)
    before = ours["b"].detach().clone()
    give_gradients(ours, 0)
    optimizer.step(SETTINGS, 0.1, {})
    torch.testing.assert_close((ours["b"] - before).abs(), torch.full((5,), 0.1))


def test_gradients_are_clipped_together() -> None:
    ours = weights()
    for weight in ours.values():
        weight.grad = torch.full((5,), 2.0)
    norm = gradient_norm(ours)
    assert norm.item() == pytest.approx((15 * 4) ** 0.5)
    clip_gradients(ours, norm, 1.0)
    assert gradient_norm(ours).item() == pytest.approx(1.0, rel=1e-5)
