"""`sample`: images from trained weights."""

import gc
from pathlib import Path
from typing import Annotated

import typer

from growlang.cli.options import DeviceOption


def sample(
    run: Annotated[
        Path,
        typer.Argument(
            help="A run's folder, finished or not, RUN@STEP, RUN@best, or a file of weights.",
            show_default=False,
        ),
    ],
    prompt: Annotated[
        list[str] | None,
        typer.Option(
            "--prompt",
            "-p",
            help="A caption or a class; may be repeated. By default the spec's prompts.",
        ),
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="A file of prompts, one per line.", show_default=False)
    ] = None,
    guidance: Annotated[
        float | None, typer.Option(min=0, help="Guidance scale; by default the spec's.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Sampler steps; by default the spec's.")
    ] = None,
    detail_scale: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Factor on the detail of a model that retains ends."),
    ] = None,
    detail_temperature: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Factor on the noise that this detail begins with."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the noise.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="PNG file for a grid; by default grid.png, or none with --each. Where it exists, "
            "a number is added.",
            show_default=False,
        ),
    ] = None,
    each: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder for single images, named by their number and prompt.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files instead of numbering new ones.")
    ] = False,
    ema: Annotated[bool, typer.Option(help="Use the EMA weights.")] = True,
    device: DeviceOption = "auto",
) -> None:
    """Sample images from a trained model: a PNG grid, or single files.

    Of a run that is not finished, its newest checkpoint is used.
    """
    from growlang import notebook
    from growlang.torch_backend import require_torch

    require_torch()
    gc.enable()
    from growlang_runtime.report.prompts import read_prompts

    written = prompt or []
    if prompts is not None:
        written = [*written, *read_prompts(prompts, "give another file with --prompts")]
    drawn = notebook.sample(
        run,
        written or None,
        Path("grid.png") if output is None and each is None else output,
        each=each,
        overwrite=force,
        guidance=guidance,
        steps=steps,
        detail_scale=detail_scale,
        detail_temperature=detail_temperature,
        seed=seed,
        ema=ema,
        device=device,
    )
    for file in drawn.files:
        typer.echo(file)
