from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from growlang.check import check
from growlang.cli import app
from growlang.fix import edited, fix

ERRORS = Path(__file__).parent / "fixtures" / "errors"
MENDED = Path(__file__).parent / "fixtures" / "mended"
SAFE = (
    "g003_capitals",
    "g101_unknown_choice",
    "g106_unknown_op",
    "g107_unknown_option",
    "g203_unknown_argument",
)


def broken(name: str, folder: Path) -> Path:
    """A copy of a fixture that may be written."""
    path = folder / f"{name}.grow"
    path.write_bytes((ERRORS / path.name).read_bytes())
    return path


@pytest.mark.parametrize("name", SAFE)
def test_a_safe_edit_makes_the_mended_spec(name: str, tmp_path: Path) -> None:
    path = broken(name, tmp_path)
    assert fix([path])
    assert path.read_text() == (MENDED / path.name).read_text()
    assert check(path).diagnostics == ()


@pytest.mark.parametrize(
    "name", ["g207_heads", "g102_twice", "g001_missing_brace", "g101_unknown_param"]
)
def test_what_is_not_sure_is_left(name: str, tmp_path: Path) -> None:
    path = broken(name, tmp_path)
    before = path.read_bytes()
    assert fix([path]) == []
    assert path.read_bytes() == before


def test_a_file_that_would_not_parse_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.grow"
    path.write_text("grow 1\nparam a = True\nparam b 3\n")
    assert fix([path]) == []
    assert "True" in path.read_text()


def test_line_ends_mode_and_the_link_stay(tmp_path: Path) -> None:
    path = broken("g203_unknown_argument", tmp_path)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    path.chmod(0o640)
    link = tmp_path / "link.grow"
    link.symlink_to(path)
    assert len(fix([link])) == 1
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    expected = (MENDED / path.name).read_bytes().replace(b"\n", b"\r\n")
    assert path.read_bytes() == expected
    assert sorted(os.listdir(tmp_path)) == ["g203_unknown_argument.grow", "link.grow"]


def test_a_parent_that_was_not_named_is_not_touched(tmp_path: Path) -> None:
    parent = broken("g203_unknown_argument", tmp_path)
    child = tmp_path / "child.grow"
    child.write_text(f'grow 1\nmodel child grows "{parent.name}" {{\n  keep core\n}}\n')
    before = parent.read_bytes()
    assert fix([child]) == []
    assert parent.read_bytes() == before


def test_edits_are_made_from_the_end_on() -> None:
    findings = check(ERRORS / "five_mistakes.grow").diagnostics
    text = edited(
        (ERRORS / "five_mistakes.grow").read_text(), [e for item in findings for e in item.edits]
    )
    assert "vocabulary = 100" in text
    assert "| residual(width)" in text


def test_the_command_says_what_is_fixed_and_what_is_left(tmp_path: Path) -> None:
    path = broken("five_mistakes", tmp_path)
    done = CliRunner().invoke(app, ["check", "--fix", str(path), "--output-format", "concise"])
    assert done.exit_code == 1
    assert done.stderr.count("fixed ") == 2
    assert [line.split("[")[1][:4] for line in done.stdout.splitlines()] == ["G207", "G201", "G402"]
