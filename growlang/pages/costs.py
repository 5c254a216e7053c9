"""The page of `growlang compile --html`: a net with its costs, and what each phase trains of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from growlang.growth.verdict import Verdict
from growlang.net import Net, Node
from growlang.pages.boxes import rows, shown
from growlang.pages.document import document
from growlang.pages.interned import Tables
from growlang.pages.markup import Html, element, joined, table
from growlang.pages.nets import net_json
from growlang.pages.summary import section, verdicts
from growlang.plans.cost import ACTIVATION_BYTES, ComponentCost, PhaseCost
from growlang.spec.recipe import Phase
from growlang.tables.nets import shown_image
from growlang.tables.parts import short, size

KINDS = (
    ("trained", "T", "trained", "tensors that the phase trains"),
    ("frozen", "F", "frozen", "tensors that the phase does not change"),
)
"""Id, sign, name and meaning of what a phase makes of a tensor."""


class Costly(NamedTuple):
    """What a page is made of."""

    net: Net
    recipe: str | None
    costs: Sequence[ComponentCost]
    schedule: Sequence[Phase]
    """The phases of the recipe; none where there is no recipe."""
    phases: Sequence[PhaseCost]
    """The costs of each of them."""
    verdicts: Sequence[Verdict]
    remarks: Sequence[str]


def costs(found: Costly) -> str:
    """The page about a compiled spec, as HTML; the same spec gives the same bytes."""
    net = found.net
    example = f"{net.result.positions:,} tokens" if net.of_tokens else shown_image(net)
    heading = f"{net.name}: {example}, {net.parameters:,} parameters"
    return document(net.name, heading, costs_json(found), _summary(found))


def costs_json(found: Costly) -> dict[str, Any]:
    """The data of the page: the net, its rows, and the phases of the recipe."""
    tables, net = Tables(), found.net
    drawn = net_json(net, tables, verdicts=found.verdicts)
    pairs = zip(found.schedule, found.phases, strict=True)
    return {
        "page": "compile",
        "kinds": [dict(zip(("id", "sign", "name", "means"), kind, strict=True)) for kind in KINDS],
        "rows": [row._asdict() for row in rows((net,))],
        "nets": [drawn | {"side": ""}],
        "tables": tables.as_json(),
        "recipe": found.recipe,
        "phases": [_phase(phase, cost, net) for phase, cost in pairs],
    }


def _phase(phase: Phase, cost: PhaseCost, net: Net) -> dict[str, Any]:
    """What a phase trains: nodes that are frozen, and the tensors of those that are so partly."""
    frozen = frozenset(phase.frozen)
    parts = {n: _frozen(node, frozen) for n, node in enumerate(shown(net))}
    nodes = shown(net)
    whole = [n for n, part in parts.items() if part and len(part) == len(nodes[n].tensors)]
    count = sum(t.name in frozen for t in net.tensors())
    scales = dict.fromkeys(phase.lr_scale.values())
    scaled = (
        f", learning rate scaled by {', '.join(f'{s:g}' for s in scales)} in parts"
        if scales
        else ""
    )
    return {
        "name": phase.name,
        "length": _length(cost),
        "steps": phase.steps,
        "frozen": whole,
        "partly": {str(n): part for n, part in parts.items() if part and n not in set(whole)},
        "totals": [[len(net.table) - count, cost.trainable], [count, cost.frozen]],
        "told": (
            f"{phase.name}: {_length(cost)} at batch {cost.batch:,}; {cost.trainable:,} parameters "
            f"trained, {cost.frozen:,} frozen{scaled}; weights {size(cost.weights)}, "
            f"EMA {size(cost.ema)}, gradients {size(cost.gradients)}, "
            f"moments {size(cost.moments)}: {size(cost.state)} of state"
        ),
    }


def _frozen(node: Node, frozen: frozenset[str]) -> list[int]:
    """The places of a node's tensors that are frozen."""
    return [i for i, tensor in enumerate(node.tensors) if tensor.name in frozen]


def _length(cost: PhaseCost) -> str:
    return f"{cost.steps:,} steps" if cost.steps is not None else f"{cost.epochs:g} epochs"


def _summary(found: Costly) -> Html:
    remarks = [element("li", remark) for remark in found.remarks]
    return joined(
        section("By component", _components(found), id="components"),
        verdicts(found.verdicts),
        section(f"Recipe {found.recipe}", _phases(found.phases), id="phases")
        if found.phases
        else None,
        section("Remarks", element("ul", remarks), id="remarks") if remarks else None,
    )


def _components(found: Costly) -> Html:
    unit = "sequence" if found.net.of_tokens else "image"
    head = ("component", "output", "tensors", "parameters", f"FLOPs / {unit}")
    rows = [
        (
            c.name,
            str(c.output),
            f"{c.tensors:,}",
            f"{c.parameters:,}",
            short(c.flops),
            size(c.saved * ACTIVATION_BYTES),
        )
        for c in found.costs
    ]
    return table((*head, f"fp32 activations / {unit}"), rows, (2, 3, 4, 5))


def _phases(phases: Sequence[PhaseCost]) -> Html:
    head = ("phase", "length", "batch", "trained", "frozen", "weights", "EMA", "gradients")
    rows = [
        (
            c.name,
            _length(c),
            f"{c.batch:,}",
            f"{c.trainable:,}",
            f"{c.frozen:,}",
            *map(size, (c.weights, c.ema, c.gradients, c.moments, c.state)),
        )
        for c in phases
    ]
    return table((*head, "moments", "state"), rows, tuple(range(2, 10)))
