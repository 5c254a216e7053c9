"""What tables are made of: columns, counts and sizes, and their form as text."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

from rich.console import Console
from rich.table import Table

WIDEST = 500
"""Most characters of a line where there is no terminal."""


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
