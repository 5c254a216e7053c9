"""What goes to standard output and standard error."""

import os
import sys
from collections.abc import Mapping, Sequence
from json import dumps
from pathlib import Path
from typing import Any

import typer

from growlang.cli.options import OutputFormat
from growlang.diagnostics import LIMIT, Diagnostic, GrowlangError

COLOURS = {"error": "red", "warning": "yellow", "place": "blue", "note": "blue", "help": "green"}


def print_json(data: Any) -> None:
    """Print data as indented JSON."""
    typer.echo(dumps(data, indent=2, ensure_ascii=False))


def require_output(html: Path | None, force: bool, printed: bool) -> None:
    """Raise GrowlangError unless a page, if one is asked for, is the one output and has a place."""
    if html is None:
        if force:
            raise GrowlangError("--force replaces a page: it does nothing alone", help="add --html")
        return
    if printed:
        raise GrowlangError("--html is written instead of what is printed", help="leave it out")
    from growlang.pages.document import require_page

    require_page(html, force=force)


def print_page(path: Path, page: str, force: bool) -> None:
    """Write a page, and print where it is."""
    from growlang.pages.document import write_page

    write_page(path, page, force=force)
    typer.echo(path)


def print_findings(
    found: Sequence[Diagnostic],
    texts: Mapping[str, str],
    form: OutputFormat = OutputFormat.text,
    err: bool = False,
) -> None:
    """Print findings; as text they are coloured on a terminal, unless NO_COLOR is set.

    `texts` are the texts of the files by name; `err` prints to standard error.
    """
    from growlang.diagnostics.text import as_json, as_text, plain

    if form is OutputFormat.json:
        print_json(as_json(found))
        return
    if form is not OutputFormat.text:
        from growlang.diagnostics.formats import concise, github, sarif

        if form is OutputFormat.sarif:
            print_json(sarif(found))
        for item in found if form is not OutputFormat.sarif else ():
            typer.echo(github(item) if form is OutputFormat.github else concise(item))
        return
    stream = sys.stderr if err else sys.stdout
    style = _coloured if stream.isatty() and not os.environ.get("NO_COLOR") else plain
    for item in found:
        typer.echo(as_text(item, texts, style) + "\n", file=stream)


def print_limit(name: object) -> None:
    """Say on standard error that a file has more findings than are shown."""
    typer.echo(f"{name}: more than {LIMIT:,} findings; the rest are not shown", err=True)


def print_failure(error: Exception) -> None:
    """Say that growlang or an installed package has failed, and where the traceback is kept.

    It is the package's failure where the traceback runs through it.
    """
    import tempfile
    import traceback

    from growlang.signatures.installed import declaring

    reason = f"{type(error).__name__}: {error}"
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    package = declaring(frame.f_globals.get("__name__", "") for frame in frames)
    if package:
        said = f"error: the installed package {package} has failed: {reason}"
        asked = "please report this to its authors"
    else:
        said = f"error[G901]: growlang itself has failed: {reason}"
        asked = "please report this with the command and the spec"
    typer.echo(said, err=True)
    text = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="growlang-", suffix=".log", delete=False, encoding="utf-8"
        ) as file:
            file.write(f"{' '.join(sys.argv)}\n{text}")
        where = f"the traceback is in {file.name}"
    except OSError:
        where = text
    typer.echo(f"  help: {asked}; {where}", err=True)


def _coloured(text: str, role: str) -> str:
    return typer.style(text, fg=COLOURS[role], bold=role in ("error", "warning"))
