"""What is known of a text under edit, and that no text makes a feature fail."""

from __future__ import annotations

import pytest
from drawing import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lsp_texts import (
    BLOCKS,
    CHILD,
    CORE,
    SPECS,
    TIDY,
    YAML,
    analysed,
    checked,
    point,
    project,
    source,
)

from growlang.lsp.analysis import analyse
from growlang.lsp.colours import colours
from growlang.lsp.completion import complete
from growlang.lsp.definition import definition
from growlang.lsp.fixes import fixes
from growlang.lsp.folding import folds
from growlang.lsp.formatting import formatting
from growlang.lsp.hints import hints
from growlang.lsp.hover import hover
from growlang.lsp.references import highlights
from growlang.lsp.symbols import symbols


def test_findings_are_of_the_text_in_the_editor() -> None:
    found = analysed("core.grow", CORE.replace("heads = 2", "heads = 3"))
    assert [d.code for d in found.diagnostics] == ["G207"]
    assert analysed("core.grow", CORE).diagnostics == ()


def test_an_open_parent_is_read_from_the_editor() -> None:
    core, child = (SPECS / "core.grow").resolve(), (SPECS / "child.grow").resolve()
    texts = {core: CORE.replace("heads = 2", "heads = 3"), child: CHILD}
    (found,) = analyse(child, texts).diagnostics
    assert found.message.startswith("in core.grow: 3 heads")
    assert (found.span.row, found.notes[0].span.row) == (3, 13)


def test_what_was_good_stays_known_while_typing() -> None:
    good = analysed("core.grow", CORE)
    broken = analysed("core.grow", CORE.replace("core @ 4", "core @"), good)
    assert broken.diagnostics
    assert broken.checked is good.checked


def test_an_unchanged_parent_is_not_checked_again() -> None:
    core, child = ((SPECS / name).resolve() for name in ("core.grow", "child.grow"))
    before = analyse(child, {core: CORE, child: CHILD})
    after = analyse(child, {core: CORE, child: CHILD.replace("residual(12)", "norm")}, before)
    assert checked(after) is not checked(before)
    assert checked(after).parent is checked(before).parent
    assert core in after.reads


def test_a_parent_that_changed_is_checked_anew() -> None:
    core, child = ((SPECS / name).resolve() for name in ("core.grow", "child.grow"))
    before = analyse(child, {core: CORE, child: CHILD})
    wider = CORE.replace("width = 16", "width = 32")
    after = analyse(child, {core: wider, child: CHILD}, before)
    assert checked(after).net.table["core.position"].shape == (16, 32)


def test_a_parent_with_other_params_is_checked_anew() -> None:
    before = analysed("child.grow", CHILD)
    deeper = CHILD.replace('"core.grow"', '"core.grow" (depth = 3)')
    after = analysed("child.grow", deeper, before)
    assert len(checked(after).net.of("core")) == len(checked(before).net.of("core")) + 1


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_are_those_of_any_system(end: str) -> None:
    found = analysed("core.grow", CORE.replace("heads = 2", "heads = 3").replace("\n", end))
    assert [(d.code, d.span.row) for d in found.diagnostics] == [("G207", 13)]
    assert TIDY is not None
    assert formatting(analysed("core.grow", TIDY.replace("\n", end))) == []


def test_a_failure_of_growlang_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by zero")

    before = analysed("core.grow", CORE)
    monkeypatch.setattr("growlang.lsp.analysis.check", fails)
    after = analysed("core.grow", CORE, before)
    (found,) = after.diagnostics
    assert (found.code, found.message) == (
        "G901",
        "growlang itself has failed: ZeroDivisionError: by zero",
    )
    assert after.checked is before.checked
    assert "Traceback" in caplog.text


def test_findings_in_yaml_stand_where_they_are() -> None:
    text = YAML.replace("heads: 2", "heads: 3")
    (found,) = analysed("core.grow.yaml", text).diagnostics
    row = text.split("\n")[found.span.row - 1]
    assert (found.code, row[found.span.column - 1 : found.span.end_column - 1]) == ("G207", "3")


# --- any text ------------------------------------------------------------------------------------

GOOD = {
    name: (text, analysed(name, text))
    for name, text in (("core.grow", CORE), ("child.grow", CHILD), ("blocks.grow", BLOCKS))
}

PIECES = ["", "(", "{", '"', "[", "=", "é", "\n", ".", "zz", "@", "#", "\0", ": ", "- ", "\t"]


@settings(max_examples=examples(60))
@given(
    name=st.sampled_from(sorted(GOOD)),
    edits=st.lists(
        st.tuples(
            st.floats(0, 1),
            st.integers(0, 12),
            st.sampled_from(PIECES),
        ),
        min_size=1,
        max_size=3,
    ),
    where=st.floats(0, 1),
)
@example(name="blocks.grow", edits=[(0.03125, 0, "\0")], where=0.0)
def test_no_edit_makes_a_feature_fail(
    name: str, edits: list[tuple[float, int, str]], where: float
) -> None:
    text, analysis = GOOD[name]
    for place, length, new in edits:
        at = int(place * len(text))
        text = text[:at] + new + text[at + length :]
        analysis = analysed(name, text, analysis)
    at = int(where * len(text))
    cursor = point(text[:at] + "^" + text[at:])[1]
    complete(project(analysis), analysis, cursor)
    hover(project(analysis), analysis, cursor)
    definition(project(analysis), analysis, cursor)
    fixes(analysis, cursor, cursor)
    formatting(analysis)
    hints(analysis)
    assert analysis.diagnostics == analysed(name, text).diagnostics
    assert "G901" not in {item.code for item in analysis.diagnostics}
    symbols(source(analysis))
    folds(source(analysis))
    colours(project(analysis), source(analysis))
    highlights(project(analysis), analysis.path, cursor)


@settings(max_examples=examples(60))
@given(place=st.floats(0, 1), length=st.integers(0, 12), new=st.sampled_from(PIECES))
def test_no_edit_of_yaml_makes_the_analysis_fail(place: float, length: int, new: str) -> None:
    at = int(place * len(YAML))
    text = YAML[:at] + new + YAML[at + length :]
    analysis = analysed("core.grow.yaml", text, analysed("core.grow.yaml", YAML))
    fresh = analysed("core.grow.yaml", text)
    assert analysis.diagnostics == fresh.diagnostics
    assert "G901" not in {item.code for item in analysis.diagnostics}
