"""`export`: trained weights as files that others read."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from growlang.cli.options import EmaOption, NoEmaOption, chosen_average


class Form(StrEnum):
    """What is written."""

    diffusers = "diffusers"
    hf = "hf"
    safetensors = "safetensors"


class Dtype(StrEnum):
    """What the weights are stored in."""

    fp32 = "fp32"
    bf16 = "bf16"
    fp16 = "fp16"


def export(
    run: Annotated[
        Path,
        typer.Argument(
            help="A run's folder, finished or not, RUN@STEP, RUN@best, or a file of weights.",
            show_default=False,
        ),
    ],
    to: Annotated[
        Form,
        typer.Option(
            help="A folder that diffusers, or transformers (hf), loads without growlang, or one "
            "file of weights.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="The folder, or the file, to write; beside a file stands its spec.",
            show_default=False,
        ),
    ],
    ema: EmaOption = "0",
    no_ema: NoEmaOption = False,
    dtype: Annotated[Dtype, typer.Option(help="What the weights are stored in.")] = Dtype.fp32,
    sampler: Annotated[
        str | None,
        typer.Option(
            help="Sampler of the pipeline, if it is not to be the spec's: a name, or a call as in "
            "a spec, such as 'ddim(eta = 1)'.",
            show_default=False,
        ),
    ] = None,
    license: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="License in the model card, such as mit.", show_default=False
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            help="For hf: a table of names of your own, in YAML, for a model that growlang has "
            "none of.",
            show_default=False,
        ),
    ] = None,
    like: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="For hf: a folder of the model that the weights came from, whose tokenizer and "
            "further settings are taken along.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export.")] = False,
) -> None:
    """Write a trained model for other libraries, or as plain weights.

    The folder for diffusers has the model's code, weights, scheduler, text encoders, spec, hashes
    and card;
    `DiffusionPipeline.from_pretrained(FOLDER, trust_remote_code=True)` draws the same images.
    That for transformers has config.json and weights under its own names, for models of which
    growlang has a table of names: `AutoModelForCausalLM.from_pretrained(FOLDER)` computes the same.
    """
    from growlang.api import notebook

    done = notebook.export(
        run,
        to.value,
        output,
        ema=chosen_average(ema, no_ema),
        dtype=dtype.value,
        sampler=sampler,
        license=license,
        table=table,
        like=like,
        force=force,
    )
    typer.echo(done.path)
    if to is Form.hf:
        return
    if done.spec is None:
        typer.echo("no spec is beside them: the weights lie in no run that has it", err=True)
    elif to is Form.safetensors:
        typer.echo(done.spec)
