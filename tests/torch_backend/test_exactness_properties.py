"""Exactness over ops, widths, heads, groups, conditions, chains, Us and generations."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from exactness.cases import Case, write
from exactness.growths import chains, next_generation, us
from exactness.measure import compared, grown, measured, random_weights
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from growlang.checking import Checked, check
from growlang.growth.composition import over_generations
from growlang.growth.mapping import Mapping
from growlang.growth.mapping_json import from_json, to_json
from growlang.growth.transforms import Initialise

EXACT = 1e-10
FORCED = 1e-3
"""What is refused as inexact differs by more."""
LOOSE = tuple(f"widen({how})" for how in ("pad", "copy", "random"))
"""Rules that promise nothing: where one is called exact all the same, it is."""
WIDEN = re.compile(r"widen\((?:[^()]|\([^()]*\))*\)")
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


def generations(case: Case, count: int) -> list[Checked]:
    """A net and `count` of its descendants, the oldest first; empty where one is refused."""
    with tempfile.TemporaryDirectory() as at:
        path, later = write(case, Path(at), name="generation_1"), case
        for number in range(2, count + 1):
            later = next_generation(later)
            path = write(later, Path(at), parent=path, name=f"generation_{number}")
        youngest = check(path, later.texts).checked
    found = [youngest] if youngest else []
    while found and found[0].parent:
        found.insert(0, found[0].parent)
    return found


def holds_over_generations(case: Case, count: int) -> None:
    """Mappings as one are the same as one after the other, and exact where all are."""
    oldest, *later = generations(case, count) or [None]
    mappings = [checked.mapping for checked in later if checked.mapping]
    if oldest is None or any(v.level != "exact" for m in mappings for v in m.verdicts):
        return
    one, last = oldest.net, later[-1].net
    composed: Mapping = mappings[0]
    for mapping in mappings[1:]:
        composed = over_generations(composed, mapping, one)
    assert from_json(to_json(composed)) == composed
    weights = random_weights(one, 0)

    def stepwise(seed: int) -> dict[str, Tensor]:
        made = weights
        for mapping, checked in zip(mappings, later, strict=True):
            made = grown(mapping, made, checked.net, seed)
        return made

    def once(seed: int) -> dict[str, Tensor]:
        return grown(composed, weights, last, seed)

    made = fixed(once)
    for name, (expected, is_sure) in fixed(stepwise).items():
        value, also = made[name]
        sure = is_sure & also
        if not isinstance(composed.by_name[name].transform, Initialise):
            assert torch.allclose(value[sure], expected[sure], rtol=1e-12, atol=1e-12), name
    error, gradient = compared(one, last, composed)
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
@given(st.one_of(chains(), us()), st.sampled_from(LOOSE))
def test_rules_without_a_promise(case: Case, by: str) -> None:
    only = tuple(WIDEN.sub(by, rules) for rules in case.only)
    loose = replace(case, by=WIDEN.sub(by, case.by), only=only)
    with tempfile.TemporaryDirectory() as folder:
        found = measured(loose, Path(folder))
    assert found.report.ok
    assert found.error is not None
    assert found.verdict != "exact" or found.error < EXACT


@few
@given(st.one_of(chains(), us()), st.sampled_from((2, 3)))
def test_generations(case: Case, count: int) -> None:
    holds_over_generations(case, count)


@pytest.mark.slow
@many
@given(st.one_of(chains(), us()))
def test_many(case: Case) -> None:
    holds(case)
