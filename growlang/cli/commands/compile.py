"""`compile`: what a net is, and what its training costs."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from growlang.cli.options import ForceOption, HtmlOption, JsonOption, RecipeOption, SetOption, Spec
from growlang.cli.printing import print_findings, print_json, print_page, require_output
from growlang.cli.specs import checked_spec
from growlang.diagnostics import GrowlangError

if TYPE_CHECKING:
    from growlang.compiling import Compiled
    from growlang.fitting import Memory
    from growlang.torch_backend.lower import LoweredNet


Devices = Annotated[
    int | None,
    typer.Option(min=1, help="Say what each of N GPUs holds in each phase.", show_default=False),
]
DeviceMemory = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="Memory of one GPU, such as 80GB: what does not fit is refused.",
        show_default=False,
    ),
]
MicroBatch = Annotated[
    int | None,
    typer.Option(min=1, help="Images per pass, as for train; with --devices or --memory."),
]
Checkpointing = Annotated[
    bool,
    typer.Option(
        "--activation-checkpointing",
        help="Blocks keep only their inputs, as for train; with --devices or --memory.",
    ),
]


class Emit(StrEnum):
    """What `compile` prints instead of the tables."""

    fx = "fx"


def compile_(
    spec: Spec,
    recipe: RecipeOption = None,
    settings: SetOption = None,
    emit: Annotated[
        Emit | None, typer.Option(help="Print the code of the generated graph.")
    ] = None,
    json: JsonOption = False,
    html: HtmlOption = None,
    force: ForceOption = False,
    build: Annotated[
        bool,
        typer.Option(
            help="Build the PyTorch graph, on the meta device, and compare it with the net."
        ),
    ] = True,
    devices: Devices = None,
    memory: DeviceMemory = None,
    micro_batch: MicroBatch = None,
    activation_checkpointing: Checkpointing = False,
) -> None:
    """Print a model's parameters, FLOPs, memory and phases.

    `--devices 8 --memory 80GB` also says what each of 8 GPUs holds in each phase, and what would
    fit if that does not. `--html page.html` draws the net with its costs and phases.
    """
    require_output(html, force, json or emit is not None)
    from growlang.compiling import compiled

    found = compiled(checked_spec(spec, settings, quiet=["G460", "G461"]), recipe)
    if found.recipe and (misfits := found.spec.misfits(found.recipe)):
        print_findings(misfits, found.spec.texts, err=True)
    held = None
    if devices or memory:
        held = found.memory(
            devices or 1,
            memory,
            micro_batch=micro_batch,
            activation_checkpointing=activation_checkpointing,
        )
    elif micro_batch or activation_checkpointing:
        raise GrowlangError(
            "--micro-batch and --activation-checkpointing change what devices hold, "
            "and do nothing alone",
            help="add --devices 1, or more",
        )
    module = _built(found) if emit or (build and not html) else None
    if html:
        print_page(html, found.html(), force)
        _print_held(held)
    elif emit and module is not None:
        typer.echo(module.code.strip())
    elif json:
        print_json(found.as_json() | ({"memory": held.as_json()} if held else {}))
    else:
        from growlang.cli.console import console

        out = console()
        found.print(out)
        _print_held(held)
        if module is not None:
            count = sum(1 for _ in module.parameters())
            out.print(f"\nPyTorch graph built: {count:,} parameter tensors, as in the net")
    if held and (finding := held.finding):
        print_findings([finding], found.spec.texts, err=True)
        raise typer.Exit(1)


def _print_held(held: "Memory | None") -> None:
    """What devices hold, where that was asked for."""
    from growlang.cli.console import console

    if held:
        out = console()
        out.print()
        held.print(out)


def _built(found: "Compiled") -> "LoweredNet":
    from growlang.torch_backend import require_torch

    require_torch()
    return found.module("meta")
