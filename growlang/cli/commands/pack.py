"""`pack`: a folder of images as tar shards."""

import gc
from pathlib import Path
from typing import Annotated

import typer

from growlang.diagnostics import GrowlangError


def pack(
    folder: Annotated[Path, typer.Argument(help="Images, in folders or not.", show_default=False)],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            help="Shards to write: where the first number goes.",
            metavar="TAR",
        ),
    ] = "shards/{000000..}.tar",
    captions: Annotated[
        str | None,
        typer.Option(
            help="Table of captions (CSV, TSV, JSONL, Parquet), or the ending of files beside the "
            "images, or none; by default metadata.*, or else .txt files.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    caption: Annotated[
        str | None,
        typer.Option(
            help="Column of the captions; by default caption, text, prompt or description.",
            metavar="COLUMN",
            show_default=False,
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            help="folder, for the name of the folder that holds an image; or a column; or the "
            "ending of files beside the images; or none. By default the column label, class or "
            "category, or else .cls files.",
            metavar="LABELS",
            show_default=False,
        ),
    ] = None,
    holdout: Annotated[
        str, typer.Option(help="Share of the images that is kept apart.", metavar="SHARE")
    ] = "0%",
    name: Annotated[
        str | None,
        typer.Option(help="Name of the data in the statements printed.", show_default=False),
    ] = None,
    shard_size: Annotated[int, typer.Option(min=1, help="Size of a shard, in MB.")] = 256,
    max_corrupt: Annotated[
        int, typer.Option(min=0, help="Images that may be left out because they are unusable.")
    ] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace shards that exist.")] = False,
) -> None:
    """Pack a folder of images into tar shards.

    Captions and labels are packed with them. What is printed is for the spec that trains on them.
    """
    from growlang.api import preparing

    gc.enable()
    try:
        packed = preparing.pack(
            folder,
            output,
            captions=captions,
            caption=caption,
            label=label,
            holdout=_share(holdout),
            name=name,
            shard_bytes=shard_size * 1_000_000,
            max_corrupt=max_corrupt,
            force=force,
            quiet=False,
        )
    except KeyboardInterrupt:
        typer.echo("stopped; the same command goes on where it was", err=True)
        raise typer.Exit(130) from None
    typer.echo(packed.statements)
    if packed.condition:
        typer.echo(f"\n# in the model:\nlabel = {packed.condition}")


def _share(text: str) -> float:
    """A share such as `5%` or `0.05`. Raises GrowlangError for what is none."""
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise GrowlangError(
            f"--holdout {text} is not a share", help="such as --holdout 5%"
        ) from None
