from __future__ import annotations

from pathlib import Path

import pytest
from drawing import examples
from fixture_specs import SHIPPED
from hypothesis import given, settings
from hypothesis import strategies as st
from work import at_most

from growlang.checking import check, errors
from growlang.diagnostics import Diagnostic, GrowlangError
from growlang.syntax.grow import read


def finding(text: str) -> Diagnostic:
    """The one finding that stands for a text that does not parse."""
    reading = read(text, "spec.grow")
    assert reading.result is None
    (item,) = reading.findings
    return item


def place(item: Diagnostic) -> tuple[int, int]:
    return item.span.row, item.span.column


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ("", "G001", (1, 1)),
        ("model m { }", "G002", (1, 1)),
        ("grow 1\nparam a = 'x'", "G003", (2, 11)),
        ("grow 1\nparam a: 3", "G003", (2, 8)),
        ("grow 1\nparam Width = 3", "G003", (2, 7)),
        ('grow 1\nparam a = "x\nparam b = 3', "G003", (2, 11)),
        ("grow 1\nparam a =\nparam b = 3", "G001", (2, 9)),
        ("grow 1\nmodel m {\n  stem a |\n}", "G001", (3, 10)),
        ("grow 1\nparam a = 3 3", "G001", (2, 13)),
    ],
)
def test_the_place_is_where_the_text_goes_wrong(text: str, code: str, at: tuple[int, int]) -> None:
    item = finding(text)
    assert item.code == code
    assert place(item) == at


def test_an_open_bracket_is_shown_where_it_opens() -> None:
    item = finding('grow 1\nmodel m {\n  stem conv(8, "}" # )\n')
    assert "`(`" in item.message
    (note,) = item.notes
    assert (note.span.row, note.span.column) == (3, 12)


def test_a_missing_value_is_guessed_at_the_sign_that_follows() -> None:
    assert "is a value missing there" in finding("grow 1 param a = param b = 3").help


def test_a_slip_of_a_keyword_gets_the_keyword() -> None:
    assert "did you mean `phase`" in finding("grow 1 train { phse a for 1 }").help
    assert "did you mean `model`" in finding("grow 1 modle m { }").help


@pytest.mark.parametrize(
    "text", ["grow 1 model m { stem", "grow 1 param", "grow 1 data a =", "grow", "grow 1 ]"]
)
def test_no_word_of_the_parser_reaches_the_user(text: str) -> None:
    item = finding(text)
    shown = item.message + item.help
    for terminal in ("LPAR", "RSQB", "NAME", "NUMBER", "$END", "Token", "__ANON"):
        assert terminal not in shown


# --- any text ------------------------------------------------------------------------------------

WORK = 5_000_000
"""Most calls of functions for a text of up to 40 kB."""
TEXTS = [path.read_text() for path in sorted(SHIPPED.glob("*.grow"))]
PIECES = st.one_of(
    st.sampled_from([*'{}()[]"#|*@=,.-+/<>!%\n ', "0", "9", "k", "\\", "é", "\u2028", "\t"]),
    st.sampled_from(["stage @ ", "core ", " * 3", "except ", "row.", "..", "not ", "1e9", "-1"]),
    st.text(max_size=4),
)


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """A shipped spec with a few characters deleted, inserted or replaced."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        length = draw(st.integers(0, 12))
        text = text[:start] + draw(st.one_of(st.just(""), PIECES)) + text[start + length :]
    return text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the shipped specs, so that parents are found."""
    path = tmp_path_factory.mktemp("specs")
    for spec in SHIPPED.glob("*.grow"):
        (path / spec.name).write_text(spec.read_text())
    return path


def assert_sound(text: str, folder: Path) -> None:
    path = folder / "under_test.grow"
    path.write_text(text, encoding="utf-8", newline="")
    try:
        with at_most(WORK):
            report = check(path)
    except GrowlangError:
        return
    assert report.checked is None or not errors(report.diagnostics)
    places = [item.span for item in report.diagnostics]
    assert places == sorted(places)
    for span in [*places, *(n.span for item in report.diagnostics for n in item.notes)]:
        rows = report.texts[span.filename].split("\n")
        assert 1 <= span.row <= span.end_row <= len(rows)
        assert 1 <= span.column <= len(rows[span.row - 1]) + 1
        if span.row == span.end_row:
            assert span.column <= span.end_column


SOUND = settings(max_examples=examples(250), derandomize=True, database=None)


@SOUND
@given(st.text(st.characters(codec="utf-8"), max_size=80), st.booleans())
def test_any_text_is_answered(folder: Path, text: str, begins: bool) -> None:
    assert_sound("grow 1 " + text if begins else text, folder)


@SOUND
@given(mutations())
def test_a_mutated_spec_is_answered(folder: Path, text: str) -> None:
    assert_sound(text, folder)


# What once raised, or never ended.
CORNERS = [
    "param a = min()",
    "param a = [1] * 1000000000000",
    "param a = " + "1M * " * 90 + "1",
    "param a = 1 / 0",
    'param a = "x" < 3',
    "data a = b.where([])",
    'data b = webdataset("x.tar") data a = b.where([])',
    'data b = webdataset("x.tar") data a = b.where(["and"])',
    "data a = mix()",
    " ".join(f"param p{i} = p{i + 1}" for i in range(2000)),
    "model m { image = image(8) stem ((a * 10000) * 10000) * 10000 core b head c }",
    "block a(n) { conv(8) * n } model m { image = image(8) stem a(10000) * 9 core b head c }",
    " ".join(f"block b{i}() {{ b{i + 1}() | b{i + 1}() }}" for i in range(60))
    + " model m { image = image(8) stem b0() core b head c }",
    "model m { image = image(8) stem conv(8) core conv(8) * 9000 head conv(3) }",
    "model m { image = image(8) time = fourier(8) stem conv(8) "
    "core transformer(8, heads = 1) * 9000 head conv(3) } "
    'data d = webdataset("d") train { data = d batch = 1 phase p for 1 { freeze core } }',
]


@pytest.mark.parametrize("text", CORNERS, ids=range(len(CORNERS)))
def test_corners_are_answered_with_bounded_work(folder: Path, text: str) -> None:
    assert_sound("grow 1 " + text, folder)
