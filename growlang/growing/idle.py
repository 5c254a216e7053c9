"""Rules that have nothing to do: what is declared asks for nothing that they give. Stdlib only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from growlang.diagnostics import Diagnostic
from growlang.growing.arguments import GRIDS
from growlang.growing.choice import IDS
from growlang.net import ComponentName, Net, Node
from growlang.ops import axes_in
from growlang.resolve.contract import Growing


def warn_idle(
    child: Net, parent: Net, grow: Mapping[ComponentName, Growing]
) -> Iterator[Diagnostic]:
    """A warning for each rule of a `grow` that none of its components has a use for."""
    statements: dict[object, list[ComponentName]] = {}
    for name, growing in grow.items():
        if child.of(name) and parent.of(name):
            statements.setdefault(growing.places, []).append(name)
    for names in statements.values():
        used = {call for name in names for call in _used(child, parent, name)}
        for rule, place in zip(grow[names[0]].rules, grow[names[0]].places, strict=True):
            if rule.call not in used:
                *others, last = (f"`{name.selector}`" for name in names)
                listed = f"{', '.join(others)} and {last} have" if others else f"{last} has"
                message = f"`{rule.call}` has nothing to do: the parent's {listed} as {rule.gives}"
                yield Diagnostic("G322", message, place, "remove it, or declare more")


def _used(child: Net, parent: Net, name: ComponentName) -> Iterator[str]:
    """The rules that a component has a use for, as its nodes differ from the parent's."""
    before = {node.path: node for node in parent.of(name)}
    for node in child.of(name):
        old = before.get(node.path)
        if old is None:
            yield "deepen"
            continue
        if any(node.args.get(n) != old.args.get(n) for n in ("heads", "head_width")):
            yield from ("heads", "widen")
        is_moved = node.output.positions != old.output.positions
        if is_moved or any(node.args.get(n) != old.args.get(n) for n in GRIDS):
            yield "resize"
        if [t[:2] for t in node.tensors] != [t[:2] for t in old.tensors]:
            yield "widen"
        if _rows(child, node) != _rows(parent, old):
            yield "extend"


def _rows(net: Net, node: Node) -> tuple[object, ...]:
    """What `extend` makes more of: rows of ids, tokens, conditions and what they have channels."""
    axes = axes_in(net, node)
    spaces = axes.spaces.values() if axes else ()
    ids = tuple(space.size for space in spaces if space.name in IDS)
    conditions = tuple(net.shapes[name] for name in node.inputs[1:])
    own = node.output if not node.component.is_stage and node.path == node.component else None
    return ids, conditions, node.args.get("attend"), own
