"""`runs`: the runs in a folder."""

from pathlib import Path
from typing import Annotated

import typer

from growlang.cli.options import JsonOption
from growlang.cli.printing import print_json

Folder = Annotated[Path, typer.Argument(metavar="[DIR]", help="The folder that runs are in.")]


def runs(folder: Folder = Path("runs"), json: JsonOption = False) -> None:
    """List runs: how far each came, its losses and its state."""
    from growlang import api

    found = api.runs(folder)
    if json:
        print_json(found.as_json())
        return
    from growlang.cli.console import console

    found.print(console())
