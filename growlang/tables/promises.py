"""What growth promises as tables: what is proved of it, and what is measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape

from growlang.growth.promise import Promise, Standing
from growlang.growth.verdict import Level, Verdict
from growlang.tables.parts import table_of

LEVELS: dict[Level, str] = {"exact": "green", "exact to eps": "green", "inexact": "yellow"}


def print_verdicts(verdicts: Sequence[Verdict], out: Console) -> None:
    """What is proved of each component that grows."""
    if not verdicts:
        return
    reasons = any(verdict.reason for verdict in verdicts)
    table = table_of("<grown", "<same function", *(["<why not"] if reasons else []))
    for place, level, reason in verdicts:
        row = [place, f"[{LEVELS[level]}]{level}[/]", f"[dim]{escape(reason)}[/]"]
        table.add_row(*row[: len(table.columns)])
    out.print()
    out.print(table)


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
