"""Where the specs under test are, and how a test checks one."""

from __future__ import annotations

from pathlib import Path

from growlang.check import Checked, check
from growlang.diagnostics import Diagnostic

SPECS = Path(__file__).parent / "fixtures" / "specs"
"""Small specs: `core`, its `child` and its `grandchild`; `blocks`; the whole grammar."""
SHIPPED = Path(__file__).parent.parent / "specs"


def checked(path: Path, **params: str) -> Checked:
    """The checked spec; fails the test where there are findings."""
    report = check(path, params)
    assert report.diagnostics == ()
    assert report.checked is not None
    return report.checked


def findings(path: Path, **params: str) -> tuple[Diagnostic, ...]:
    """What is wrong with a spec."""
    return check(path, params).diagnostics


def edited(path: Path, target: Path, *edits: tuple[str, str]) -> Path:
    """A copy of a spec in which each text, found once, is replaced by another."""
    text = path.read_text()
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path.name}"
        text = text.replace(old, new)
    target.write_text(text)
    return target
