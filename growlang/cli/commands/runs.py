"""`runs`: the runs in a folder, or how one of them fares."""

from pathlib import Path
from typing import Annotated

import typer

from growlang.cli.options import JsonOption
from growlang.cli.printing import print_json
from growlang.diagnostics import GrowlangError

Folder = Annotated[
    Path | None,
    typer.Argument(
        metavar="[DIR]", help="The folder that runs are in; by default runs.", show_default=False
    ),
]
Status = Annotated[
    Path | None,
    typer.Option(
        metavar="RUN",
        help="Show how this run fares; the exit code says its state.",
        show_default=False,
    ),
]


def runs(folder: Folder = None, status: Status = None, json: JsonOption = False) -> None:
    """List runs: how far each came, its losses and its state."""
    from growlang.api import reports
    from growlang.cli.console import console

    if status is None:
        found = reports.runs(folder or Path("runs"))
        print_json(found.as_json()) if json else found.print(console())
        return
    if folder is not None:
        raise GrowlangError(
            f"`--status {status}` names one run, and `{folder}` a folder of runs",
            help="leave one of them out",
        )
    one = reports.status(status)
    print_json({"format_version": 1, **one.as_json()}) if json else one.print(console())
    raise typer.Exit(one.exit_status)
