"""The fixes of `check`: made, or shown as a diff."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from growlang.diagnostics import GrowlangError

if TYPE_CHECKING:
    from growlang.tools.fix import Fixed


def show_fixes(files: Sequence[Path], unsafe: bool) -> int:
    """Print what the fixes would change; the exit status: 1 if there is something to fix."""
    from growlang.checking import check as check_file
    from growlang.checking import errors
    from growlang.tools.fix import fix

    fixed = fix(files, unsafe=unsafe)
    for one in fixed:
        typer.echo(one.diff(), nl=False)
    made = sum(len(one.made) for one in fixed)
    typer.echo(f"{_fixes(made)} would be applied; nothing was written", err=True)
    _name_unsafe(fixed)
    broken = any(errors(check_file(path).diagnostics) for path in files)
    return 1 if made or broken else 0


def make_fixes(files: Sequence[Path], asked: bool, unsafe: bool) -> None:
    """Make the fixes and say which; those that change meaning are shown as a diff.

    Raises GrowlangError for `unsafe` without `asked`.
    """
    from growlang.tools.fix import fix, write

    if not asked:
        help = "add --diff to see the fixes, or --fix to apply them"
        raise GrowlangError("--unsafe-fixes needs --diff or --fix", help=help)
    fixed = fix(files, unsafe=unsafe)
    for one in fixed:
        if not one.made:
            continue
        write(one)
        for edit in one.made:
            kind = "" if edit.safe else " (unsafe)"
            typer.echo(f"fixed {edit.span}: `{edit.old}` -> `{edit.text}`{kind}", err=True)
        if not all(edit.safe for edit in one.made):
            typer.echo(one.diff(), nl=False, err=True)
    _name_unsafe(fixed)


def _name_unsafe(fixed: Sequence["Fixed"]) -> None:
    """Say how many fixes are not applied because they change meaning, and how to see them."""
    left = sum(len(one.unsafe) for one in fixed)
    if left:
        what = "1 more fix changes" if left == 1 else f"{left} more fixes change"
        typer.echo(f"{what} the meaning: show with --unsafe-fixes --diff", err=True)


def _fixes(count: int) -> str:
    return f"{count} fix" + "es" * (count != 1)
