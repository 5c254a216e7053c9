"""`import`: weights of other libraries as those of a spec."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from growlang.cli.options import SetOption


class Library(StrEnum):
    """Whose weights are read."""

    hf = "hf"


def import_(
    library: Annotated[
        Library, typer.Argument(help="Whose weights: hf, of transformers.", show_default=False)
    ],
    folder: Annotated[
        Path,
        typer.Argument(
            help="A folder with a config.json and safetensors files, such as `save_pretrained` "
            "writes.",
            show_default=False,
        ),
    ],
    spec: Annotated[
        Path, typer.Option("--as", help="The spec that says the same model.", show_default=False)
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="The file of weights to write.", show_default=False),
    ],
    settings: SetOption = None,
    table: Annotated[
        Path | None,
        typer.Option(
            help="A table of names of your own, in YAML, where growlang has none for the model.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier file.")] = False,
) -> None:
    """Read what another library saved as the weights of a spec.

    Every tensor of the folder and of the spec is accounted for, and every setting of config.json
    is held to the spec: what differs is refused, and nothing is written. There is no network.
    """
    from growlang.cli.specs import checked_spec
    from growlang.interop.importing import import_hf

    checked = checked_spec(spec, settings)
    done = import_hf(folder, checked, output, table=table, force=force)
    typer.echo(done.path)
    for line in done.told:
        typer.echo(line, err=True)
