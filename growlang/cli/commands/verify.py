"""`verify`: whether a grown spec keeps what its growth promises."""

from pathlib import Path
from typing import Annotated

import typer

from growlang.cli.options import DeviceOption, JsonOption, SetOption
from growlang.cli.printing import print_json
from growlang.cli.specs import checked_spec

Child = Annotated[Path, typer.Argument(help="The spec of a child.", show_default=False)]
ParentCheckpoint = Annotated[
    Path | None,
    typer.Option(
        help="The parent's run, a checkpoint or a file of weights; by default they are random.",
        show_default=False,
    ),
]


def verify(
    child: Child,
    parent_checkpoint: ParentCheckpoint = None,
    real_inputs: Annotated[
        bool,
        typer.Option("--real-inputs", help="Measure on the data of the first recipe too."),
    ] = False,
    data_root: Annotated[
        Path | None,
        typer.Option(
            help="Folder that data is relative to; by default the spec's.", show_default=False
        ),
    ] = None,
    settings: SetOption = None,
    device: DeviceOption = "cpu",
    json: JsonOption = False,
) -> None:
    """Measure what the growth of a child promises."""
    checked = checked_spec(child, settings, quiet=["G460", "G461"])
    from growlang.api import specs

    found = specs.verify(
        checked, parent_checkpoint, real_inputs=real_inputs, data_root=data_root, device=device
    )
    if json:
        print_json(found.as_json())
    else:
        from growlang.cli.console import console

        found.print(console())
    raise typer.Exit(0 if found.holds else 1)
