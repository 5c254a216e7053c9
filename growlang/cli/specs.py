"""From paths and options of the command line to checked specs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from growlang.cli.printing import print_findings, print_limit
from growlang.diagnostics import GrowlangError

if TYPE_CHECKING:
    from growlang.checking import Checked


ENDINGS = (".grow", ".grow.yaml")
"""How the names of specs end."""


def spec_files(paths: Sequence[Path]) -> list[Path]:
    """The files of the command line, and the specs in its folders.

    Hidden folders, such as `.git` and `.venv`, are left out. Raises GrowlangError if a path does
    not exist or a folder holds no such file.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for e in ENDINGS for p in path.rglob(f"*{e}") if not _hidden(p, path))
            if not inside:
                raise GrowlangError(f"{path}: no *.grow or *.grow.yaml files in this folder")
            files += inside
        elif path.exists():
            files.append(path)
        else:
            raise GrowlangError(f"{path}: no such file or folder")
    return list(dict.fromkeys(files))


def _hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts[:-1])


def checked_spec(
    spec: Path, settings: Sequence[str] | None = None, quiet: Sequence[str] = ()
) -> "Checked":
    """The checked spec; prints the findings, exits 1 where one is an error.

    `quiet` are codes of warnings that do not matter to the command.
    """
    return _checked(spec, dict(pair(s) for s in settings or []), quiet)


def checked_variants(
    spec: Path, settings: Sequence[str] | None = None
) -> "list[tuple[str, Checked]]":
    """The checked spec for each choice of the values that lists of `--set` give, with its mark.

    All are checked before anything is done with one. Without a list there is one, without a mark.
    """
    from growlang.cli.sweeping import variants

    several = variants([pair(s) for s in settings or []])
    return [(variant.mark, _checked(spec, variant.params)) for variant in several]


def _checked(spec: Path, params: Mapping[str, str], quiet: Sequence[str] = ()) -> "Checked":
    from growlang.checking import check as check_file

    report = check_file(spec, params)
    shown = [found for found in report.diagnostics if found.code not in quiet]
    if shown:
        from growlang.checking import errors

        print_findings(shown, report.texts, err=True)
        if report.full:
            print_limit(spec)
        if errors(shown):
            raise typer.Exit(1)
    return report.require(spec)


def pair(text: str) -> tuple[str, str]:
    """Name and value of a `--set`. Raises GrowlangError if there is no `=`."""
    name, sign, value = text.partition("=")
    if not sign:
        raise GrowlangError(f"`--set {text}` has no `=`", help="write `--set name=value`")
    return name.strip(), value.strip()
