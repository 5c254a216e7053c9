"""Initialisation by name, and tensors taken over from a parent."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from growlang.diagnostics import GrowlangError
from growlang.growth.mapping import Category, Entry
from growlang.net import Net
from growlang.torch_backend.lower import lower
from growlang.torch_backend.transplant import draw, initialise, transplant


def entry(name: str, category: Category, source: str | None = None) -> Entry:
    """An entry of a mapping."""
    return Entry(name=name, category=category, source=source, rule="", reason="", shape=())


def test_initialisation_is_a_function_of_seed_and_name(net: Net) -> None:
    first = initialise(lower(net), net, seed=3).state_dict()
    again = initialise(lower(net, "cpu"), net, seed=3).state_dict()
    other = initialise(lower(net), net, seed=4).state_dict()
    assert all(torch.equal(first[n], again[n]) for n in net.table)
    random = [n for n, t in net.table.items() if t.init in ("linear", "embedding", "position")]
    assert not any(torch.equal(first[n], other[n]) for n in random)
    twins = [f"core.transformer.{i}.mlp.up.weight" for i in (0, 1)]
    assert not torch.equal(first[twins[0]], first[twins[1]])


def test_initialisation_does_not_depend_on_the_order_or_on_other_tensors(net: Net) -> None:
    values = initialise(lower(net), net, seed=0).state_dict()
    for name, tensor in reversed(net.table.items()):
        assert torch.equal(draw(tensor, 0), values[name])


def test_a_module_of_another_net_is_refused(net: Net) -> None:
    smaller = replace(net, nodes=tuple(n for n in net.nodes if n.path != "time"))
    with pytest.raises(
        GrowlangError, match=r"is missing 4 tensors of the module: time\.linear1\.bias"
    ):
        initialise(lower(net), smaller, seed=0)


def test_copied_and_moved_are_taken_over_bit_for_bit() -> None:
    parent = {"a": torch.tensor([0.1, float("nan")]), "b": torch.ones(2), "old": torch.ones(3)}
    child = {"a": torch.zeros(2), "c": torch.zeros(2), "new": torch.full((4,), 5.0)}
    kept = child["a"]
    entries = [
        entry("a", "copied", "a"),
        entry("c", "moved", "b"),
        entry("new", "initialised"),
        entry("old", "dropped", "old"),
    ]
    transplant(entries, parent, child)
    assert kept.view(torch.int32).tolist() == parent["a"].view(torch.int32).tolist()
    assert torch.equal(child["c"], parent["b"])
    assert child["new"].tolist() == [5.0] * 4


def test_a_transplant_reaches_the_parameters_of_a_module(net: Net) -> None:
    parent = initialise(lower(net), net, seed=1).state_dict()
    module = initialise(lower(net), net, seed=2)
    entries = [
        entry(n, "copied", n) if n.startswith("core") else entry(n, "reinitialised")
        for n in net.table
    ]
    transplant(entries, parent, dict(module.named_parameters()))
    for name, value in module.state_dict().items():
        wanted = parent[name] if name.startswith("core") else draw(net.table[name], 2)
        assert torch.equal(value, wanted)


@pytest.mark.parametrize(
    ("parent", "entries", "message"),
    [
        ({}, [entry("a", "copied", "a")], "a is copied from a, which the parent's weights"),
        ({"b": torch.ones(2, 3)}, [entry("a", "moved", "b")], "shape is 2 x 3 .* and 3 in the"),
        ({"a": torch.ones(3).half()}, [entry("a", "copied", "a")], "float16 .* would not be exact"),
        (
            {"a": torch.ones(3)},
            [entry("z", "copied", "a")],
            "the mapping is missing 1 tensors .* a",
        ),
        ({"a": torch.ones(3)}, [entry("a", "expanded", "a")], "not supported yet"),
    ],
)
def test_what_does_not_fit_is_refused(
    parent: dict[str, torch.Tensor], entries: list[Entry], message: str
) -> None:
    child = {"a": torch.zeros(3)}
    with pytest.raises(GrowlangError, match=message):
        transplant(entries, parent, child)
    assert child["a"].tolist() == [0.0] * 3
