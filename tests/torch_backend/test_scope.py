"""The net knows what each op is built in, and keeps numbers that a width would decide otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fixture_specs import SHIPPED, checked

from growlang.net import Net, Node, Scope, Shape, Tensor, grid, tokens
from growlang.ops import Op, op_in
from growlang.ops.attention import Transformer
from growlang.ops.conditions import Fourier
from growlang.ops.convolution import Residual
from growlang.ops.ends import Norm, Unpatch
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


def with_scope(net: Net, path: str, **changes: object) -> Net:
    """The net whose node at a path is built in a scope with these fields."""

    def changed(node: Node) -> Node:
        if node.path != path:
            return node
        scope = node.scope._replace(**changes)  # type: ignore[arg-type]
        x = next(n.output for n in net.nodes if n.path == node.inputs[0])
        rows = op_in(node).tensors(x, scope)
        tensors = tuple(Tensor(f"{path}.{t.name}", *t[1:]) for t in rows)
        return replace(node, scope=scope, tensors=tensors)

    return replace(net, nodes=tuple(map(changed, net.nodes)))


CHANGES: tuple[tuple[str, dict[str, object]], ...] = (
    ("core.transformer.0", {"numbers": {"mlp.hidden": 20}}),
    ("core.transformer.0", {"eps": 1e-3}),
    ("head.unpatch.0", {"numbers": {"norm.groups": 2}}),
)


@pytest.mark.parametrize(("path", "changes"), CHANGES)
def test_what_a_node_keeps_is_in_its_hash_its_json_and_its_function(
    net: Net, path: str, changes: dict[str, object]
) -> None:
    changed = with_scope(net, path, **changes)
    back = Net.from_json(changed.to_json())
    assert changed.net_hash != net.net_hash
    assert back == changed
    assert back.net_hash == changed.net_hash
    state = lower(back).state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == {
        name: tensor.shape for name, tensor in back.table.items()
    }


def test_the_norms_of_a_node_have_its_own_eps(net: Net) -> None:
    module = lower(with_scope(net, "head.unpatch.0", eps=0.5))
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
        if node.declaration is not None:
            assert told.scope == node.scope


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_the_typed_op_of_a_node_is_kept(path: Path) -> None:
    for node in checked(path).net.nodes:
        if node.declaration is not None:
            assert op_in(node) is node.declaration
            assert node.declaration == op_in(replace(node, declaration=None))
