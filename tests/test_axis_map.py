"""The map of a grown axis: what it reads, its normal form, composition and JSON."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from drawing import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from growlang.growth.axis_map import (
    NEW,
    AxisMap,
    Kron,
    New,
    Part,
    Repeat,
    Take,
    axis_from_json,
    axis_to_json,
    compose_axes,
    compose_factors,
    identity,
)

Property = settings(max_examples=examples(100), derandomize=True, database=None)


@st.composite
def maps(draw: st.DrawFn, old: int, depth: int = 1) -> AxisMap:
    """A map from an axis of `old` entries."""
    parts: list[Part] = []
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, old - 1))
        n = draw(st.integers(1, old - start))
        kind = draw(st.sampled_from(("take", "repeat", "new", "kron")[: 3 + depth]))
        if kind == "take":
            parts.append(Take(start, n))
        elif kind == "new":
            parts.append(New(n))
        elif kind == "repeat":
            block = draw(st.sampled_from([b for b in range(1, n + 1) if n % b == 0]))
            parts.append(Repeat(start, n, draw(st.integers(1, 3)), block))
        else:
            outer = draw(st.sampled_from([o for o in range(1, old + 1) if old % o == 0]))
            parts.append(Kron(outer, old // outer, draw(maps(old // outer, depth=0))))
    return AxisMap(tuple(parts))


@st.composite
def generations(draw: st.DrawFn) -> tuple[int, list[AxisMap]]:
    """The entries of an axis, and three maps one after the other."""
    old = size = draw(st.integers(1, 8))
    found = []
    for _ in range(3):
        found.append(draw(maps(size)))
        size = len(found[-1].indices)
    return old, found


def test_each_part_reads_what_it_says() -> None:
    inner = AxisMap((Repeat(0, 2, 2, 1), New(1)))
    parts = (Take(4, 2), Repeat(0, 4, 2, 2), New(2), Kron(2, 3, inner))
    assert AxisMap(parts).indices == (
        *(4, 5),
        *(0, 1, 0, 1, 2, 3, 2, 3),
        *(NEW, NEW),
        *(0, 0, 1, 1, NEW, 3, 3, 4, 4, NEW),
    )


def test_doubling_twice_is_one_repeat() -> None:
    twice = compose_axes(AxisMap((Repeat(0, 48, 2, 1),)), AxisMap((Repeat(0, 96, 2, 1),)))
    assert axis_to_json(twice) == [["repeat", 0, 48, 4, 1]]


@pytest.mark.parametrize(
    "parts",
    [
        (Take(0, 48),),
        (Repeat(0, 48, 2, 3), New(8)),
        (Repeat(0, 48, 2, 48),),
        (Take(0, 16), New(4), Take(16, 16), New(4)),
    ],
)
def test_the_normal_form_is_short(parts: tuple[Part, ...]) -> None:
    assert AxisMap.of(AxisMap(parts).indices) == AxisMap(parts)


@Property
@given(generations())
def test_composition_is_index_after_index_and_associative(
    given: tuple[int, list[AxisMap]],
) -> None:
    old, (first, second, third) = given
    both = compose_axes(first, second)
    assert both.indices == tuple(NEW if i == NEW else first.indices[i] for i in second.indices)
    assert compose_axes(both, third) == compose_axes(first, compose_axes(second, third))
    assert compose_axes(identity(old), first) == compose_axes(first, identity(len(first.indices)))


@Property
@given(generations(), st.data())
def test_factors_are_multiplied_along_the_index(
    given: tuple[int, list[AxisMap]], data: st.DataObject
) -> None:
    old, axes = given
    powers = st.sampled_from((0.25, 0.5, 1.0, 2.0))  # whose products are exact
    factors = [
        tuple(data.draw(st.lists(powers, min_size=n, max_size=n)))
        for axis in axes
        for n in [data.draw(st.sampled_from((0, 1, len(axis.indices))))]
    ]
    values = [float(i + 1) for i in range(old)]

    def through(axis: AxisMap, by: tuple[float, ...], given: list[float]) -> list[float]:
        each = by if len(by) > 1 else (by or (1.0,)) * len(axis.indices)
        return [0.0 if i == NEW else given[i] * f for i, f in zip(axis.indices, each, strict=True)]

    made, axis, by = values, identity(old), ()
    for later, own in zip(axes, factors, strict=True):
        made, both = through(later, own, made), compose_axes(axis, later)
        by = compose_factors(by, own, later, both)
        axis = both
    assert through(axis, by, values) == made


@Property
@given(st.integers(1, 8).flatmap(maps))
def test_json_and_the_normal_form_keep_the_index(axis: AxisMap) -> None:
    assert axis_from_json(json.loads(json.dumps(axis_to_json(axis)))) == axis
    normal = AxisMap.of(axis.indices)
    assert normal.indices == axis.indices
    assert AxisMap.of(normal.indices) == normal
    assert not any(type(a) is type(b) is New for a, b in pairwise(normal.parts))


@pytest.mark.parametrize(
    "data",
    [
        "take",
        [["take", 0]],
        [["take", 0, 1.5]],
        [["repeat", 0, 5, 2, 2]],
        [["repeat", 0, 4, 2, 0]],
        [["kron", 2, 3, [["take", 1, 3]]]],
        [["all"]],
    ],
)
def test_what_is_no_map_is_refused(data: object) -> None:
    with pytest.raises(ValueError, match=r"map|blocks"):
        axis_from_json(data)
