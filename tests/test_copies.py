"""Copies of channels are told apart from the start, wherever growth makes them."""

from __future__ import annotations

import pytest
from fixture_specs import SPECS, checked

from growlang.growing import space_growth as sg
from growlang.growth.constants import Noise
from growlang.growth.transforms import Expand

GROWTH = SPECS.parent / "growth"


@pytest.mark.parametrize(("n", "m"), [(2, 5), (4, 6), (3, 3)])
def test_shares_of_copies_in_turn_differ_and_sum_to_one(n: int, m: int) -> None:
    grown = sg.wrap(n, m, 0.1)
    for old in range(n):
        shares = [grown.share(at) for at, i in enumerate(grown.index.indices) if i == old]
        assert sum(shares) == pytest.approx(1)
        assert len(shares) < 2 or shares[0] != shares[1]


def noisy(name: str) -> set[str]:
    """The tensors whose copied rows are given noise."""
    mapping = checked(GROWTH / f"{name}.grow").mapping
    assert mapping is not None
    return {
        e.name
        for e in mapping
        if isinstance(e.transform, Expand) and Noise(0, 0.1) in e.transform.constants
    }


def test_copies_in_a_new_block_that_only_zeros_read_are_given_noise() -> None:
    """Its shares would tell them apart, but the map that has them begins at zero."""
    assert noisy("wide_u") == {
        "stage.4.encode.residual.1.conv1.weight",
        "stage.4.decode.residual.0.conv1.weight",
    }
    assert noisy("locked") == noisy("moments") == set()
