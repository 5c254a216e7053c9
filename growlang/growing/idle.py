"""Rules that have nothing to do: what is declared asks for nothing that they give. Stdlib only."""

from __future__ import annotations

from collections.abc import Iterator

from growlang.diagnostics import Diagnostic
from growlang.growing.choice import heads_of
from growlang.growing.renaming import under_names
from growlang.growing.resizing import sides
from growlang.net import ComponentName, Net, Node
from growlang.net.axes import Axes
from growlang.ops import axes_in, op_in
from growlang.resolve.contract import Contract


def warn_idle(child: Net, old: Net, contract: Contract) -> Iterator[Diagnostic]:
    """A warning for each rule of a `grow` that none of its components has a use for."""
    parent, grow = under_names(old, contract.renamed), contract.grow
    statements: dict[object, list[ComponentName]] = {}
    for name, growing in grow.items():
        if child.of(name) and parent.of(name):
            statements.setdefault(growing.places, []).append(name)
    for names in statements.values():
        used = {call for name in names for call in used_rules(child, parent, name)}
        for rule, place in zip(grow[names[0]].rules, grow[names[0]].places, strict=True):
            if rule.call not in used:
                *others, last = (f"`{name.selector}`" for name in names)
                listed = f"{', '.join(others)} and {last} have" if others else f"{last} has"
                message = f"`{rule.call}` has nothing to do: the parent's {listed} as {rule.gives}"
                yield Diagnostic("G322", message, place, "remove it, or declare more")


def used_rules(child: Net, parent: Net, name: ComponentName) -> Iterator[str]:
    """The rules that a component has a use for, as its nodes differ from the parent's."""
    before = {node.path: node for node in parent.of(name)}
    for node in child.of(name):
        old = before.get(node.path)
        if old is None:
            yield "deepen"
            continue
        ours, theirs = axes_in(child, node), axes_in(parent, old)
        if _heads(ours) != _heads(theirs):
            yield from ("heads", "widen")
        if node.output.positions != old.output.positions or _sides(ours) != _sides(theirs):
            yield "resize"
        if [t[:2] for t in node.tensors] != [t[:2] for t in old.tensors]:
            yield "widen"
        if _rows(child, node) != _rows(parent, old):
            yield "extend"


def _heads(axes: Axes | None) -> list[int]:
    """How many heads there are, and of how many channels."""
    return [space.size for _, space in heads_of(axes)] if axes else []


def _sides(axes: Axes | None) -> list[tuple[int, ...]]:
    """The places of all tensors that are of no space."""
    return [sides(parameter) for parameter in axes.parameters] if axes else []


def _rows(net: Net, node: Node) -> tuple[object, ...]:
    """What `extend` makes more of: rows of ids, tokens, conditions and what they have channels."""
    axes = axes_in(net, node)
    spaces = axes.spaces.values() if axes else ()
    ids = tuple(space.size for space in spaces if space.rows)
    conditions = tuple(net.shapes[name] for name in node.inputs[1:])
    own = node.output if not node.component.is_stage and node.path == node.component else None
    return ids, conditions, op_in(node).attended, own
