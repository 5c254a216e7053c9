"""Exactness over ops, widths, heads, groups, conditions, chains, Us and generations."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from exactness.cases import Case, write
from exactness.growths import chains, next_generation, us
from exactness.measure import compared, grown, measured, random_weights
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from growlang.checking import check
from growlang.growth.composition import over_generations
from growlang.growth.mapping_json import from_json, to_json
from growlang.growth.transforms import Initialise

EXACT = 1e-10
FORCED = 1e-3
"""What is refused as inexact differs by more."""
few = settings(max_examples=8, derandomize=True, database=None)
many = settings(
    max_examples=400,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def holds(case: Case) -> None:
    """What is said of a growth is what is measured of it."""
    with tempfile.TemporaryDirectory() as folder:
        found = measured(case, Path(folder))
    match found.verdict:
        case "exact":
            assert found.report.ok
            assert found.error is not None and found.error < EXACT
            assert found.gradient is not None and found.gradient < EXACT
            assert found.report.checked and found.report.checked.mapping
            mapping = found.report.checked.mapping
            assert from_json(to_json(mapping)) == mapping
        case "inexact":
            assert found.error is not None and found.error > FORCED
            assert not found.report.ok or "init = default" in case.by
        case "eps":
            assert found.error is not None and found.error < FORCED
        case "dead":
            assert found.error is not None and found.error < EXACT
        case _:
            raise AssertionError(str(found.report))


def fixed(made: Callable[[int], dict[str, Tensor]]) -> dict[str, tuple[Tensor, Tensor]]:
    """Tensors that depend on a seed where they are drawn, and the entries that do not."""
    one, other = made(1), made(2)
    return {name: (tensor, tensor == other[name]) for name, tensor in one.items()}


def holds_over_generations(case: Case) -> None:
    """Two mappings as one are the same as one after the other, and exact where both are."""
    with tempfile.TemporaryDirectory() as at:
        first = write(case, Path(at), name="second")
        later = next_generation(case)
        path = write(later, Path(at), parent=first, name="third")
        report = check(path, later.texts)
    if report.checked is None:
        return
    third = report.checked
    second = third.parent
    assert second and second.parent and second.mapping and third.mapping
    if any(v.level != "exact" for v in (*second.mapping.verdicts, *third.mapping.verdicts)):
        return
    one = second.parent.net
    composed = over_generations(second.mapping, third.mapping, one)
    assert from_json(to_json(composed)) == composed
    weights = random_weights(one, 0)

    def twice(seed: int) -> dict[str, Tensor]:
        middle = grown(second.mapping, weights, second.net, seed)
        return grown(third.mapping, middle, third.net, seed)

    def once(seed: int) -> dict[str, Tensor]:
        return grown(composed, weights, third.net, seed)

    made = fixed(once)
    for name, (expected, is_sure) in fixed(twice).items():
        value, also = made[name]
        sure = is_sure & also
        if not isinstance(composed.by_name[name].transform, Initialise):
            assert torch.allclose(value[sure], expected[sure], rtol=1e-12, atol=1e-12), name
    error, gradient = compared(one, third.net, composed)
    assert error < EXACT
    assert gradient is not None and gradient < EXACT


@few
@given(chains())
def test_chains(case: Case) -> None:
    holds(case)


@few
@given(us())
def test_us(case: Case) -> None:
    holds(case)


@few
@given(st.one_of(chains(), us()))
def test_two_generations(case: Case) -> None:
    holds_over_generations(case)


@pytest.mark.slow
@many
@given(st.one_of(chains(), us()))
def test_many(case: Case) -> None:
    holds(case)
