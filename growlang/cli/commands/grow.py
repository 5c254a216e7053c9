"""`grow`: a checkpoint of the parent becomes one of the child."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from growlang.cli.options import RecipeOption, SetOption
from growlang.cli.specs import checked_spec


class Dtype(StrEnum):
    """What the weights are stored in."""

    bf16 = "bf16"
    f32 = "f32"
    f16 = "f16"


def grow(
    parent: Annotated[
        Path,
        typer.Argument(
            help="The parent's weights: a .safetensors file, the index of several, a folder with "
            "either, a run, RUN@STEP or RUN@best.",
            show_default=False,
        ),
    ],
    child: Annotated[Path, typer.Argument(help="The child's spec.", show_default=False)],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="The folder to write.", show_default=False),
    ],
    dtype: Annotated[
        Dtype | None,
        typer.Option(
            help="What all weights are stored in; by default as the parent's.", show_default=False
        ),
    ] = None,
    shard_size: Annotated[
        str, typer.Option(metavar="SIZE", help="Most bytes of a file, such as 500MB or 4GiB.")
    ] = "5GB",
    recipe: RecipeOption = None,
    settings: SetOption = None,
    ema: Annotated[bool, typer.Option(help="Of a run's checkpoint, grow the averages.")] = True,
    verify: Annotated[
        bool, typer.Option(help="Hold the parent's tensors to its files' checksums, if any.")
    ] = True,
    checksums: Annotated[
        bool, typer.Option("--checksums", help="Write a checksum of each tensor into the files.")
    ] = False,
) -> None:
    """Write the checkpoint that a child begins with from its parent's.

    Tensors that stay as they are are copied without being loaded, and others made block by block.
    A command that was interrupted goes on where it was when it is started again.
    """
    from growlang.cli.console import console
    from growlang.transferring.printing import progress
    from growlang.transferring.sizes import parsed_size
    from growlang.transferring.transfer import transfer

    most = parsed_size(shard_size)
    checked = checked_spec(child, settings, quiet=["G460", "G461"])
    if "@" in parent.name:
        from growlang_runtime.storage.place import located

        parent = located(parent)
    try:
        with progress() as begin:
            done = transfer(
                parent,
                checked,
                output,
                recipe=recipe,
                dtype=dtype.value if dtype else None,
                shard_size=most,
                ema=ema,
                verify=verify,
                checksums=checksums,
                begin=begin,
            )
    except KeyboardInterrupt:
        typer.echo("stopped; the same command goes on where it was", err=True)
        raise typer.Exit(130) from None
    done.print(console())
