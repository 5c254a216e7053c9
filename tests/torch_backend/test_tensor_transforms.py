"""Transforms applied to tensors: weights, averages and moments; and what does not fit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.growth.axis_map import AxisMap, New, Repeat, Take, identity
from growlang.growth.constants import Draw
from growlang.growth.mapping import Entry, Mapping
from growlang.growth.transforms import (
    Copy,
    Drop,
    Expand,
    Initialise,
    Like,
    Move,
    Retain,
    Transform,
)
from growlang.growth.wording import Reason
from growlang.net import Net
from growlang.torch_backend.expansions import is_gathered
from growlang.torch_backend.initialisation import draw, initialise
from growlang.torch_backend.lower import lower
from growlang.torch_backend.transforms import Quantity, apply

QUANTITIES: tuple[Quantity, ...] = ("weight", "average", "first moment", "second moment")


def mapping(**transforms: Transform) -> Mapping:
    """The mapping of these transforms by the tensors' names."""
    return Mapping(tuple(Entry(n, t, Reason("test"), ()) for n, t in transforms.items()))


def test_what_is_the_parents_is_taken_over_bit_for_bit() -> None:
    parent = {"a": torch.tensor([0.1, float("nan")]), "b": torch.ones(2), "old": torch.ones(3)}
    child = {n: torch.zeros(2) for n in ("a", "c", "d", "e")} | {"new": torch.full((4,), 5.0)}
    kept = child["a"]
    moves = {"c": Move("b"), "d": Like("b"), "e": Retain("b")}
    apply(mapping(a=Copy(), new=Initialise("ones"), old=Drop(), **moves), parent, child)
    assert kept.view(torch.int32).tolist() == parent["a"].view(torch.int32).tolist()
    assert all(torch.equal(child[name], parent["b"]) for name in moves)
    assert child["new"].tolist() == [5.0] * 4


def test_averages_and_moments_of_what_is_only_initialised_alike_begin_anew() -> None:
    made = mapping(a=Move("b"), c=Like("b"), d=Expand("b", (identity(2),), moment=None))
    for quantity in QUANTITIES:
        child = {n: torch.zeros(2) for n in "acd"}
        apply(made, {"b": torch.ones(2)}, child, quantity)
        given = {name for name, value in child.items() if value.all()}
        assert given == ({"a", "c", "d"} if quantity == "weight" else {"a"})


def test_a_mapping_reaches_the_parameters_of_a_module(net: Net) -> None:
    parent = initialise(lower(net), net, seed=1).state_dict()
    module = initialise(lower(net), net, seed=2)
    rows = {n: Copy() if n.startswith("core") else Initialise(t.init) for n, t in net.table.items()}
    apply(mapping(**rows), parent, dict(module.named_parameters()))
    for name, value in module.state_dict().items():
        wanted = parent[name] if name.startswith("core") else draw(net.table[name], 2)
        assert torch.equal(value, wanted)


# --- expansion -----------------------------------------------------------------------------------

ROWS = AxisMap((Repeat(0, 2, 2, 1), New(1)))
COLUMNS = AxisMap((Take(1, 2), New(1), Take(0, 1)))


def expanded(expand: Expand, quantity: Quantity = "weight") -> Tensor:
    """What an expansion makes of [[1, 2, 3], [4, 5, 6]] where all that is new is 9."""
    child = {"a": torch.full((5, 4), 9.0)}
    apply(mapping(a=expand), {"b": torch.arange(1.0, 7.0).view(2, 3)}, child, quantity)
    return child["a"]


def test_an_expansion_reads_along_each_axis_and_what_is_new_is_zero_or_drawn() -> None:
    first, second = [2.0, 3.0, 0.0, 1.0], [5.0, 6.0, 0.0, 4.0]
    made = expanded(Expand("b", (ROWS, COLUMNS)))
    assert made.tolist() == [first, first, second, second, [0.0] * 4]
    made = expanded(Expand("b", (ROWS, COLUMNS), constants=(Draw(0, 4, 1), Draw(1, 2, 1))))
    first[2] = second[2] = 9.0
    assert made.tolist() == [first, first, second, second, [9.0] * 4]


def test_rows_that_are_drawn_stay_drawn_among_many_parts() -> None:
    rows = AxisMap(tuple(part for _ in range(40) for part in (Take(1, 1), New(1))))
    draws = tuple(Draw(0, place, 1) for place in range(1, 80, 2))
    child = {"a": torch.full((80, 3), 9.0)}
    expand = Expand("b", (rows, identity(3)), constants=draws)
    apply(mapping(a=expand), {"b": torch.arange(1.0, 7.0).view(2, 3)}, child)
    assert is_gathered(rows)
    assert child["a"].tolist() == [[4.0, 5.0, 6.0], [9.0] * 3] * 40


def test_each_quantity_has_its_factors() -> None:
    shares = (0.25, 0.75, 0.5, 0.5, 1.0)
    expand = Expand("b", (ROWS, COLUMNS), weight=(shares, (2.0,)), moment=((), (3.0,)))
    plain = expanded(Expand("b", (ROWS, COLUMNS)))
    given = torch.zeros(5, 4, dtype=torch.bool)
    given[:4, (0, 1, 3)] = True
    factors = {
        "weight": 2 * torch.tensor(shares)[:, None],
        "average": 2 * torch.tensor(shares)[:, None],
        "first moment": torch.tensor(3.0),
        "second moment": torch.tensor(9.0),
    }
    for quantity in QUANTITIES:
        wanted = torch.where(given, plain * factors[quantity], plain)
        assert torch.equal(expanded(expand, quantity), wanted)


def test_a_scalar_is_expanded_too() -> None:
    child = {"a": torch.zeros(())}
    apply(mapping(a=Expand("b", ())), {"b": torch.tensor(2.0)}, child)
    assert child["a"].item() == 2


# --- what does not fit ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parent", "made", "message"),
    [
        ({}, mapping(a=Copy()), "a is copied from a, which the parent's weights"),
        ({"b": torch.ones(2, 3)}, mapping(a=Move("b")), "whose shape is 2x3 .* and 3 in the"),
        ({"a": torch.ones(3).half()}, mapping(a=Copy()), "float16 .* would not be exact"),
        ({"a": torch.ones(3)}, mapping(z=Copy()), "the mapping is missing 1 tensors .* a"),
        ({"b": torch.ones(2)}, mapping(a=Expand("b", (identity(3),))), "a is expanded from b"),
        ({"b": torch.ones(3)}, mapping(a=Expand("b", (identity(2),))), "a is expanded from b"),
        ({"b": torch.ones(3)}, mapping(a=Expand("b", ())), "whose shape is 3 in the parent's"),
    ],
)
def test_what_does_not_fit_is_refused(
    parent: dict[str, Tensor], made: Mapping, message: str
) -> None:
    child = {"a": torch.zeros(3)}
    with pytest.raises(GrowlangError, match=message):
        apply(made, parent, child)
    assert child["a"].tolist() == [0.0] * 3
