"""A transfer for people: what it did, and a bar of its bytes meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from growlang.tables.mappings import print_mapping
from growlang.tables.parts import size

if TYPE_CHECKING:
    from growlang.transferring.transfer import Transferred


CARRIED = "`train` takes those from the parent's run: `start = parent`, `moments = carry`"


@contextmanager
def progress() -> Iterator[Callable[[int], Callable[[int], None]]]:
    """Gives what begins a bar of so many bytes on stderr, and what moves it; none elsewhere."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("growing"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )

    def begin(total: int) -> Callable[[int], None]:
        task = bar.add_task("", total=total)
        return lambda count: bar.advance(task, count)

    with bar:
        yield begin


def print_transferred(done: Transferred, out: Console) -> None:
    """What became of a parent's tensors in a checkpoint that was grown, and its files."""
    parent = escape(str(done.parent))
    out.print(f"[bold]{done.child_net}[/] grows from {done.parent_net}: {parent}\n")
    print_mapping(done.mapping, out)
    parts = [f"{size(count)} {how}" for how, count in done.bytes.items() if count]
    out.print(f"\nBytes: {', '.join(parts) or 'none'}")
    if done.left:
        parts = [f"{how} ({size(count)})" for how, count in done.left.items()]
        out.print(f"Left out: {', '.join(parts)}; {CARRIED}", markup=False)
    names = [file.name for file in done.files]
    shown = names[0] if len(names) == 1 else f"{len(names) - 1:,} files and {names[-1]}"
    resumed = f"; {done.resumed:,} were there already" if done.resumed else ""
    out.print(f"{done.path}: {shown}{resumed}", markup=False)
