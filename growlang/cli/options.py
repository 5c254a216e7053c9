"""The arguments and options that several commands have."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from growlang.diagnostics import GrowlangError


class OutputFormat(StrEnum):
    """Format of the findings."""

    text = "text"
    concise = "concise"
    json = "json"
    github = "github"
    sarif = "sarif"


Spec = Annotated[Path, typer.Argument(help="A spec file.", show_default=False)]
RecipeOption = Annotated[
    str | None, typer.Option("--recipe", "-r", help="Recipe to use; by default the first.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Set a param by its name, or any setting by its path: train.RECIPE.optimizer.lr=3e-4.",
    ),
]
DeviceOption = Annotated[
    str, typer.Option(help="PyTorch device: cpu, cuda, cuda:1, ...; auto: CUDA, MPS or the CPU.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
HtmlOption = Annotated[
    Path | None,
    typer.Option("--html", help="Write one HTML page to look at, instead.", show_default=False),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace the page that is there.")]


EmaOption = Annotated[
    str,
    typer.Option(
        "--ema",
        metavar="N",
        help="Which averaged weights, where a run has several: their place in the recipe's list.",
    ),
]
NoEmaOption = Annotated[
    bool, typer.Option("--no-ema", help="The weights that were trained, and no averages.")
]


def chosen_average(ema: str, no_ema: bool) -> bool | int:
    """The weights that `--ema` and `--no-ema` choose: False for those that were trained."""
    if not ema.isdecimal():
        raise GrowlangError(
            f"`--ema {ema}` is no average", help="write its place in the recipe's list, from 0 on"
        )
    return False if no_ema else int(ema) or True
