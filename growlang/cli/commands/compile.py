"""`compile`: what a net is, and what its training costs."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from growlang.cli.options import JsonOption, RecipeOption, SetOption, Spec
from growlang.cli.printing import print_json
from growlang.cli.specs import checked_spec, require_torch

if TYPE_CHECKING:
    from growlang.checking import Checked


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
    checked = checked_spec(spec, settings, quiet=["G214"])
    lowered = _lower(checked) if build or emit else None
    if emit and lowered is not None:
        typer.echo(lowered.code.strip())
    elif json:
        from growlang.compiling import as_json

        print_json(as_json(checked, recipe))
    else:
        from growlang.cli.tables import console, print_costs

        out = console()
        print_costs(checked, _recipe_name(checked, recipe), out)
        if lowered is not None:
            count = sum(1 for _ in lowered.parameters())
            out.print(f"\nPyTorch graph built: {count:,} parameter tensors, as in the net")


def _recipe_name(checked: "Checked", recipe: str | None) -> str:
    from growlang.planning import recipe_of

    if recipe is None and not checked.resolved.recipes:
        return ""
    return recipe_of(checked, recipe).name


def _lower(checked: "Checked") -> Any:
    require_torch()
    from growlang.torch_backend.lower import lower

    module = lower(checked.net)
    built = {name: tuple(p.shape) for name, p in module.named_parameters()}
    declared = {name: t.shape for name, t in checked.net.table.items()}
    if built != declared:
        names = sorted(set(built.items()) ^ set(declared.items()))
        raise RuntimeError(f"the graph's parameters are not the net's: {names[:4]}")
    return module
