from __future__ import annotations

import os
from pathlib import Path

import pytest
from fixture_specs import growlang
from typer.testing import CliRunner

from growlang.checking import check
from growlang.cli import app
from growlang.diagnostics import Edit
from growlang.diagnostics.text import as_json
from growlang.tools.fix import edited, fix, write

ERRORS = Path(__file__).parent / "fixtures" / "errors"
MENDED = Path(__file__).parent / "fixtures" / "mended"
FIX = Path(__file__).parent / "fixtures" / "fix"
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


def mend(*paths: Path, unsafe: bool = False) -> list[Edit]:
    """Make the fixes of files, as the command does; those made."""
    fixed = fix(paths, unsafe=unsafe)
    for one in fixed:
        if one.made:
            write(one)
    return [edit for one in fixed for edit in one.made]


@pytest.mark.parametrize("name", SAFE)
def test_a_safe_edit_makes_the_mended_spec(name: str, tmp_path: Path) -> None:
    path = broken(name, tmp_path)
    assert mend(path)
    assert path.read_text() == (MENDED / path.name).read_text()
    assert check(path).diagnostics == ()


@pytest.mark.parametrize(
    "name", ["g207_heads", "g102_twice", "g001_missing_brace", "g101_unknown_param"]
)
def test_what_is_not_sure_is_left(name: str, tmp_path: Path) -> None:
    path = broken(name, tmp_path)
    before = path.read_bytes()
    assert mend(path) == []
    assert path.read_bytes() == before


def test_a_file_that_would_not_parse_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.grow"
    path.write_text("grow 1\nparam a = True\nparam b 3\n")
    assert mend(path) == []
    assert "True" in path.read_text()


def test_line_ends_mode_and_the_link_stay(tmp_path: Path) -> None:
    path = broken("g203_unknown_argument", tmp_path)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    path.chmod(0o640)
    link = tmp_path / "link.grow"
    link.symlink_to(path)
    assert len(mend(link)) == 1
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
    assert mend(child) == []
    assert parent.read_bytes() == before


YAML = """grow: 1  # mine
model:
  name: small
  image: {image: {size: 16}}
  conditions: {time: {fourier: {width: 16, embd: raw}}}
  stem: [patch: {factor: 4, width: 16}]
  core: {at: 4, pipe: [transfrmer: {heads: 4, "widht": 16}]}
  head: [unpatch: {factor: 4}]
data: {pictures: {webdataset: {urls: a.tar}}}
train:
  - data: pictures
    btach: 8
    transform: [{resize: {size: 16, side: "shrot"}}, {crop: {size: 16, at: rndom}}]
    objective: >-
       = diffusion(prdict
       = v)
    grad_clip: "= min(1, \\x31) + nothing"
    phases: [{name: a, for: 10}]
"""


def test_in_yaml_the_edits_are_made_that_replace_what_stands_there(tmp_path: Path) -> None:
    path = tmp_path / "a.grow.yaml"
    path.write_text(YAML)
    assert [edit.text for edit in mend(path)] == ["embed", "transformer", "batch", "random"]
    expected = YAML
    for old, new in [("embd", "embed"), ("transfrmer", "transformer"), ("btach", "batch")]:
        expected = expected.replace(old, new)
    assert path.read_text() == expected.replace("rndom", "random")
    left = [d for d in check(path).diagnostics if "did you mean" in d.help]
    assert {d.help for d in left} >= {"did you mean `short`?", "did you mean `predict`?"}
    assert all(d.edits == () for d in left)


def test_an_edit_that_would_be_no_yaml_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "a.grow.yaml"
    path.write_text("grow: 1\nparams: {a: = nul, null_: 1}\nmodel: {name: m, stem: [conv: {}]}\n")
    before = path.read_text()
    assert mend(path) == []
    assert path.read_text() == before


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


def test_spelling_is_safe_to_mend(tmp_path: Path) -> None:
    path = tmp_path / "spelling.grow"
    path.write_bytes((FIX / path.name).read_bytes())
    assert all(edit.safe for edit in mend(path))
    assert path.read_text() == (FIX / "spelling.fixed.grow").read_text()
    assert check(path).diagnostics == ()


def test_what_changes_the_meaning_is_never_written_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "meaning.grow"
    path.write_bytes((FIX / path.name).read_bytes())
    before = path.read_bytes()
    (fixed,) = fix([path])
    assert (fixed.made, fixed.diff()) == ((), "")
    unsafe = {edit.old for edit in fixed.unsafe}
    assert unsafe >= {"word", "snr_plus_two", "muonn", "fp16", "inverse_sqr", "epoch"}
    assert unsafe.isdisjoint({"clip", "side"})  # words of ours that belong elsewhere
    assert {edit.old for edit in mend(path, unsafe=True)} == unsafe
    assert path.read_bytes() != before


def test_the_edits_of_programs_say_whether_they_are_safe() -> None:
    found = as_json(check(FIX / "meaning.grow").diagnostics)["diagnostics"]
    kinds = {edit["applicability"] for item in found for edit in item["edits"]}
    assert kinds == {"unsafe"}
    found = as_json(check(FIX / "spelling.grow").diagnostics)["diagnostics"]
    kinds = {edit["applicability"] for item in found for edit in item["edits"]}
    assert kinds == {"safe"}


def test_a_child_is_mended_after_its_parent(tmp_path: Path) -> None:
    parent = broken("g203_unknown_argument", tmp_path)
    child = tmp_path / "child.grow"
    child.write_text(
        f'grow 1\nmodel child grows "{parent.name}" {{\n  keep all\n}}\n'
        'data d = webdataset("d.tar")\ntrain { data = d\n batch = 8\n'
        " start = scratch\n phase a for imagse(8) }\n"
    )
    assert [edit.text for edit in mend(parent, child)] == ["heads", "images"]
    assert check(child).diagnostics == ()


@pytest.mark.parametrize(
    ("options", "status", "written"),
    [
        (["--fix"], 1, False),
        (["--diff"], 1, False),
        (["--diff", "--unsafe-fixes"], 1, False),
        (["--fix", "--diff", "--unsafe-fixes"], 1, False),
        (["--unsafe-fixes"], 2, False),
        (["--fix", "--unsafe-fixes"], 1, True),
    ],
)
def test_unsafe_fixes_are_asked_for_and_shown(
    options: list[str], status: int, written: bool, tmp_path: Path
) -> None:
    path = tmp_path / "meaning.grow"
    path.write_bytes((FIX / path.name).read_bytes())
    before = path.read_bytes()
    done = growlang("check", *options, path)
    assert done.status == status
    assert (path.read_bytes() != before) == written
    shown = "--diff" in options and "--unsafe-fixes" in options
    assert ("+  optimizer   = muon(" in done.out) == shown
    assert ("+  optimizer   = muon(" in done.err) == written
    counted = "more fixes change the meaning: show with --unsafe-fixes --diff" in done.err
    assert counted == ("--unsafe-fixes" not in options)


@pytest.mark.parametrize("command", [("check", "--fix"), ("fmt",)])
def test_a_read_only_file_is_not_replaced(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The permission of its folder would do for it, and that of root."""
    path = tmp_path / "spelling.grow"
    path.write_text((FIX / "spelling.grow").read_text() + "\n\n")
    before = path.read_bytes()
    monkeypatch.setattr("growlang.atomic.os.access", lambda _, mode: mode != os.W_OK)
    done = growlang(*command, path)
    assert (done.status, path.read_bytes()) == (2, before)
    assert f"cannot write {path}: it is read-only" in done.err
    assert list(tmp_path.iterdir()) == [path]
