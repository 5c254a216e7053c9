"""Specs under edit, for the tests of the language server: `^` marks a place."""

from __future__ import annotations

from pathlib import Path

from fixture_specs import without_evaluate

from growlang.checking import Checked
from growlang.lsp.analysis import Analysis, Point, analyse
from growlang.lsp.project import Project, Source
from growlang.syntax.fmt import fmt_text
from growlang.syntax.grow import read
from growlang.yaml.convert import to_yaml

SPECS = Path(__file__).parent.parent / "fixtures" / "specs"
CORE = without_evaluate(SPECS / "core.grow")
CHILD = (SPECS / "child.grow").read_text()
BLOCKS = (SPECS / "blocks.grow").read_text()


def in_yaml(text: str) -> str:
    document = read(text, "").result
    assert document is not None
    return to_yaml(document)


YAML = in_yaml(CORE)
TIDY = fmt_text(CORE, "").result


def point(text: str) -> tuple[str, Point]:
    """The text without its mark, and the place of it."""
    before, _, after = text.partition("^")
    return before + after, Point(before.count("\n") + 1, len(before) - before.rfind("\n"))


def analysed(name: str, text: str, before: Analysis | None = None) -> Analysis:
    path = SPECS / name
    return analyse(path, {path.resolve(): text}, before)


def project(analysis: Analysis) -> Project:
    """The folder of the fixtures, with one file open in an editor."""
    return Project((SPECS,), {analysis.path: analysis.text}, analysis.documents)


def source(analysis: Analysis) -> Source:
    found = project(analysis).source(analysis.path)
    assert found is not None
    return found


def checked(analysis: Analysis) -> Checked:
    assert analysis.checked is not None
    return analysis.checked


def typed(name: str, whole: str, old: str, new: str) -> tuple[Analysis, Point]:
    """The analysis after `old` was changed to `new`, and the place of the mark in `new`."""
    assert whole.count(old) == 1
    text, at = point(whole.replace(old, new))
    return analysed(name, text, analysed(name, whole)), at
