"""The arguments and options that several commands have."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


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
