"""A text that is read by its changes gives the document and findings of reading all of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from drawing import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from growlang.lsp.reading import reread
from growlang.syntax import document as d
from growlang.syntax.grow import read, read_partly

ROOT = Path(__file__).parent.parent
TEXTS = {
    path.name: path.read_text()
    for path in (
        ROOT / "fixtures" / "specs" / "whole_grammar.grow",
        ROOT / "fixtures" / "fmt" / "comments.grow",
        ROOT.parent / "specs" / "vermeer_1024.grow",
    )
}
WHOLE = TEXTS["whole_grammar.grow"]
LINES = sorted({line for text in TEXTS.values() for line in text.split("\n")})
PIECES = ["", " ", "\n", "{", "}", "#", ",", "3", "a = 1", "} train x {", "\nphase q for 1\n"]


def good(text: str) -> d.Document:
    document = read(text, "f.grow").result
    assert document is not None
    return document


GOOD = {name: good(text) for name, text in TEXTS.items()}


@settings(max_examples=examples(300))
@given(
    name=st.sampled_from(sorted(TEXTS)),
    place=st.floats(0, 1),
    rows=st.integers(0, 3),
    new=st.lists(st.sampled_from(LINES), max_size=3),
)
def test_other_rows(name: str, place: float, rows: int, new: list[str]) -> None:
    lines = TEXTS[name].split("\n")
    at = int(place * len(lines))
    held(name, "\n".join([*lines[:at], *new, *lines[at + rows :]]))


@settings(max_examples=examples(300))
@given(
    name=st.sampled_from(sorted(TEXTS)),
    place=st.floats(0, 1),
    length=st.integers(0, 20),
    new=st.sampled_from(PIECES),
)
def test_other_characters(name: str, place: float, length: int, new: str) -> None:
    text = TEXTS[name]
    at = int(place * len(text))
    held(name, text[:at] + new + text[at + length :])


def held(name: str, text: str) -> d.Document | None:
    """The document by the changes, held against that of the whole text."""
    found = reread(GOOD[name], text)
    if found.result is not None:
        assert found == read_partly(text, "f.grow")
    return found.result


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("param flag = not true", "param flag = true"),
        ("param minus = -model\n", ""),
        ("param minus = -model\n", "param minus = -model\n\nparam a = 1\nblock c() { norm }\n"),
        ("  drop stem\n", "  drop stem, head\n  # gone\n"),
        ("residual(8) | attention\n", "residual(8)\n      | attention\n"),
        ("    data = big\n", "    data = big\n    batch = 8\n"),
        ("  phase last for epochs(2.5)\n", "  phase next for 2\n  phase last for epochs(2.5)\n"),
        ("  moments = carry(new = reset)\n", "\n"),
        ("count = 30k", "count = 3k"),
    ],
)
def test_an_edit_of_statements_needs_no_more(old: str, new: str) -> None:
    text = WHOLE.replace(old, new)
    assert text != WHOLE
    found = held("whole_grammar.grow", text)
    assert found is not None
    assert found.cut is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("param flag = not true", "param flag = not"),
        ("  skips = level", "  skips = "),
        ("    data = big\n", "    data = big\n    batch\n"),
        ("  phase last for epochs(2.5)\n", "  phase last for epochs(\n"),
        ("  moments = carry(new = reset)\n", "  moments = carry\n  momentum carry\n"),
        ("  moments = carry(new = reset)\n", "  phase early for 3\n"),
        ("train other {", "train other"),
    ],
)
def test_a_slip_needs_no_more(old: str, new: str) -> None:
    text = WHOLE.replace(old, new)
    assert text != WHOLE
    found = held("whole_grammar.grow", text)
    assert found is not None
    assert found.cut is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("grow 1", "grow 2"),
        ("  keep  = t5", "}\nmodel other {\n  keep  = t5"),
        ("    data = big\n", "  }\n  phase b for 2 {\n    data = big\n"),
        ("\n}\ntrain other", "\ntrain other"),
        ("  skips = level", "  skips = \N{RIGHT-TO-LEFT OVERRIDE}level"),
    ],
)
def test_other_edits_need_the_whole_text(old: str, new: str) -> None:
    text = WHOLE.replace(old, new)
    assert text != WHOLE
    assert held("whole_grammar.grow", text) is None
