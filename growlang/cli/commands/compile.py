"""`compile`: what a net is, and what its training costs."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from growlang.cli.options import JsonOption, RecipeOption, SetOption, Spec
from growlang.cli.printing import print_findings, print_json
from growlang.cli.specs import checked_spec

if TYPE_CHECKING:
    from growlang.compiling import Compiled
    from growlang.torch_backend.lower import LoweredNet


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
    build: Annotated[
        bool,
        typer.Option(
            help="Build the PyTorch graph, on the meta device, and compare it with the net."
        ),
    ] = True,
) -> None:
    """Print a model's parameters, FLOPs, memory and phases."""
    from growlang.compiling import compiled

    found = compiled(checked_spec(spec, settings, quiet=["G460", "G461"]), recipe)
    if found.recipe and (misfits := found.spec.misfits(found.recipe)):
        print_findings(misfits, found.spec.texts, err=True)
    module = _built(found) if build or emit else None
    if emit and module is not None:
        typer.echo(module.code.strip())
    elif json:
        print_json(found.as_json())
    else:
        from growlang.cli.console import console

        out = console()
        found.print(out)
        if module is not None:
            count = sum(1 for _ in module.parameters())
            out.print(f"\nPyTorch graph built: {count:,} parameter tensors, as in the net")


def _built(found: "Compiled") -> "LoweredNet":
    from growlang.torch_backend import require_torch

    require_torch()
    return found.module("meta")
