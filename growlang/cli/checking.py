"""`check` and `explain`: findings and what they mean."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from growlang.cli.options import OutputFormat
from growlang.cli.printing import print_findings, print_limit
from growlang.cli.specs import spec_files
from growlang.diagnostics import Diagnostic, GrowlangError

if TYPE_CHECKING:
    from growlang.check import Checked
    from growlang.fix import Fixed


def check(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Specs, or folders walked for *.grow and *.grow.yaml.", show_default=False
        ),
    ],
    output_format: Annotated[
        OutputFormat, typer.Option(help="How findings are printed.")
    ] = OutputFormat.text,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="REF",
            help="Refuse changes since this git commit that would orphan trained weights.",
            show_default=False,
        ),
    ] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="First make the safe fixes: spelling and layout.")
    ] = False,
    unsafe_fixes: Annotated[
        bool,
        typer.Option("--unsafe-fixes", help="With --fix or --diff: those that change meaning too."),
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Write nothing; print what the fixes would change.")
    ] = False,
) -> None:
    """Check specs: names, types, shapes, growth and schedules. Exits 1 if there are errors."""
    from growlang.check import check as check_file
    from growlang.check import errors

    files = spec_files(paths)
    if unsafe_fixes and not (fix or diff):
        help = "add --diff to see what they would change, or --fix to make them"
        raise GrowlangError("--unsafe-fixes says which fixes, not what becomes of them", help=help)
    if diff:
        raise typer.Exit(_show_fixes(files, unsafe_fixes))
    if fix:
        _fix(files, unsafe_fixes)
    reports = [check_file(path) for path in files]
    found = list(dict.fromkeys(d for report in reports for d in report.diagnostics))
    texts = {name: text for report in reports for name, text in report.texts.items()}
    if against is not None:
        found += _orphaned([r.checked for r in reports if r.checked], against, texts)
    wrong = errors(found)
    print_findings(found, texts, output_format)
    for path, report in zip(files, reports, strict=True):
        if report.full:
            print_limit(path)
    if output_format in (OutputFormat.text, OutputFormat.concise):
        specs = f"{len(files)} spec" + "s" * (len(files) != 1)
        warned = len(found) - len(wrong)
        count = f"{len(wrong)} error" + "s" * (len(wrong) != 1) if wrong else "no errors"
        count += f", {warned} warning" + "s" * (warned != 1) if warned else ""
        typer.echo(f"{specs} checked, {count}", err=True)
    raise typer.Exit(1 if wrong else 0)


def _show_fixes(files: Sequence[Path], unsafe: bool) -> int:
    """Print what the fixes would change; the exit status: 1 where there is something to mend."""
    from growlang.check import check as check_file
    from growlang.check import errors
    from growlang.fix import fix

    fixed = fix(files, unsafe=unsafe)
    for one in fixed:
        typer.echo(one.diff(), nl=False)
    made = sum(len(one.made) for one in fixed)
    typer.echo(f"{_fixes(made)} would be made; no file is written", err=True)
    _name_unsafe(fixed)
    broken = any(errors(check_file(path).diagnostics) for path in files)
    return 1 if made or broken else 0


def _fix(files: Sequence[Path], unsafe: bool) -> None:
    """Make the fixes and say which; those that change meaning are shown as a diff."""
    from growlang.fix import fix, write

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
    """Say how many fixes are left out because they change meaning, and how to see them."""
    left = sum(len(one.unsafe) for one in fixed)
    if left:
        what = "1 more fix changes" if left == 1 else f"{left} more fixes change"
        typer.echo(f"{what} the meaning: see --unsafe-fixes --diff", err=True)


def _fixes(count: int) -> str:
    return f"{count} fix" + "es" * (count != 1)


def _orphaned(specs: Sequence["Checked"], ref: str, texts: dict[str, str]) -> list[Diagnostic]:
    """What the specs' changes since a commit would orphan; adds the old texts to `texts`."""
    from growlang.against import compare

    found: list[Diagnostic] = []
    for spec in specs:
        comparison = compare(spec, ref, texts)
        found += comparison.diagnostics
        texts |= comparison.texts
        if comparison.skipped:
            typer.echo(f"not compared: {comparison.skipped}", err=True)
    return found


def explain(
    code: Annotated[
        str | None,
        typer.Argument(help="A code, such as G203; without it, a list.", show_default=False),
    ] = None,
) -> None:
    """Explain a code: its cause, an example, the example mended."""
    from growlang.explanations import explanation, listing

    typer.echo(explanation(code).strip() if code else listing())
