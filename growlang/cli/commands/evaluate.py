"""`evaluate`: metrics of trained weights, with floors and protocols."""

import gc
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from growlang.cli.options import DeviceOption, EmaOption, JsonOption, NoEmaOption, chosen_average
from growlang.cli.printing import print_json


class ReferenceChoice(StrEnum):
    """Which real images are the reference."""

    training = "training"
    held_out = "held_out"


Runs = Annotated[
    list[Path],
    typer.Argument(help="Runs, finished or not: RUN, RUN@STEP or RUN@best.", show_default=False),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        "-m",
        help="A metric as a spec writes it, such as fid or 'kid(subset_size = 50)'; may be "
        "repeated. By default those of the spec.",
    ),
]


def evaluate(
    run: Runs,
    metric: Metrics = None,
    spec: Annotated[
        Path | None,
        typer.Option(
            help="A spec file whose `evaluate` is used, instead of the one that the run was "
            "trained with.",
            show_default=False,
        ),
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help="Images to generate; by default the spec's.")
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="A file of prompts, one per line.", show_default=False)
    ] = None,
    reference: Annotated[
        ReferenceChoice | None, typer.Option(help="The real images; by default the spec's.")
    ] = None,
    guidance: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER,...",
            help="Guidance scales; with several, each is a line of the table.",
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Sampler steps; by default the spec's.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of the images; by default the spec's.")
    ] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "--output",
            "-o",
            help="A table (.csv, .json) or a picture (.svg) of all lines; may be repeated. With "
            "several lines, by default evaluation.csv and evaluation.svg.",
            show_default=False,
        ),
    ] = None,
    ema: EmaOption = "0",
    no_ema: NoEmaOption = False,
    batch: Annotated[int, typer.Option(min=1, help="Images that are computed at once.")] = 16,
    data_root: Annotated[
        Path | None,
        typer.Option(
            help="Folder that data, prompts and weights of metrics are relative to; by default "
            "the spec's.",
            show_default=False,
        ),
    ] = None,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Measure what runs draw: distances, scores, the held-out loss.

    By default what the spec's `evaluate` says. Each value has its floor, the same between real
    images, and its protocol; both are written into the run's folder, `evaluation/`. An evaluation
    that is interrupted goes on when it is started again.
    """
    from growlang.api.evaluating import evaluate as measure
    from growlang.torch_backend import require_torch

    require_torch()
    gc.enable()
    found = measure(
        run,
        metric,
        spec=spec,
        output=output if output is not None else _usual(run, guidance),
        prompts=prompts,
        count=count,
        reference=cast("Literal['training', 'held_out'] | None", reference and reference.value),
        guidance=_numbers(guidance),
        steps=steps,
        seed=seed,
        ema=chosen_average(ema, no_ema),
        data_root=data_root,
        device=device,
        batch=batch,
    )
    if json:
        print_json(found.as_json())
        return
    from growlang.cli.console import console

    found.print(console())


def _usual(runs: list[Path], guidance: str | None) -> list[Path]:
    """The files of several lines, where none are named."""
    several = runs[1:] or "," in (guidance or "")
    return [Path("evaluation.csv"), Path("evaluation.svg")] if several else []


def _numbers(text: str | None) -> list[float]:
    """The numbers between the commas. Raises typer.BadParameter for anything else."""
    try:
        return [float(part) for part in text.split(",")] if text else []
    except ValueError as error:
        raise typer.BadParameter(
            f"`{text}` is no list of numbers such as 1,2,4", param_hint="--guidance"
        ) from error
