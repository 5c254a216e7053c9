"""Costs, tensors and differences as tables for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from growlang.diagnostics.literals import dimensions
from growlang.growth.mapping import CATEGORIES, Category, Entry, Mapping
from growlang.growth.promise import Promise, Standing
from growlang.growth.verdict import Level, Verdict
from growlang.growth.wording import Reason
from growlang.net import ComponentName, Net, Tensor
from growlang.plans.cost import ACTIVATION_BYTES, ComponentCost, PhaseCost

if TYPE_CHECKING:
    from growlang.proposing.proposal import Correspondence
    from growlang.torch_backend.weight_differences import WeightDifference

SIGNS: dict[Category, tuple[str, str]] = {
    "copied": ("=", "green"),
    "moved": (">", "cyan"),
    "retained": ("<", "cyan"),
    "expanded": ("~", "yellow"),
    "initialised": ("+", "blue"),
    "reinitialised": ("±", "magenta"),
    "dropped": ("-", "red"),
}


Grouped = dict[ComponentName, list[Entry]]
"""The entries of each component."""
WIDEST = 500
"""Most characters of a line where there is no terminal."""
LONGEST = 160
"""Most characters of a reason."""


def as_text(show: Callable[[Console], None]) -> str:
    """What a function prints, without colours and as wide as it needs."""
    written = StringIO()
    show(
        Console(
            file=written,
            width=WIDEST,
            highlight=False,
            color_system=None,
            force_terminal=False,
            force_jupyter=False,
        )
    )
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines())


def short(number: float) -> str:
    """A count in three or four digits: 8,043,120,000 is `8.043 B`."""
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.4g} {unit}"
    return f"{number:g}"


def size(count: float) -> str:
    """Bytes in binary units: 1,610,612,736 is `1.5 GiB`."""
    for power, unit in ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")):
        if abs(count) >= 2**power:
            return f"{count / 2**power:.4g} {unit}"
    return f"{count:g} B"


def table_of(*columns: str) -> Table:
    """An empty table; columns whose names begin with `<` are aligned to the left."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        left = column.startswith("<")
        table.add_column(
            column.removeprefix("<"), justify="left" if left else "right", no_wrap=not left
        )
    return table


# --- a spec --------------------------------------------------------------------------------------


def print_spec(
    net: Net, out: Console, *, parent: str | None, recipes: dict[str, list[str]]
) -> None:
    """The components of a net, and the phases of each recipe."""
    _print_heading(net, out, parent)
    table = table_of("<component", "<output", "tensors", "parameters")
    for component in net.components:
        tensors = [tensor for node in net.of(component.name) for tensor in node.tensors]
        count = f"{sum(t.parameters for t in tensors):,}"
        shown = count if tensors else _without_tensors(net, component.name)
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


# --- compile -------------------------------------------------------------------------------------


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
        f"{cost.parameters:,}" if cost.tensors else _without_tensors(net, cost.name),
        short(cost.flops),
        size(cost.saved * ACTIVATION_BYTES),
    ]


def _without_tensors(net: Net, component: str) -> str:
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


# --- diff ----------------------------------------------------------------------------------------


def print_difference(
    a: Net,
    b: Net,
    mapping: Mapping,
    out: Console,
    *,
    related: bool,
    remark: str,
    changes: Iterable[str],
    proposals: Sequence[str],
    verbose: bool,
    correspondence: Sequence[Correspondence] = (),
    narrowed: bool = False,
) -> None:
    """The mapping, a line a component or, if `verbose`, a line a tensor.

    Of a part of a mapping, if it is `narrowed`, components of which it has nothing are left out.
    """
    how = "grows from" if related else "is not declared to grow from"
    out.print(f"[bold]{b.name}[/] {how} [bold]{a.name}[/]\n")
    if remark:
        out.print(f"{remark}\n", markup=False)
    grouped = mapping.by_component(c.name for net in (b, a) for c in net.components)
    moved = {name for name in grouped if not b.of(name) and any(n.tensors for n in a.of(name))}
    grouped = {n: found for n, found in grouped.items() if found or not (narrowed or n in moved)}
    if verbose:
        out.print(_tensor_table(grouped))
    else:
        present = {c.name for c in b.components}
        nets = {name: b if name in present else a for name in grouped}
        empty = {n: _without_tensors(nets[n], n) for n, entries in grouped.items() if not entries}
        out.print(_mapping_table(grouped, empty))
    _print_totals(mapping, out)
    for change in changes:
        out.print(f"[yellow]warning[/]: {change}")
    if correspondence and not narrowed:
        out.print()
        out.print(_pairs_table(correspondence, a.name, b.name))
    if proposals:
        out.print(f"\nTo make {b.name} a child of {a.name}, write:")
        for line in proposals:
            out.print(f"  {line}", markup=False, soft_wrap=True)
    elif not (related or narrowed or remark) and a.net_hash != b.net_hash:
        what = "No statement takes over what" if correspondence else f"Nothing of {a.name}"
        out.print(f"\n{what} corresponds{'' if correspondence else f' to anything of {b.name}'}.")


def _pairs_table(pairs: Sequence[Correspondence], old: str, new: str) -> Table:
    """A line for each place that corresponds."""
    table = table_of(f"<{old}", f"<{new}", "confidence", "<becomes")
    for pair in pairs:
        table.add_row(escape(pair.old), escape(pair.new), f"{pair.confidence:.2f}", pair.outcome)
    return table


