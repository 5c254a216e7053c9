"""`check`: the findings of specs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from growlang.cli.fixes import make_fixes, show_fixes
from growlang.cli.options import OutputFormat
from growlang.cli.printing import print_findings, print_limit
from growlang.cli.specs import ENDINGS, spec_files
from growlang.diagnostics import Diagnostic, GrowlangError

if TYPE_CHECKING:
    from growlang.checking import Checked


Paths = Annotated[
    list[Path],
    typer.Argument(
        help="Spec files, or folders to search for *.grow and *.grow.yaml.", show_default=False
    ),
]
Against = Annotated[
    str | None,
    typer.Option(
        metavar="REF",
        help="Refuse changes since this git commit that would orphan trained weights.",
        show_default=False,
    ),
]
Runs = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="With --against: a folder of runs, whose specs must not be deleted.",
        show_default=False,
    ),
]
Fix = Annotated[
    bool, typer.Option("--fix", help="Apply the safe fixes first: spelling and layout.")
]
UnsafeFixes = Annotated[
    bool,
    typer.Option(
        "--unsafe-fixes", help="With --fix or --diff: also fixes that change the meaning."
    ),
]
Diff = Annotated[bool, typer.Option("--diff", help="Print the fixes as a diff; write nothing.")]


def check(
    paths: Paths,
    output_format: Annotated[
        OutputFormat, typer.Option(help="Format of the findings.")
    ] = OutputFormat.text,
    against: Against = None,
    runs: Runs = None,
    fix: Fix = False,
    unsafe_fixes: UnsafeFixes = False,
    diff: Diff = False,
) -> None:
    """Check specs: names, types, shapes, growth and schedules. Exits 1 if there are errors."""
    from growlang.checking import check as check_file
    from growlang.checking import errors
    from growlang.diagnostics.text import counts

    if runs is not None:
        _require_usable(runs, against)
    files = spec_files(paths)
    if diff:
        raise typer.Exit(show_fixes(files, unsafe_fixes))
    if fix or unsafe_fixes:
        make_fixes(files, fix, unsafe_fixes)
    reports = [check_file(path) for path in files]
    found = list(dict.fromkeys(d for report in reports for d in report.diagnostics))
    texts = {name: text for report in reports for name, text in report.texts.items()}
    specs = [r.checked for r in reports if r.checked]
    if len(specs) > 1:
        found += _drifted(specs)
    if against is not None:
        found += _orphaned(specs, against, texts)
        broken = [path for path, r in zip(files, reports, strict=True) if r.checked is None]
        found += _deleted(paths, files[0], against, runs, broken, texts)
    wrong = errors(found)
    print_findings(found, texts, output_format)
    for path, report in zip(files, reports, strict=True):
        if report.full:
            print_limit(path)
    if output_format in (OutputFormat.text, OutputFormat.concise):
        typer.echo(counts(len(files), len(wrong), len(found) - len(wrong)), err=True)
    raise typer.Exit(1 if wrong else 0)


def _drifted(specs: Sequence["Checked"]) -> list[Diagnostic]:
    """Specs that differ from their namesakes in the other syntax."""
    from growlang.tools.drift import drifted

    return list(drifted(specs))


def _orphaned(specs: Sequence["Checked"], ref: str, texts: dict[str, str]) -> list[Diagnostic]:
    """What the specs' changes since a commit would orphan; adds the old texts to `texts`."""
    from growlang.tools.compatibility import compare

    found: list[Diagnostic] = []
    for spec in specs:
        comparison = compare(spec, ref, texts)
        found += comparison.diagnostics
        texts |= comparison.texts
        if comparison.skipped:
            typer.echo(f"not compared: {comparison.skipped}", err=True)
    return found


def _require_usable(runs: Path, against: str | None) -> None:
    """Raise GrowlangError where `--runs` would look at nothing, which finds nothing in silence."""
    if against is None:
        raise GrowlangError("--runs is of use with --against only", help="add --against REF")
    if not runs.is_dir():
        raise GrowlangError(
            f"there is no folder {runs}",
            help="--runs names the output root that `growlang train --out` wrote to",
        )


def _deleted(
    paths: Sequence[Path],
    spec: Path,
    ref: str,
    runs: Path | None,
    broken: Sequence[Path],
    texts: dict[str, str],
) -> list[Diagnostic]:
    """The deleted specs that are still needed; adds their old texts to `texts`."""
    from growlang.tools.deleted import deleted
    from growlang.tools.git import revision

    folders = [path if path.is_dir() else path.parent for path in paths]
    found = list(deleted(revision(spec, ref), folders, ENDINGS, broken, runs))
    for one in found:
        texts |= one.texts
    return [one.finding for one in found]
