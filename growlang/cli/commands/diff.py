"""`diff`: what happens to the parameters of a net in another."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from growlang.cli.options import ForceOption, HtmlOption, JsonOption
from growlang.cli.printing import print_json, print_page, require_output
from growlang.cli.specs import checked_spec

if TYPE_CHECKING:
    from growlang.checking import Checked
    from growlang.plans.weights_header import WeightsHeader


def diff(
    a: Annotated[Path, typer.Argument(help="The old spec, run or weights.", show_default=False)],
    b: Annotated[Path, typer.Argument(help="The new spec, run or weights.", show_default=False)],
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="One line per tensor.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="CATEGORY|SELECTOR",
            help="Show these alone: copied, moved, expanded, new, dropped, ..., or components and "
            "places such as stage[16]; may be repeated.",
            show_default=False,
        ),
    ] = None,
    json: JsonOption = False,
    html: HtmlOption = None,
    force: ForceOption = False,
    exit_code: Annotated[
        bool,
        typer.Option("--exit-code", help="Exit 1 when the nets or trained weights differ."),
    ] = False,
) -> None:
    """Print how a net differs from another, and trained weights, too.

    `--html page.html` draws both side by side.
    """
    require_output(html, force, json)
    from growlang.comparing import diff as difference_of

    difference = difference_of(_side(a), _side(b))
    shown = difference.only(*only) if only else difference
    if html:
        print_page(html, shown.html(), force)
    elif json:
        print_json(shown.as_json())
    else:
        from growlang.cli.console import console

        shown.print(console(), verbose)
    same = difference.equal and difference.weights_equal is not False
    raise typer.Exit(1 if exit_code and not same else 0)


def _side(path: Path) -> "Checked | WeightsHeader":
    from growlang.plans.weights_header import are_weights, read

    if "@" in path.name:
        from growlang_runtime.storage.place import located

        path = located(path)
    return read(path) if are_weights(path) else checked_spec(path, quiet=["G460", "G461"])
