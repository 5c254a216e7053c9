"""`explain`: what a code means."""

from typing import Annotated

import typer


def explain(
    code: Annotated[
        str | None,
        typer.Argument(help="A code, such as G203; by default, list all.", show_default=False),
    ] = None,
) -> None:
    """Explain a code: its cause, an example, and the fix."""
    from growlang.diagnostics.explanations import explanation, listing

    typer.echo(explanation(code).strip() if code else listing())
