"""What becomes of tensors as tables: mappings, and the differences of nets and of weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from growlang.diagnostics.literals import dimensions
from growlang.growth.mapping import CATEGORIES, Category, Entry, Mapping
from growlang.growth.wording import Reason
from growlang.net import ComponentName, Net
from growlang.tables.nets import without_tensors
from growlang.tables.parts import short, table_of
from growlang.tables.promises import print_verdicts

if TYPE_CHECKING:
    from growlang.proposing.proposal import Correspondence

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
LONGEST = 160
"""Most characters of a reason."""


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
    if not related and a.net_hash == b.net_hash:
        out.print(f"The nets of [bold]{a.name}[/] and [bold]{b.name}[/] are equal.\n")
    else:
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
        empty = {n: without_tensors(nets[n], n) for n, entries in grouped.items() if not entries}
        out.print(_mapping_table(grouped, empty))
    _print_totals(mapping, out)
    for change in changes:
        out.print(f"[yellow]warning[/]: {escape(change)}")
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


def _mapping_table(grouped: Grouped, empty: dict[ComponentName, str]) -> Table:
    """A line for each outcome of a component; `empty` says what those without tensors are."""
    table = table_of("< ", "<component", "<outcome", "tensors", "parameters", "<reason")
    for component, entries in grouped.items():
        if not entries:
            why = f"[dim]{escape(empty[component])}[/]"
            table.add_row(" ", component, "no tensors", "0", "0", why)
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
                    f"[dim]{escape(_reasons(group))}[/]",
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
        escape(entry.source or entry.rule),
        f"[dim]{escape(_clipped(str(entry.reason)))}[/]",
    ]
