"""Nets as tables: their components, costs and tensors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from growlang.diagnostics.literals import dimensions
from growlang.growth.verdict import Verdict
from growlang.net import Net, Tensor
from growlang.plans.cost import ACTIVATION_BYTES, ComponentCost, PhaseCost
from growlang.tables.parts import short, size, table_of
from growlang.tables.promises import print_verdicts


def print_spec(
    net: Net, out: Console, *, parent: str | None, recipes: dict[str, list[str]]
) -> None:
    """The components of a net, and the phases of each recipe."""
    _print_heading(net, out, parent)
    table = table_of("<component", "<output", "tensors", "parameters")
    for component in net.components:
        tensors = [tensor for node in net.of(component.name) for tensor in node.tensors]
        count = f"{sum(t.parameters for t in tensors):,}"
        shown = count if tensors else without_tensors(net, component.name)
        table.add_row(component.name, str(component.output), f"{len(tensors):,}", shown)
    out.print(table)
    lines = [f"recipe [bold]{recipe}[/]: {', '.join(said)}" for recipe, said in recipes.items()]
    if lines:
        out.print("\n" + "\n".join(lines))


def shown_image(net: Net) -> str:
    """Its image, and where that is latents the image of pixels."""
    return f"{net.image} latents of {net.pixels} images" if net.latent else f"{net.image} image"


def _print_heading(net: Net, out: Console, parent: str | None) -> None:
    lineage = f", grown from {parent}" if parent else ""
    example = f"sequences of {net.result.positions:,} tokens" if net.of_tokens else shown_image(net)
    out.print(f"[bold]{net.name}[/]: {example}, {net.parameters:,} parameters{lineage}\n")


def print_costs(
    net: Net,
    costs: Iterable[ComponentCost],
    out: Console,
    *,
    parent: str | None,
    recipe: str | None,
    phases: Sequence[PhaseCost],
    verdicts: Sequence[Verdict] = (),
    remarks: Sequence[str] = (),
) -> None:
    """The components of a net and the phases of a recipe, with their costs."""
    _print_heading(net, out, parent)
    out.print(_component_table(net, tuple(costs)))
    print_verdicts(verdicts, out)
    if phases:
        out.print(f"\nrecipe [bold]{recipe}[/]")
        out.print(_phase_table(phases))
    if remarks:
        out.print("\n" + "\n".join(remarks))


def _component_table(net: Net, costs: Sequence[ComponentCost]) -> Table:
    unit = "sequence" if net.of_tokens else "image"
    table = table_of(
        "<component",
        "<output",
        "tensors",
        "parameters",
        f"FLOPs / {unit}",
        f"fp32 activations / {unit}",
    )
    for cost in costs:
        table.add_row(*_component_row(cost, net))
    table.add_section()
    total = ComponentCost(
        "total",
        net.result,
        sum(c.tensors for c in costs),
        sum(c.parameters for c in costs),
        sum(c.flops for c in costs),
        sum(c.saved for c in costs),
    )
    table.add_row(*_component_row(total, net), style="bold")
    return table


def _component_row(cost: ComponentCost, net: Net) -> list[str]:
    return [
        cost.name,
        str(cost.output),
        f"{cost.tensors:,}",
        f"{cost.parameters:,}" if cost.tensors else without_tensors(net, cost.name),
        short(cost.flops),
        size(cost.saved * ACTIVATION_BYTES),
    ]


def without_tensors(net: Net, component: str) -> str:
    """What a component without tensors is: a condition without nodes is a frozen encoder.

    But for the label that the net predicts.
    """
    frozen = component in net.encoders and not net.of(component)
    predicted = component == net.predicts
    return "predicted" if predicted else "frozen encoder" if frozen else "no parameters"


def _phase_table(costs: Iterable[PhaseCost]) -> Table:
    table = table_of(
        "<phase",
        "<length",
        "batch",
        "trained",
        "frozen",
        "weights",
        "EMA",
        "gradients",
        "moments",
        "state",
    )
    for c in costs:
        length = f"{c.steps:,} steps" if c.steps is not None else f"{c.epochs:g} epochs"
        table.add_row(
            c.name,
            length,
            f"{c.batch:,}",
            f"{c.trainable:,}",
            f"{c.frozen:,}",
            size(c.weights),
            size(c.ema),
            size(c.gradients),
            size(c.moments),
            size(c.state),
        )
    return table


def print_tensors(tensors: Iterable[tuple[Tensor, str]], out: Console) -> None:
    """A line for each tensor and its component."""
    table = table_of("<tensor", "<shape", "parameters", "<component", "<init", "<decay")
    for tensor, component in tensors:
        shape, decay = dimensions(tensor.shape), "yes" if tensor.decay else "no"
        table.add_row(tensor.name, shape, f"{tensor.parameters:,}", component, tensor.init, decay)
    out.print(table)
