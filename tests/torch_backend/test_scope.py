"""The net knows what each op is built in, and keeps numbers that a width would decide otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fixture_specs import SHIPPED, checked

from growlang.diagnostics import GrowlangError
from growlang.net import Net, Node, Scope, Shape, grid, tokens
from growlang.ops import Op, op_in, rebuilt
from growlang.ops.attention import Transformer
from growlang.ops.convolution import Residual
from growlang.ops.ends import Unpatch
from growlang.ops.noise_level import Fourier
from growlang.ops.pointwise import Norm
from growlang.torch_backend.lower import lower
from growlang.torch_backend.modules import build

SPECS = sorted(SHIPPED.glob("*.grow"), key=lambda path: path.name)

KEPT = (
    (Residual(width=24), grid(48, 4, 4), {"norm1.groups": 8, "norm2.groups": 4}),
    (Unpatch(factor=2), grid(48, 4, 4), {"norm.groups": 8}),
    (Norm(), grid(48, 4, 4), {"groups": 8}),
    (Transformer(width=16, heads=2), tokens(4, 16), {"mlp.hidden": 24}),
    (Fourier(width=16), Shape("vector", (1,)), {"frequencies": 5}),
)


@pytest.mark.parametrize(("op", "x", "numbers"), KEPT, ids=lambda value: getattr(value, "call", ""))
def test_an_op_keeps_its_numbers(op: Op, x: Shape, numbers: dict[str, int]) -> None:
    scope = Scope(numbers=numbers)
    assert op.numbers(x, scope) == numbers
    assert all(op.numbers(x, Scope())[name] != kept for name, kept in numbers.items())
    declared = {t.name: t.shape for t in op.tensors(x, scope)}
    module = build(op, x, scope)
    assert {n: tuple(v.shape) for n, v in module.state_dict().items()} == declared


@pytest.mark.parametrize(("op", "x", "numbers"), KEPT[:3], ids=("residual", "unpatch", "norm"))
def test_the_groups_of_the_modules_are_the_numbers(
    op: Op, x: Shape, numbers: dict[str, int]
) -> None:
    module = build(op, x, Scope(numbers=numbers))
    norms = [m for m in module.modules() if isinstance(m, torch.nn.GroupNorm)]
    assert [m.num_groups for m in norms] == list(numbers.values())


def changed_net(
    net: Net, path: str, numbers: Mapping[str, int] | None = None, eps: float | None = None
) -> Net:
    """The net whose node at a path keeps other numbers or has another eps."""

    def changed(node: Node) -> Node:
        return (
            rebuilt(node, net.shapes[node.inputs[0]], numbers, eps) if node.path == path else node
        )

    return replace(net, nodes=tuple(map(changed, net.nodes)))


CHANGES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("core.transformer.0", {"numbers": {"mlp.hidden": 20}}),
    ("core.transformer.0", {"eps": 1e-3}),
    ("head.unpatch.0", {"numbers": {"norm.groups": 2}}),
    ("time", {"numbers": {"frequencies": 3}}),
)


@pytest.mark.parametrize(("path", "changes"), CHANGES)
def test_what_a_node_keeps_is_in_its_hash_its_json_and_its_function(
    net: Net, path: str, changes: dict[str, Any]
) -> None:
    changed = changed_net(net, path, **changes)
    back = Net.from_json(changed.to_json())
    assert changed.net_hash != net.net_hash
    assert back == changed
    assert back.net_hash == changed.net_hash
    state = lower(back).state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == {
        name: tensor.shape for name, tensor in back.table.items()
    }


def test_the_norms_of_a_node_have_its_own_eps(net: Net) -> None:
    module = lower(changed_net(net, "head.unpatch.0", eps=0.5))
    found = {n: m.eps for n, m in module.named_modules() if isinstance(m, torch.nn.GroupNorm)}
    assert found.pop("head.unpatch.0.norm") == 0.5
    assert set(found.values()) == {net.eps}


def test_a_net_of_an_earlier_version_tells_its_scopes_by_its_inputs(net: Net) -> None:
    stored = net.to_json()
    for node in stored["nodes"]:
        del node["scope"]
    back = Net.from_json(stored)
    assert back.net_hash == net.net_hash
    assert lower(back).code == lower(net).code


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_the_scopes_of_a_net_are_those_that_its_inputs_tell(path: Path) -> None:
    net = checked(path).net
    stored = net.to_json()
    for node in stored["nodes"]:
        del node["scope"]
    for node, told in zip(net.nodes, Net.from_json(stored).nodes, strict=True):
        late = node.scope.rope or node.scope.pools or any("." in n for n in told.scope.conditions)
        late = (
            late or node.scope.targets or told.scope.channels > node.scope.channels
        )  # of a learned variance
        if node.declaration is not None and not late:  # nor did 0.1, which stored none, have those
            assert told.scope == node.scope._replace(numbers={}, eps=net.eps)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_the_typed_op_of_a_node_is_kept(path: Path) -> None:
    for node in checked(path).net.nodes:
        if node.declaration is not None:
            assert op_in(node) is node.declaration
            assert node.declaration == op_in(replace(node, declaration=None))


def test_a_node_rebuilt_with_nothing_new_is_the_node(net: Net) -> None:
    for node in net.nodes:
        x = net.shapes[node.inputs[0]]
        decided = op_in(node).numbers(x, Scope())
        assert rebuilt(node, x) == node
        assert rebuilt(node, x, decided, node.scope.eps) == node


def test_a_rebuilt_node_counts_what_it_computes(net: Net) -> None:
    node = next(n for n in net.nodes if n.path == "core.transformer.0")
    x = net.shapes[node.inputs[0]]
    hidden = op_in(node).numbers(x, node.scope)["mlp.hidden"]
    wider = rebuilt(node, x, {"mlp.hidden": hidden + 1})
    assert wider.flops - node.flops == 4 * x.size
    assert wider.saved - node.saved == 2 * x.positions
    assert rebuilt(wider, x, eps=0.5).scope.numbers == {"mlp.hidden": hidden + 1}
    assert rebuilt(wider, x, {"mlp.hidden": hidden}) == node


def test_a_number_that_an_op_cannot_keep_is_refused(net: Net) -> None:
    node = next(n for n in net.nodes if n.path == "head.unpatch.0")
    x = net.shapes[node.inputs[0]]
    with pytest.raises(GrowlangError, match=r"has no number `groups`; it has norm\.groups"):
        rebuilt(node, x, {"groups": 2})
    with pytest.raises(GrowlangError, match=r"3 groups of a norm of `head\.unpatch\.0`"):
        rebuilt(node, x, {"norm.groups": 3})
