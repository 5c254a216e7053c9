"""A pinned plan as tables for people."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from growlang.plans.pins import DataPin, PinnedPlan, WeightsPin
from growlang.plans.plan import Plan
from growlang.spec.recipe import Phase
from growlang.tables.mappings import print_mapping
from growlang.tables.parts import table_of

SHORT = 12
"""Digits of a hash that are shown."""


def print_planned(pinned: PinnedPlan, out: Console, *, unread: str, remark: str) -> None:
    """What becomes of the parent's tensors, the phases, the data and the start weights."""
    plan = pinned.plan
    lineage = f", grown from [bold]{plan.parent.model}[/]" if plan.parent else ""
    out.print(f"[bold]{plan.model}[/], recipe [bold]{plan.recipe}[/]{lineage}\n")
    if plan.parent:
        print_mapping(plan.mapping, out)
    else:
        out.print(_components(plan))
    out.print()
    out.print(_phases(plan))
    out.print()
    if unread:
        out.print(f"data: not there: {unread}", markup=False, soft_wrap=True)
    else:
        out.print(_data(pinned.data))
    out.print(_weights(plan, pinned.weights), markup=False, soft_wrap=True)
    if remark:
        out.print(remark, markup=False, soft_wrap=True)


def _components(plan: Plan) -> Table:
    """The components of a net without a parent: all is new."""
    table = table_of("< ", "<component", "<outcome", "tensors", "parameters")
    net = plan.child_net()
    for component in net.components:
        tensors = [tensor for node in net.of(component.name) for tensor in node.tensors]
        count = f"{sum(tensor.parameters for tensor in tensors):,}"
        sign, outcome = ("[blue]+[/]", "[blue]initialised[/]") if tensors else (" ", "no tensors")
        table.add_row(sign, component.name, outcome, f"{len(tensors):,}", count)
    return table


def _phases(plan: Plan) -> Table:
    table = table_of("<phase", "<length", "batch", "lr", "frozen", "<data")
    for phase in plan.phases:
        settings = phase.settings
        table.add_row(
            phase.name,
            _length(phase),
            f"{settings.batch:,}",
            f"{settings.optimizer.lr:g}",
            f"{len(phase.frozen):,} tensors" if phase.frozen else "nothing",
            escape(", ".join(source.name for source in settings.data)),
        )
    return table


def _length(phase: Phase) -> str:
    return f"{phase.steps:,} steps" if phase.steps is not None else f"{phase.epochs:g} epochs"


def _data(data: tuple[DataPin, ...]) -> Table:
    table = table_of("<data", "samples", "shards", "<sha256")
    for source in data:
        shards = f"{len(source.shards):,}" if source.shards else ""
        table.add_row(escape(source.name), f"{source.samples:,}", shards, source.identity[:SHORT])
    return table


def _weights(plan: Plan, pin: WeightsPin | None) -> str:
    """Where the first weights come from, and which they are."""
    if pin is None:
        return "\nweights: drawn from the seed"
    whose = f"of the parent {plan.parent.model}" if plan.parent else "of its own net"
    if pin.sha256 is None:
        return f"\nweights: {whose}, which is not trained yet: there are none at {pin.path}"
    step = f", step {pin.step:,}" if pin.step is not None else ""
    return f"\nweights: {whose}, {pin.path}{step}, sha256 {pin.sha256[:SHORT]}"
