"""`compare`: two runs side by side."""

from pathlib import Path
from typing import Annotated

import typer

from growlang.cli.options import JsonOption
from growlang.cli.printing import print_json

A = Annotated[Path, typer.Argument(help="A run: RUN, RUN@STEP or RUN@best.", show_default=False)]
B = Annotated[Path, typer.Argument(help="Another one.", show_default=False)]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="PNG to write, of their sample grids beside each other."),
]


def compare(a: A, b: B, output: Output = None, json: JsonOption = False) -> None:
    """Show two runs side by side: settings, losses, sample grids."""
    from growlang.api import reports

    found = reports.compare(a, b, output)
    if json:
        print_json(found.as_json())
        return
    from growlang.cli.console import console

    found.print(console())
