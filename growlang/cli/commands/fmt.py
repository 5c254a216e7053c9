"""`fmt`: specs in the canonical layout."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from growlang.cli.printing import print_findings
from growlang.cli.specs import spec_files


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
