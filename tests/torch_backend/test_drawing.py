"""The first values of tensors, drawn by name."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from growlang.diagnostics import GrowlangError
from growlang.net import Net
from growlang.torch_backend.initialisation import draw, initialise
from growlang.torch_backend.lower import lower


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
