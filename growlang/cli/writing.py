"""`fmt`, `convert`, `show`, `schema` and `lsp`: for those who write specs."""

import gc
import sys
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from growlang.cli.options import SetOption, Spec
from growlang.cli.printing import print_findings, print_json
from growlang.cli.specs import checked_spec, spec_files
from growlang.diagnostics import GrowlangError


class Syntax(StrEnum):
    """The two syntaxes of the language."""

    grow = "grow"
    yaml = "yaml"


def fmt(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Spec files, folders to search for *.grow and *.grow.yaml, or - for stdin; "
            "by default the current folder."
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 if a file would change.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Print the changes as a diff; write nothing.")
    ] = False,
) -> None:
    """Format specs in the canonical layout; comments are kept."""
    from growlang.tools import formatting

    if paths == [Path("-")]:
        results = [formatting.formatted(Path("<stdin>"), sys.stdin.buffer.read())]
    else:
        results = [formatting.formatted(p) for p in spec_files(paths or [Path()])]
    for result in results:
        print_findings(result.diagnostics, result.texts, err=True)
        if diff:
            typer.echo(formatting.diff(result), nl=False)
        elif check and result.changed:
            typer.echo(f"would reformat {result.path}")
        elif not check and result.path.name == "<stdin>":
            typer.echo(result.text or "", nl=False)
        elif not check and result.changed:
            formatting.write(result)
            typer.echo(f"reformatted {result.path}", err=True)
    failed = any(r.diagnostics or (r.changed and (check or diff)) for r in results)
    raise typer.Exit(1 if failed else 0)


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
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise GrowlangError(f"{path} already exists", help="choose another file") from None
    except OSError as error:
        raise GrowlangError(f"cannot write {path}: {error.strerror}") from None


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

        found = checked_spec(spec, settings, quiet=["G214"])
        typer.echo(flat(found.resolved, origin), nl=False)
        return
    from growlang.tools.formatting import formatted

    result = formatted(spec)
    print_findings(result.diagnostics, result.texts, err=True)
    typer.echo(result.text or "", nl=False)
    raise typer.Exit(1 if result.diagnostics else 0)


def schema() -> None:
    """Print the JSON Schema of the YAML syntax."""
    from growlang.yaml.schema import schema as json_schema

    print_json(json_schema())


def lsp() -> None:
    """Serve editors over stdin and stdout (Language Server Protocol)."""
    if find_spec("pygls") is None:
        raise GrowlangError(
            "the language server needs pygls, which is not installed",
            help='pip install "growlang[lsp]"',
        )
    from growlang.lsp.server import server

    gc.freeze()  # what is loaded stays: looking through it would cost each collection 20 ms
    gc.enable()
    server.start_io()
