"""`sample`: images from trained weights."""

import gc
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from growlang.cli.options import DeviceOption, EmaOption, NoEmaOption, chosen_average
from growlang.cli.voices import one_voice
from growlang.diagnostics import GrowlangError


class Precision(StrEnum):
    """What a network computes in."""

    fp32 = "fp32"
    bf16 = "bf16"


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
    sampler: Annotated[
        str | None,
        typer.Option(
            help="Sampler, at its defaults if it is not the spec's: ddim, ddpm, dpm_solver, heun, "
            "euler; or a call as in a spec, such as 'dpm_solver(steps = 20, order = 3)'.",
            show_default=False,
        ),
    ] = None,
    guidance_interval: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="FROM TO",
            help="Times from 0 to 1, which is noise, between which guidance applies.",
            show_default=False,
        ),
    ] = None,
    guidance_rescale: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Share of a guided prediction whose deviation is restored; try 0.7."
        ),
    ] = None,
    detail_scale: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Factor on the detail of a model that retains ends."),
    ] = None,
    detail_temperature: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Factor on the noise that this detail begins with."),
    ] = None,
    number: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Numbers of a condition, all that it reads: score=6.5, or size=512,512; may be "
            "repeated for others.",
            show_default=False,
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(min=0, help="Of text: logits are divided by it; 0 takes the likeliest token."),
    ] = None,
    top_k: Annotated[
        int | None, typer.Option(min=1, help="Of text: draw only among so many likeliest tokens.")
    ] = None,
    length: Annotated[
        int | None, typer.Option(min=1, help="Of text: tokens that continue a prompt.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the noise.")] = 0,
    count: Annotated[
        int,
        typer.Option(
            min=1, help="Images of each prompt, of this seed and those after it; a row of the grid."
        ),
    ] = 1,
    precision: Annotated[
        Precision, typer.Option(help="What the network computes in.")
    ] = Precision.fp32,
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
    ema: EmaOption = "0",
    no_ema: NoEmaOption = False,
    device: DeviceOption = "auto",
) -> None:
    """Sample images or text from a trained model.

    Images are a PNG grid, or single files. Text continues the prompts, and is printed. Of a run
    that is not finished, its newest checkpoint is used. Processes that torchrun starts share the
    images, and the first one writes them.
    """
    from growlang.api import notebook
    from growlang.torch_backend import require_torch

    require_torch()
    gc.enable()
    from growlang_runtime.report.prompts import read_prompts

    written = prompt or []
    if prompts is not None:
        written = [*written, *read_prompts(prompts, "give another file with --prompts")]
    image_options = {
        "guidance": guidance,
        "steps": steps,
        "sampler": sampler,
        "guidance-interval": guidance_interval,
        "guidance-rescale": guidance_rescale,
        "detail-scale": detail_scale,
        "detail-temperature": detail_temperature,
        "number": number,
        "output": output,
        "each": each,
    }
    text_options = {"temperature": temperature, "top-k": top_k, "length": length}
    if _is_of_tokens(run, image_options, text_options):
        with one_voice():
            texts = notebook.generate(
                run,
                written or None,
                temperature=temperature,
                top_k=top_k,
                length=length,
                seed=seed,
                count=count,
                precision=precision.value,
                ema=chosen_average(ema, no_ema),
                device=device,
            )
        typer.echo(str(texts))
        return
    with one_voice():
        drawn = notebook.sample(
            run,
            written or None,
            Path("grid.png") if output is None and each is None else output,
            each=each,
            overwrite=force,
            guidance=guidance,
            steps=steps,
            sampler=sampler,
            guidance_interval=guidance_interval,
            guidance_rescale=guidance_rescale,
            detail_scale=detail_scale,
            detail_temperature=detail_temperature,
            numbers=_numbers(number or ()),
            seed=seed,
            count=count,
            precision=precision.value,
            ema=chosen_average(ema, no_ema),
            device=device,
            shared=True,
        )
    for file in drawn.files:
        typer.echo(file)


def _numbers(written: Sequence[str]) -> dict[str, list[float]]:
    """Numbers by the name of their condition. Raises GrowlangError for what is none."""
    found = dict[str, list[float]]()
    for text in written:
        name, _, values = text.partition("=")
        name = name.strip()
        if name in found:
            raise GrowlangError(
                f"`--number` gives `{name}` twice",
                help=f"write all numbers of a condition in one: `--number {name}=512,512`",
            )
        try:
            found[name] = [float(value) for value in values.split(",")]
        except ValueError:
            raise GrowlangError(
                f"`--number {text}` gives no number",
                help="write the name of a condition and its number, `--number score=6.5`, or "
                "several: `--number size=512,512`",
            ) from None
    return found


def _is_of_tokens(
    run: Path, of_images: Mapping[str, object], of_text: Mapping[str, object]
) -> bool:
    """Whether a run is of a model of tokens. Raises GrowlangError for the other kind's options."""
    from growlang_runtime.language.texts import is_of_tokens
    from growlang_runtime.sample import require_sampled

    require_sampled(run)
    tokens = is_of_tokens(run)
    given = [
        name for name, value in (of_images if tokens else of_text).items() if value is not None
    ]
    if given:
        its, other = ("tokens", "images") if tokens else ("images", "tokens")
        help = "leave it out"
        if tokens:
            help += "; --temperature, --top-k and --length say how text is drawn"
            help += ", and it is printed: write `> texts.txt`" * (given[0] in ("output", "each"))
        raise GrowlangError(
            f"`--{given[0]}` is for models of {other}, and {run} is of a model of {its}", help=help
        )
    return tokens
