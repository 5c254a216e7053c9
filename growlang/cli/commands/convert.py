"""`convert`: a spec in the other syntax."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from growlang.cli.options import Spec
from growlang.cli.printing import print_findings
from growlang.diagnostics import GrowlangError


class Syntax(StrEnum):
    """The two syntaxes of the language."""

    grow = "grow"
    yaml = "yaml"


def convert(
    spec: Spec,
    to: Annotated[Syntax, typer.Option(help="The syntax to write.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; by default stdout.")
    ] = None,
    schema: Annotated[
        str | None,
        typer.Option(
            metavar="PATH_OR_URL",
            help="JSON Schema that the YAML file names for editors; by default grow-1.json, "
            "schema/grow-1.json or docs/schema/grow-1.json next to the spec or above it in its "
            "repository, if there is one.",
        ),
    ] = None,
) -> None:
    """Convert a spec to the other syntax, comments included."""
    from growlang.tools.formatting import converted, schema_at, schema_near

    if schema is not None and to is not Syntax.yaml:
        raise GrowlangError(
            "only YAML files name a schema", help="remove --schema, or use --to yaml"
        )
    folder = (output or spec).parent
    named = schema_near(folder) if schema is None else schema_at(schema, folder)
    result = converted(spec, to is Syntax.yaml, named)
    if result.text is None:
        print_findings(result.diagnostics, result.texts, err=True)
        raise typer.Exit(1)
    if output is None:
        typer.echo(result.text, nl=False)
    else:
        _write_new(output, result.text)


def _write_new(path: Path, text: str) -> None:
    """Write a file that must not exist yet."""
    from growlang.atomic import write_text

    if path.is_symlink() or path.exists():
        raise GrowlangError(f"{path} already exists", help="choose another file")
    try:
        write_text(path, text)
    except OSError as error:
        raise GrowlangError(f"cannot write {path}: {error.strerror}") from None
