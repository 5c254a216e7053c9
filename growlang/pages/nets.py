"""A net as the data of its drawing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from growlang.diagnostics.literals import argument, dimensions
from growlang.growth.mapping import CATEGORIES
from growlang.growth.verdict import Verdict
from growlang.net import Net, Node
from growlang.pages.boxes import Box, boxes, groups, shown
from growlang.pages.interned import Tables
from growlang.pages.outcomes import Outcome
from growlang.tables.nets import shown_image

Outcomes = Mapping[str, Outcome]
Nodes = Mapping[str, Node]
"""All nodes of a net by their paths."""


def net_json(
    net: Net,
    tables: Tables,
    *,
    outcomes: Outcomes | None = None,
    other: Net | None = None,
    verdicts: Sequence[Verdict] = (),
) -> dict[str, Any]:
    """The net's nodes and boxes; `outcomes` are of its tensors, with respect to the net `other`."""
    nodes, every = shown(net), {node.path: node for node in net.nodes}
    owners = {
        t.name: (n, node.path)
        for n, node in enumerate(shown(other) if other else ())
        for t in node.tensors
    }
    places = {node.path: n for n, node in enumerate(nodes)}
    proved = {str(v.place): {"level": v.level, "reason": v.reason} for v in verdicts}
    return {
        "name": net.name,
        "parameters": net.parameters,
        "tensors": len(net.table),
        "about": _about(net),
        "nodes": [
            _node(node, net, every, tables, places)
            | (_outcome(node, outcomes, owners, tables) if outcomes is not None else {})
            for node in nodes
        ],
        "boxes": [_box(box, net, tables, places, proved) for box in boxes(net)],
    }


def _about(net: Net) -> str:
    return f"{net.result.positions:,} tokens" if net.of_tokens else shown_image(net)


def _node(
    node: Node, net: Net, every: Nodes, tables: Tables, places: Mapping[str, int]
) -> dict[str, Any]:
    layout = tuple((_suffix(t.name, node.path), dimensions(t.shape)) for t in node.tensors)
    read = net.shapes[node.inputs[0]] if node.inputs else None
    return {
        "path": node.path,
        "call": tables.calls.of((node.op, *_written(node.args))),
        "at": tables.places.of(str(node.span) if node.span else ""),
        "in": tables.shapes.of(str(read) if read else ""),
        "out": tables.shapes.of(str(node.output)),
        "reads": [places.get(name, name) for name in _read(node, every, places)],
        "layout": tables.layouts.of(layout),
        "parameters": node.parameters,
        "flops": node.flops,
        "saved": node.saved,
    }


def _suffix(name: str, path: str) -> str:
    return name.removeprefix(path).removeprefix(".")


def _written(arguments: Mapping[str, Any]) -> Iterator[str]:
    """The arguments that have a value, as a spec writes them."""
    for name, value in arguments.items():
        if value is not None:
            yield f"{name} = {argument(value)}"


def _read(node: Node, every: Nodes, places: Mapping[str, int]) -> Iterator[str]:
    """The drawn nodes and the inputs that a node reads, also by way of nodes that are not drawn."""
    waiting = list(reversed(node.inputs))
    while waiting:
        name = waiting.pop()
        if name in places or name not in every:
            yield name
        else:
            waiting.extend(reversed(every[name].inputs))


def _outcome(
    node: Node, outcomes: Outcomes, owners: Mapping[str, tuple[int, str]], tables: Tables
) -> dict[str, Any]:
    """The outcomes of a node's tensors, and the nodes of the other net, the closest first.

    Of a tensor the counterpart is null, 0 for the tensor of its own suffix in the closest node, or
    the names of others.
    """
    counted = Counter(
        owners[other][0]
        for t in node.tensors
        for other in outcomes[t.name].others
        if other in owners
    )
    closest = [n for n, _ in counted.most_common()]
    paths = {n: path for n, path in owners.values()}
    own = f"{paths[closest[0]]}." if closest else ""
    row: list[tuple[int, int, str | int | None]] = []
    for tensor in node.tensors:
        category, reason, others = outcomes[tensor.name]
        same = others == (f"{own}{_suffix(tensor.name, node.path)}",)
        told = None if not others else 0 if same else ", ".join(others)
        row.append((CATEGORIES.index(category), tables.reasons.of(reason), told))
    return {"outcome": tables.outcomes.of(tuple(row)), "others": closest}


def _box(
    box: Box,
    net: Net,
    tables: Tables,
    places: Mapping[str, int],
    proved: Mapping[str, dict[str, str]],
) -> dict[str, Any]:
    component = next(c for c in net.components if c.name == box.component)
    output = box.nodes[-1].output if box.side == "encode" else component.output
    keys = [(n.op, tuple(_written(n.args)), n.span) for n in box.nodes]
    return {
        "row": box.row,
        "side": box.side,
        "component": str(box.component),
        "at": tables.places.of(str(component.span) if component.span else ""),
        "output": str(output),
        "note": "" if box.nodes else _note(net, box),
        "verdict": proved.get(box.component),
        "nodes": [places[n.path] for n in box.nodes],
        "groups": [list(group) for group in groups(keys)],
    }


def _note(net: Net, box: Box) -> str:
    """What a box without nodes stands for."""
    said = dict(net.encoders.get(box.component, {}))
    if not said:
        return "no ops"
    op = said.pop("op", "")
    told = ", ".join(
        f"{name} = {argument(value)}" for name, value in said.items() if value is not None
    )
    what = "predicted" if box.component == net.predicts else "frozen encoder"
    return f"{what}: {op}({told})"
