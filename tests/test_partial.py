from __future__ import annotations

from pathlib import Path

import pytest
from fixture_specs import SHIPPED, SPECS

from growlang.checking import check
from growlang.syntax.grow import read_partly
from growlang.syntax.unparse import unparse

ERRORS = Path(__file__).parent / "fixtures" / "errors"
EXAMPLES = Path(__file__).parent.parent / "examples" / "emoji"
SMALL = [SPECS / f"{name}.grow" for name in ("core", "child", "grandchild", "blocks")]
CLEAN = [*SHIPPED.glob("*.grow"), *EXAMPLES.glob("*.grow"), *SMALL]
BREAKS = {
    "double sign": lambda code: code.replace("=", "= =", 1) if "=" in code else "",
    "unclosed": lambda code: code.replace(")", "", 1) if code.count("(") == 1 else "",
    "capital": lambda code: code.rstrip() + " X" if code.strip() and "{" not in code else "",
    "head": lambda code: code.replace("{", "= {", 1) if code.rstrip().endswith("{") else "",
    "sign": lambda code: code.replace("|", "| |", 1) if "|" in code else "",
}


@pytest.mark.parametrize("path", sorted(CLEAN), ids=lambda p: p.stem)
@pytest.mark.parametrize("kind", BREAKS)
@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_one_broken_statement_raises_no_second_finding(
    path: Path, kind: str, every: int, tmp_path: Path
) -> None:
    """Each line of small specs, and each fourth of others, is broken in turn.

    Nothing else of the file is at fault.
    """
    for other in path.parent.iterdir():
        (tmp_path / other.name).symlink_to(other)
    target = tmp_path / path.name
    lines = path.read_text().split("\n")
    target.unlink()
    for row, line in enumerate(lines):
        code = line.split("#")[0].rstrip()
        broken = BREAKS[kind](code)
        if not broken or row == 0 or (row % every and path not in SMALL):
            continue
        target.write_text("\n".join([*lines[:row], broken, *lines[row + 1 :]]))
        found = check(target).diagnostics
        assert {item.code for item in found} <= {"G001", "G003"}, (broken, found)


def test_a_mistake_of_each_family_in_one_file_is_reported_at_once() -> None:
    found = check(ERRORS / "every_family.grow").diagnostics
    assert [item.code for item in found] == ["G001", "G301", "G203", "G205", "G101", "G201", "G402"]


def test_what_parses_is_the_document_without_the_rest() -> None:
    text = (ERRORS / "eight_slips.grow").read_text()
    document = read_partly(text, "spec.grow").result
    assert document is not None and document.cut is not None
    assert unparse(document) == (ERRORS / "eight_slips.left.txt").read_text()
    assert document.cut.sections == {"param", "model", "data", "train"}
    assert {"width", "haed", "vocabulary"} <= document.cut.names
