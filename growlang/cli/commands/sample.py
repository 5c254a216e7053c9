"""`sample`: images from trained weights."""

import gc
from pathlib import Path
from typing import Annotated

import typer

from growlang.cli.options import DeviceOption
from growlang.diagnostics import GrowlangError


def sample(
    run: Annotated[
        Path, typer.Argument(help="A run folder or a model.safetensors.", show_default=False)
    ],
    prompt: Annotated[
        list[str] | None, typer.Option("--prompt", "-p", help="A prompt; may be repeated.")
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
    output: Annotated[Path, typer.Option("--output", "-o", help="PNG file to write.")] = Path(
        "grid.png"
    ),
    ema: Annotated[bool, typer.Option(help="Use the EMA weights.")] = True,
    device: DeviceOption = "auto",
) -> None:
    """Sample images from a trained model into one PNG grid."""
    from growlang import api
    from growlang.torch_backend import require_torch

    require_torch()
    gc.enable()

    written = [*(prompt or []), *(_lines(prompts) if prompts else [])]
    if not written:
        raise GrowlangError("no prompts given", help='give --prompt "..." or --prompts FILE')
    api.sample(
        run,
        written,
        output,
        guidance=guidance,
        steps=steps,
        detail_scale=detail_scale,
        detail_temperature=detail_temperature,
        seed=seed,
        ema=ema,
        device=device,
    )
    typer.echo(output)


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise GrowlangError(f"cannot read {path}: {error}") from None
    return [line.strip() for line in text.splitlines() if line.strip()]