def print_mapping(mapping: Mapping, out: Console) -> None:
    """What becomes of the tensors of each component."""
    grouped = mapping.by_component(dict.fromkeys(entry.component for entry in mapping))
    out.print(_mapping_table(grouped, {}))
    _print_totals(mapping, out)


def _print_totals(mapping: Mapping, out: Console) -> None:
    totals = mapping.summary
    parts = [
        f"[{SIGNS[c][1]}]{totals[c][0]:,} {c}[/] ({short(totals[c][1])})"
        for c in CATEGORIES
        if totals[c][0]
    ]
    out.print(f"\nTensors (parameters): {', '.join(parts) or 'none'}")
    print_verdicts(mapping.verdicts, out)


def print_weights(
    a: Net, b: Net, weights: Sequence[WeightDifference], remark: str, out: Console
) -> None:
    """How far the weights of two trainings of one net are apart, a line a component."""
    same = not any(w.differing for w in weights)
    end = "and so are the weights" if same else "the weights are not"
    out.print(f"The nets of [bold]{a.name}[/] and [bold]{b.name}[/] are equal, {end}.\n")
    if remark:
        out.print(f"{remark}\n", markup=False)
    rows = table_of("<component", "tensors", "differing", "|b - a| / |a|", "largest", "<in")
    for w in weights:
        numbers = f"{w.tensors:,}", f"{w.differing:,}", f"{w.relative:.3g}", f"{w.largest:.3g}"
        rows.add_row(w.component, *numbers, w.tensor)
    out.print(rows)


LEVELS: dict[Level, str] = {"exact": "green", "exact to eps": "green", "inexact": "yellow"}


def print_verdicts(verdicts: Sequence[Verdict], out: Console) -> None:
    """What is proved of each component that grows."""
    if not verdicts:
        return
    reasons = any(verdict.reason for verdict in verdicts)
    table = table_of("<grown", "<same function", *(["<why not"] if reasons else []))
    for place, level, reason in verdicts:
        row = [place, f"[{LEVELS[level]}]{level}[/]", f"[dim]{reason}[/]"]
        table.add_row(*row[: len(table.columns)])
    out.print()
    out.print(table)


def _mapping_table(grouped: Grouped, empty: dict[ComponentName, str]) -> Table:
    """A line for each outcome of a component; `empty` says what those without tensors are."""
    table = table_of("< ", "<component", "<outcome", "tensors", "parameters", "<reason")
    for component, entries in grouped.items():
        if not entries:
            table.add_row(" ", component, "no tensors", "0", "0", f"[dim]{empty[component]}[/]")
            continue
        label = str(component)
        for category in CATEGORIES:
            group = [e for e in entries if e.category == category]
            if group:
                sign, colour = SIGNS[category]
                table.add_row(
                    f"[{colour}]{sign}[/]",
                    label,
                    f"[{colour}]{category}[/]",
                    f"{len(group):,}",
                    f"{sum(e.parameters for e in group):,}",
                    f"[dim]{_reasons(group)}[/]",
                )
                label = ""
    return table


def _reasons(entries: Iterable[Entry]) -> str:
    """The reasons of several tensors; those of one kind are the first one and a number."""
    kinds: dict[str, list[Reason]] = {}
    for reason in dict.fromkeys(e.reason for e in entries):
        kinds.setdefault(reason.what, []).append(reason)
    return "; ".join(
        _clipped(str(first)) + (f" and {len(more)} more" if more else "")
        for first, *more in kinds.values()
    )


def _clipped(reason: str) -> str:
    """A reason without the middle of a long path."""
    half = LONGEST // 2
    return reason if len(reason) <= LONGEST else f"{reason[:half]}...{reason[-half:]}"


def _tensor_table(grouped: Grouped) -> Table:
    table = table_of("< ", "<tensor", "<shape", "<outcome", "<from", "<reason")
    for entries in grouped.values():
        for entry in entries:
            table.add_row(*_tensor_row(entry))
    return table


def _tensor_row(entry: Entry) -> list[str]:
    sign, colour = SIGNS[entry.category]
    shape = dimensions(entry.shape)
    return [
        f"[{colour}]{sign}[/]",
        entry.name,
        shape,
        f"[{colour}]{entry.category}[/]",
        entry.source or entry.rule,
        f"[dim]{_clipped(str(entry.reason))}[/]",
    ]


# --- verify --------------------------------------------------------------------------------------


def print_verification(
    child: str,
    parent: str,
    components: Iterable[Standing],
    promises: Sequence[Promise],
    notes: Iterable[str],
    out: Console,
) -> None:
    """The components of a child with their verdicts, and its promises as measured."""
    out.print(f"[bold]{child}[/] grows from [bold]{parent}[/]\n")
    table = table_of("<component", "<verdict", "<reason")
    for component in components:
        table.add_row(component.name, component.verdict, f"[dim]{escape(component.reason)}[/]")
    out.print(table)
    out.print()
    measures = table_of("<promise", "<place", "measured", "limit", "<holds", "<what is measured")
    for p in promises:
        holds = "[green]yes[/]" if p.holds else "[bold red]no[/]"
        numbers = (f"{n:,}" if isinstance(n, int) else f"{n:.1e}" for n in (p.measured, p.limit))
        measures.add_row(p.name, p.place, *numbers, holds, f"[dim]{escape(p.means)}[/]")
    out.print(measures)
    out.print()
    for note in notes:
        out.print(f"[yellow]note[/]: {escape(note)}")
    broken = sum(not p.holds for p in promises)
    end = f"[bold red]{broken} of {len(promises)} promises do not hold[/]"
    out.print(f"{end if broken else f'All {len(promises)} promises hold.'}")
