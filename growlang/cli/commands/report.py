"""`report`: runs as one page."""

from pathlib import Path
from typing import Annotated

import typer

Runs = Annotated[
    list[Path], typer.Argument(help="Runs: RUN, RUN@STEP or RUN@best.", show_default=False)
]
Output = Annotated[Path, typer.Option("--output", "-o", help="HTML file to write.")]


def report(runs: Runs, output: Output = Path("report.html")) -> None:
    """Write one HTML page about runs: curves, samples, time.

    Plan, lineage, evaluations, proofs and environment too. Several runs are overlaid; an older
    report is replaced.
    """
    from growlang.api import reports

    page = reports.report(runs, output)
    typer.echo(page.output)
    if page.remark:
        typer.echo(f"warning: {page.remark}", err=True)
