"""Draws: permutations, mixes and random numbers are pure functions of (seed, p)."""

import json
from fractions import Fraction
from math import lcm
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from growlang_runtime.data.draws import (
    STREAMS,
    batch_normals,
    batch_uniforms,
    counts,
    permuted,
    place_of,
    split,
    uniforms,
)

GOLDEN = json.loads((Path(__file__).parents[1] / "fixtures/runtime/draws.json").read_text())

SHARES = st.lists(
    st.fractions(min_value=Fraction(1, 1000), max_value=1, max_denominator=1000),
    min_size=1,
    max_size=5,
)


@pytest.mark.parametrize("n", [*range(1, 70), 255, 256, 257, 1000])
def test_each_epoch_draws_everything_once(n: int) -> None:
    for epoch in range(3):
        drawn = [permuted(7, p, n) for p in range(epoch * n, (epoch + 1) * n)]
        assert sorted(drawn) == list(range(n))


def test_permutations_differ_between_epochs_seeds_and_sources() -> None:
    orders = [
        tuple(permuted(seed, epoch * 50 + i, 50, source) for i in range(50))
        for seed in (0, 1)
        for epoch in (0, 1)
        for source in ("a", "b")
    ]
    assert len(set(orders)) == len(orders)


def test_every_place_gets_every_value_about_equally_often() -> None:
    n, epochs = 10, 4000
    seen = np.zeros((n, n))
    for p in range(n * epochs):
        seen[p % n, permuted(3, p, n)] += 1
    expected = epochs / n
    chi_square = ((seen - expected) ** 2 / expected).sum()
    assert chi_square < 81 + 5 * np.sqrt(2 * 81), "81 degrees of freedom, five deviations"


def test_a_billion_images_need_no_table() -> None:
    drawn = {permuted(0, p, 10**9 + 7) for p in range(1000)}
    assert len(drawn) == 1000
    assert 0 <= min(drawn) <= max(drawn) < 10**9 + 7


@given(SHARES, st.integers(0, 200))
def test_a_mix_gives_each_source_its_draws_in_order(shares: list[Fraction], draws: int) -> None:
    own: list[list[int]] = [[] for _ in shares]
    for p in range(draws):
        source, draw = split(shares, p)
        own[source].append(draw)
    assert own == [list(range(len(drawn))) for drawn in own]
    assert counts(shares, draws) == [len(drawn) for drawn in own]
    for source, drawn in enumerate(own):
        assert [split(shares, place_of(shares, source, n)) for n in drawn] == [
            (source, n) for n in drawn
        ]


@given(SHARES)
def test_a_mix_hits_its_shares_exactly(shares: list[Fraction]) -> None:
    total = sum(shares)
    period = 1
    for share in shares:
        period = lcm(period, (share / total).denominator)
    assert counts(shares, period) == [int(period * share / total) for share in shares]


def test_the_first_share_is_never_off_by_one() -> None:
    share = Fraction(3, 10)
    for draws in range(200):
        assert counts([share, 1 - share], draws)[0] == draws * 3 // 10


def test_a_batch_draws_what_its_members_draw_alone() -> None:
    draws = [5, 900, 2**40]
    together = batch_normals(1, draws, "noise", (3, 4, 5))
    alone = torch.cat([batch_normals(1, [p], "noise", (3, 4, 5)) for p in draws])
    assert torch.equal(together, alone)
    assert batch_uniforms(1, draws, "time").tolist() == [
        uniforms(1, p, "time", 1)[0] for p in draws
    ]


def test_random_numbers_differ_between_seeds_draws_and_streams() -> None:
    first = {
        float(uniforms(seed, p, stream, 1)[0])
        for seed in range(4)
        for p in range(4)
        for stream in STREAMS
    }
    assert len(first) == 4 * 4 * len(STREAMS)


def test_random_numbers_have_the_right_moments() -> None:
    noise = batch_normals(0, range(64), "noise", (1024,))
    assert abs(noise.mean().item()) < 0.02
    assert abs(noise.std().item() - 1) < 0.02
    assert abs(batch_uniforms(0, range(4096), "time").mean().item() - 0.5) < 0.03


def test_draws_never_change_silently() -> None:
    """If this fails, runs no longer repeat: do not update the fixture without a new version."""
    orders = {
        f"{seed}/{n}": [permuted(seed, p, n, "emoji") for p in range(2 * n)]
        for seed in (0, 1)
        for n in (1, 7, 16)
    }
    shares = [Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)]
    random = {stream: uniforms(5, 12345, stream, 3).tolist() for stream in STREAMS}
    noise = batch_normals(5, [0, 12345], "noise", (4,)).tolist()
    assert orders == GOLDEN["permuted"]
    assert [list(split(shares, p)) for p in range(12)] == GOLDEN["split"]
    assert random == GOLDEN["uniforms"]
    assert noise == GOLDEN["normals"]
