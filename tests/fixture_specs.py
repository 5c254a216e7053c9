"""Where the specs under test are, and how a test checks one."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from growlang.checking import Checked, check, errors
from growlang.diagnostics import Diagnostic

SPECS = Path(__file__).parent / "fixtures" / "specs"
"""Small specs: `core`, its `child` and its `grandchild`; `blocks`; the whole grammar."""
EVALUATE = "evaluate { count = 1k }\n"
SHIPPED = Path(__file__).parent.parent / "specs"


def checked(path: Path, **params: str) -> Checked:
    """The checked spec; fails the test where there are errors."""
    report = check(path, params)
    assert errors(report.diagnostics) == []
    assert report.checked is not None
    return report.checked


def findings(path: Path, **params: str) -> tuple[Diagnostic, ...]:
    """What is wrong with a spec, but that its `evaluate` has too few images."""
    return tuple(d for d in check(path, params).diagnostics if d.code != "G460")


def without_evaluate(path: Path) -> str:
    """The text of the small `core.grow` without its `evaluate`, of which `check` warns."""
    text = path.read_text()
    assert text.count(EVALUATE) == 1
    return text.replace(EVALUATE, "")


def edited(path: Path, target: Path, *edits: tuple[str, str]) -> Path:
    """A copy of a spec in which each text, found once, is replaced by another."""
    text = path.read_text()
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path.name}"
        text = text.replace(old, new)
    target.write_text(text)
    return target


class Run(NamedTuple):
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str


def growlang(*arguments: str | Path) -> Run:
    """Run the command line in this process."""
    from growlang.cli import main

    out, err = io.StringIO(), io.StringIO()
    status = 0
    with (
        patch.object(sys, "argv", ["growlang", *map(str, arguments)]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 0
    return Run(status, out.getvalue(), err.getvalue())


def assert_golden(path: Path, text: str, update: bool) -> None:
    """Hold a text to the one in a file; with `--update`, write the file."""
    if update:
        path.write_text(text)
    assert text == path.read_text()
