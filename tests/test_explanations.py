from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from growlang.checking import check
from growlang.cli import app
from growlang.diagnostics import GrowlangError
from growlang.diagnostics.codes import CODES, FAMILIES
from growlang.diagnostics.explanations import explanation, listing

ROOT = Path(__file__).parent.parent
MENDED = sorted((ROOT / "tests" / "fixtures" / "mended").glob("*.grow"))
AGAINST = sorted((ROOT / "tests" / "fixtures" / "against").iterdir())
BROKEN = sorted((ROOT / "tests" / "fixtures" / "errors").glob("g*.grow"))


def test_every_mistake_has_its_mend() -> None:
    assert [p.name for p in MENDED if p.name[0] != "_"] == [p.name for p in BROKEN]


def test_what_the_mended_specs_import_is_the_same() -> None:
    for path in MENDED:
        if path.name[0] == "_":
            assert path.read_bytes() == (BROKEN[0].parent / path.name).read_bytes(), path.name


@pytest.mark.parametrize("path", MENDED, ids=lambda p: p.stem)
def test_a_mended_spec_is_clean(path: Path) -> None:
    assert check(path).diagnostics == ()


@pytest.mark.parametrize("case", AGAINST, ids=lambda p: p.name)
def test_a_way_out_of_a_change_is_clean(case: Path, tmp_path: Path) -> None:
    before = (case / "before.grow").read_text("utf-8")
    (tmp_path / "core.grow").write_text(before, "utf-8")
    mend = (ROOT / "tests/fixtures/mended/against" / f"{case.name}.grow").read_text("utf-8")
    child = tmp_path / "child.grow"
    child.write_text(mend, "utf-8")
    assert check(child).diagnostics == ()
    assert mend == before or 'grows "core.grow"' in mend


@pytest.mark.parametrize("code", [code for code in CODES if code != "G901"])
def test_every_code_has_a_page_with_cause_and_example(code: str) -> None:
    page = explanation(code)
    entry = CODES[code]
    assert page.startswith(f"# {code}: {entry.name}")
    assert entry.cause and entry.cause in page
    assert f"{entry.severity}[{code}]" in page
    assert "```diff" in page or code == "G450"  # a command mends it, and no edit


def test_generated_pages_are_up_to_date() -> None:
    command = [sys.executable, "docs/generate.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), "run `make docs`"


def test_the_list_has_every_code_in_its_family() -> None:
    shown = listing()
    assert all(code in shown for code in CODES)
    assert {code[:2] for code in CODES} <= set(FAMILIES)


def test_a_code_is_found_by_its_name() -> None:
    assert explanation("unknown-argument") == explanation("g203")
    with pytest.raises(GrowlangError, match="unknown code"):
        explanation("G999")


def test_the_command_prints_list_and_page() -> None:
    assert "unknown-argument" in CliRunner().invoke(app, ["explain"]).stdout
    assert "haeds" in CliRunner().invoke(app, ["explain", "G203"]).stdout
