"""A parent whose conditions and stages have the names that its child gives them. Stdlib only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from growlang.growth.transforms import Copy, Expand, Move, Stages, Transform
from growlang.net import ComponentName, Input, Net, Node
from growlang.ops import op_in


def under_names(net: Net, names: Mapping[ComponentName, ComponentName]) -> Net:
    """The net with other names of conditions and stages, also in what reads them; old to new.

    What has one of the new names is set aside, under a name that no child has. Its tensors stand in
    the same order. Raises GrowlangError if there is no such op.
    """
    if not names:
        return net
    here = [component.name for component in net.components]
    taken = set(names.values())
    names = {**names, **{name: _aside(name) for name in here if name in taken - names.keys()}}
    return replace(
        net,
        inputs=tuple(_input(given, names) for given in net.inputs),
        nodes=tuple(_node(node, names) for node in net.nodes),
        components=tuple(replace(c, name=names.get(c.name, c.name)) for c in net.components),
        encoders={_first(name, names): told for name, told in net.encoders.items()},
    )


def from_names(
    transforms: Mapping[str, Transform], renamed: Net, net: Net
) -> Mapping[str, Transform]:
    """Transforms of the tensors of a net that `under_names` renamed, as transforms of its own."""
    if renamed is net:
        return transforms
    pairs = zip(renamed.tensors(), net.tensors(), strict=True)
    known = {new.name: old.name for new, old in pairs}
    return {name: _of(transform, name, known) for name, transform in transforms.items()}


def _of(transform: Transform, name: str, known: Mapping[str, str]) -> Transform:
    match transform:
        case Copy() if known[name] != name:
            return Move(known[name])
        case Move() | Expand() | Stages():
            return transform._replace(source=known[transform.source])
    return transform


def _aside(name: ComponentName) -> ComponentName:
    """A name for what the child has no more: a stage at a resolution that is written otherwise."""
    return ComponentName(f"stage.0{name.removeprefix('stage.')}" if name.is_stage else f"0{name}")


def _first(path: str, names: Mapping[ComponentName, ComponentName]) -> str:
    """A path that may begin with a condition or a stage."""
    head = ComponentName.of_tensor(f"{path}.")
    return names.get(head, head) + path.removeprefix(head)


def _input(given: Input, names: Mapping[ComponentName, ComponentName]) -> Input:
    if not given.condition:
        return given
    return given._replace(name=_first(given.name, names), condition=_first(given.condition, names))


def _node(node: Node, names: Mapping[ComponentName, ComponentName]) -> Node:
    """A node that may be a condition, or read one."""
    op = op_in(node)
    heard = {name for name in (*(op.attended or ()), *op.joined.values()) if name in names}
    inputs = tuple(_first(name, names) for name in node.inputs)
    if node.component not in names and not heard and inputs == node.inputs:
        return node
    branches = {
        f"{node.path}.{branch}.": f"{node.path}.{branch.removesuffix(name)}{_first(name, names)}."
        for branch, name in {**op.branches, **op.joined}.items()
        if name in heard
    }
    told = op.naming_arguments & node.args.keys() if heard else set[str]()
    args = {argument: _called(node.args[argument], names) for argument in told}
    conditions = {_first(name, names): shape for name, shape in node.scope.conditions.items()}
    pools = {_first(name, names): how for name, how in node.scope.pools.items()}
    targets = {_first(name, names): count for name, count in node.scope.targets.items()}
    is_own = node.component in names
    return replace(
        node,
        path=_first(node.path, names) if is_own else node.path,
        component=names.get(node.component, node.component),
        args={**node.args, **args},
        inputs=inputs,
        tensors=tuple(
            t._replace(name=_first(t.name, names) if is_own else _below(t.name, branches))
            for t in node.tensors
        ),
        scope=node.scope._replace(conditions=conditions, pools=pools, targets=targets),
        declaration=op.model_copy(update=args),
    )


def _called(told: object, names: Mapping[ComponentName, ComponentName]) -> object:
    """An argument that names a condition, or several."""
    if isinstance(told, str):
        return _first(told, names)
    return [_first(name, names) for name in told] if isinstance(told, list | tuple) else told


def _below(name: str, branches: Mapping[str, str]) -> str:
    """A tensor's name, of a branch that may have another."""
    for old, new in branches.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name
