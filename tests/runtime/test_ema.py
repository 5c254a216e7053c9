import pytest
import torch

from growlang_runtime.train.ema import EMA, effective_decay


def test_decay_grows_with_the_updates() -> None:
    assert [effective_decay(0.5, n) for n in (0, 1, 8, 100)] == [0.1, 2 / 11, 0.5, 0.5]


def test_averages_follow_by_hand() -> None:
    ema = EMA({"w": torch.tensor([1.0])}, {"w": 0})
    ema.update({"w": torch.tensor([2.0])}, 0.9)
    assert ema.averages["w"].item() == pytest.approx(0.1 * 1 + 0.9 * 2)
    ema.update({"w": torch.tensor([4.0])}, 0.9)
    assert ema.averages["w"].item() == pytest.approx(2 / 11 * 1.9 + 9 / 11 * 4)
    assert ema.updates == {"w": 2}


def test_a_new_tensor_forgets_its_start_while_an_old_one_goes_on() -> None:
    ema = EMA({"old": torch.zeros(1), "new": torch.zeros(1)}, {"old": 10_000, "new": 0})
    ema.update({"old": torch.ones(1), "new": torch.ones(1)}, 0.99)
    assert ema.averages["old"].item() == pytest.approx(0.01)
    assert ema.averages["new"].item() == pytest.approx(0.9)


def test_a_tensor_that_never_trains_equals_its_average() -> None:
    weight = torch.randn(100, generator=torch.Generator().manual_seed(0))
    ema = EMA.of({"w": weight})
    for _ in range(20):
        ema.update({"w": weight}, 0.999)
    assert torch.equal(ema.averages["w"], weight)
    assert ema.averages["w"] is not weight
