"""`average`: weights at a width of average that the run did not keep."""

from pathlib import Path
from typing import Annotated

import typer


def average(
    run: Annotated[
        Path,
        typer.Argument(help="A run's folder, or RUN@STEP.", show_default=False),
    ],
    width: Annotated[
        float,
        typer.Option(
            help="Of the average's profile: its standard deviation as a share of the steps, as in "
            "`ema = power(0.1)`.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="The file of weights to write.", show_default=False),
    ],
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier file.")] = False,
) -> None:
    """Average the weights over other steps, after training.

    From the power-function averages in a run's checkpoints those of any other width are put
    together, by least squares (arXiv 2312.02696). Train with `ema = [power(0.05), power(0.1)]`, and
    keep checkpoints: --checkpoint-every and --keep-checkpoints. `sample`, `evaluate` and `export`
    take the file.
    """
    from growlang.api import notebook

    done = notebook.average(run, width, output, force=force)
    typer.echo(done.path)
    for line in done.told:
        typer.echo(line, err=True)
