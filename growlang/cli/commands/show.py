"""`show`: a spec in the canonical layout, or resolved."""

from typing import Annotated

import typer

from growlang.cli.options import SetOption, Spec
from growlang.cli.printing import print_findings
from growlang.cli.specs import checked_spec


def show(
    spec: Spec,
    resolved: Annotated[
        bool,
        typer.Option("--resolved", help="Resolve every value: literals only, nothing inherited."),
    ] = False,
    origin: Annotated[
        bool, typer.Option("--origin", help="Add the file and line that each value comes from.")
    ] = False,
    settings: SetOption = None,
) -> None:
    """Print a spec in the canonical layout, or resolved (in Grow)."""
    if resolved or origin:
        from growlang.tools.show import show as flat

        found = checked_spec(spec, settings, quiet=["G460", "G461"])
        typer.echo(flat(found.resolved, origin), nl=False)
        return
    from growlang.tools.formatting import formatted

    result = formatted(spec)
    print_findings(result.diagnostics, result.texts, err=True)
    typer.echo(result.text or "", nl=False)
    raise typer.Exit(1 if result.diagnostics else 0)
