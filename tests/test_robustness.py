"""What no spec should contain: a message each, with bounded work, and never a traceback."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

import pytest
from drawing import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from work import at_most, peak_bytes

from growlang.checking import Report, check
from growlang.diagnostics import GrowlangError
from growlang.resolve.files import SIZE_LIMIT, decoded
from growlang.syntax.fmt import fmt_text
from growlang.syntax.grow import read
from growlang.tools.fix import fix

FIXTURES = Path(__file__).parent / "fixtures"
PARENT = FIXTURES / "errors" / "_parent.grow"
GOOD = PARENT.read_bytes()


def answer(content: bytes, folder: Path, name: str = "spec.grow") -> Report:
    path = folder / name
    path.write_bytes(content)
    return check(path)


def core(pipe: str) -> bytes:
    return f"grow 1 model m {{ image = image(8) stem conv(8) core {pipe} head conv(3) }}".encode()


@pytest.mark.parametrize(
    "content",
    [
        GOOD.replace(b"\n", b"\r\n"),
        GOOD.replace(b"\n", b"\r"),
        b"\xef\xbb\xbf" + GOOD,
        GOOD.replace(b"  ", b"\t"),
        GOOD + "# \u0645\u0631\u062d\u0628\u0627".encode(),
    ],
    ids=["crlf", "cr", "byte order mark", "tabs", "arabic comment"],
)
def test_other_ways_to_write_a_text_are_the_same_spec(content: bytes, tmp_path: Path) -> None:
    report = answer(content, tmp_path)
    assert report.diagnostics == ()
    expected = check(PARENT).checked
    assert report.checked and expected
    assert report.checked.net.net_hash == expected.net.net_hash


@pytest.mark.parametrize(("deep", "codes"), [(99, []), (3000, ["G001"])])
def test_brackets_around_a_value_count_as_nesting(
    deep: int, codes: list[str], tmp_path: Path
) -> None:
    """The tree drops them, but what prints a text keeps them."""
    text = f'grow 1\nparam a = {"(" * deep}1{")" * deep}  # {"(" * 200}\nparam b = "{"(" * 200}"\n'
    report = answer(text.encode(), tmp_path)
    assert [item.code for item in report.diagnostics if item.code != "G108"] == codes
    assert [item.code for item in fmt_text(text, "spec.grow").findings] == codes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GOOD + b"\0", "NUL"),
        (GOOD + b"\xff", "not UTF-8"),
        (GOOD.decode().encode("utf-16"), "not UTF-8"),
        (b" " * (SIZE_LIMIT + 1), "larger than"),
    ],
    ids=["NUL", "invalid", "UTF-16", "large"],
)
def test_what_is_no_text_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(GrowlangError, match=message):
        answer(content, tmp_path)


@pytest.mark.parametrize("mark", "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
@pytest.mark.parametrize("place", [b'"images.tar"', b"width = 64", b"image = image(32)"])
def test_direction_marks_are_refused_wherever_they_hide(
    mark: str, place: bytes, tmp_path: Path
) -> None:
    hidden = place.replace(b"p", b"p" + mark.encode(), 1) + f" # {mark}".encode()
    report = answer(GOOD.replace(place, hidden), tmp_path)
    assert {d.code for d in report.diagnostics} == {"G003"}
    assert all("reading direction" in d.message for d in report.diagnostics)


def lines(form: bytes, count: int) -> bytes:
    return b"".join(form % (i, i) for i in range(count))


WORK = 300
"""Most calls of functions for each byte of a file."""
BOMBS = {
    "parentheses": b"grow 1 param a = " + b"(" * 10_000 + b"1" + b")" * 10_000,
    "open parentheses": b"grow 1 param a = " + b"(" * 20_000,
    "brackets": b"grow 1 param a = " + b"[" * 10_000 + b"]" * 10_000,
    "minus": b"grow 1 param a = " + b"-" * 20_000 + b"1",
    "not": b"grow 1 param a = " + b"not " * 5_000 + b"true",
    "sum": b"grow 1 param a = " + b"1+" * 10_000 + b"1",
    "groups": core("(" * 10_000 + "conv(8)" + ")" * 10_000),
    "digits": b"grow 1 param a = " + b"9" * 20_000,
    "exponent": b"grow 1 param a = 1e999",
    "repeat": core("conv(8) * 1000000000"),
    "repeats": core("((conv(8) * 1000) * 1000) * 1000"),
    "doubling": b"grow 1 param a0 = 1\n"
    + b"\n".join(b"param a%d = a%d + a%d" % (i + 1, i, i) for i in range(3000)),
    "circle": b"grow 1 param a = b param b = a",
    "signs": b"grow 1 " + b"$" * 20_000,
    "quotes": b"grow 1 " + b'"\n' * 10_000,
    "same name": b"grow 1 " + b"param a = 1\n" * 4000,
    "unknown names": GOOD.replace(b"image = ", lines(b"a%d = b%d(1)\n", 1000) + b"image = "),
    "unknown settings": GOOD.replace(b"batch = 8", lines(b"x%d = %d\n", 2000) + b"batch = 8"),
}


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_a_message_with_bounded_work(content: bytes, tmp_path: Path) -> None:
    answer(GOOD, tmp_path)  # makes the parser, once a process
    with at_most(10_000 + WORK * len(content)):
        report = answer(content, tmp_path)
    assert report.diagnostics or b"((1" in content  # parentheses leave nothing in the tree
    assert report.checked is None
    assert all(len(d.message) < 10_000 for d in report.diagnostics)


YAML_BOMBS = {
    "flow": b"params: {a: " + b"[" * 50_000 + b"]" * 50_000 + b"}\n",
    "block": b"params:\n" + b"".join(b" " * i + b"a:\n" for i in range(1, 450)),
    "empty items": b"train:\n" + b"- \n" * 33_000,
    "long key": b"k" * 100_000 + b": 1\n",
    "question marks": b"? " * 50_000,
    "documents": b"--- 1\n" * 16_000,
    "aliases": b"params: {a: &a 1, " + b"".join(b"b%d: *a, " % i for i in range(4000)) + b"}\n",
    "laughs": b"".join(b"a%d: &a%d [*a%d, *a%d]\n" % (i + 1, i + 1, i, i) for i in range(3000)),
    "same key": b"params:\n" + b"  a: 1\n" * 12_000,
    "settings": b"model: {name: m}\ntrain:\n  - recipe: a\n"
    + b"".join(b"    x%d: 1\n" % i for i in range(4000)),
    "names": b"params:\n" + b"".join(b"  a%d: = b%d\n" % (i, i) for i in range(6000)),
    "number": b"params: {a: " + b"9" * 100_000 + b"}\n",
    "tabs": b"params:\n" + b"\ta: 1\n" * 16_000,
    "direction marks": b"params: {a: '" + "\u202e".encode() * 30_000 + b"'}\n",
}


@pytest.mark.parametrize("content", YAML_BOMBS.values(), ids=YAML_BOMBS)
def test_a_bomb_in_yaml_is_a_message_with_bounded_work(content: bytes, tmp_path: Path) -> None:
    with at_most(10_000 + WORK * len(content)):
        report = answer(b"grow: 1\n" + content, tmp_path, "spec.grow.yaml")
    assert report.diagnostics
    assert report.checked is None
    assert all(len(d.message) < 10_000 for d in report.diagnostics)


LARGE = {
    "params": b"".join(b"param a%d = %d  # a comment\n" % (i, i) for i in range(5_000)),
    "slips": b"param a 3\n" * 15_000,
    "unknown settings": GOOD.removeprefix(b"grow 1").replace(
        b"batch = 8", lines(b"a_setting_%d = %d\n", 7_500) + b"batch = 8"
    ),
}


@pytest.mark.parametrize("content", LARGE.values(), ids=LARGE)
def test_memory_is_at_most_a_hundred_times_the_input(content: bytes, tmp_path: Path) -> None:
    answer(GOOD, tmp_path)  # makes the parser, once a process
    content = b"grow 1\n" + content
    assert peak_bytes(lambda: answer(content, tmp_path)) < 100 * len(content)


def child(file: str) -> bytes:
    return f'grow 1\nmodel c grows "{file}" {{\n  keep core\n}}\n'.encode()


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("", "folder"),
        ("folder", "folder"),
        ("pipe", "not a regular file"),
        ("/dev/zero", "not a regular file"),
        ("loop.grow", "circle|Too many levels"),
        ("gone.grow", "No such file"),
        ("x" * 5000, "too long"),
        ("spec.grow/more", "Not a directory"),
    ],
)
def test_a_parent_that_is_no_file_is_a_finding(file: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop.grow").symlink_to("loop.grow")
    (tmp_path / "gone.grow").symlink_to("nowhere.grow")
    (item,) = answer(child(file), tmp_path).diagnostics
    assert item.code == "G103"
    assert any(part in item.message for part in reason.split("|"))


def test_a_parent_through_a_link_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "spec.grow").write_bytes(child("link.grow"))
    (tmp_path / "link.grow").symlink_to("spec.grow")
    (item,) = check(tmp_path / "spec.grow").diagnostics
    assert item.code == "G104"


# --- any bytes -----------------------------------------------------------------------------------

WORDS = [
    *'{}()[]"#|*@=,.-+/<>!%\n ',
    *("model m {\n", "stem ", "core @ 8 ", "head ", "stage @ 16 ", "train {\n", "phase a for 3 "),
    *("param a = ", "data d = ", "keep ", "freeze ", "except ", "encode ", "decode ", "}\n"),
    *("grows ", '"x"', "1", "a", "True", "'", ":", "\t", "\r\n", "\ufeff", "\u202e", "\x00"),
]
FUZZED = settings(
    max_examples=examples(200),
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@FUZZED
@given(st.binary(max_size=200))
def test_any_bytes_are_answered(tmp_path: Path, content: bytes) -> None:
    try:
        answer(content, tmp_path)
    except GrowlangError as error:
        assert "not UTF-8" in error.message or "NUL" in error.message


@FUZZED
@given(st.lists(st.sampled_from(WORDS), max_size=40).map("".join))
def test_a_text_that_does_not_parse_has_findings_with_places(text: str) -> None:
    document, findings, _ = read("grow 1\n" + text, "spec.grow")
    assert (document is None) == bool(findings)
    rows = ("grow 1\n" + text).split("\n")
    for item in findings:
        for span in (item.span, *(note.span for note in item.notes)):
            assert 1 <= span.row <= span.end_row <= len(rows)
            assert 1 <= span.column <= len(rows[span.row - 1]) + 1


@FUZZED
@given(st.lists(st.sampled_from(WORDS), max_size=30).map("".join), st.integers(0, len(GOOD)))
def test_a_fixed_file_parses(tmp_path: Path, text: str, at: int) -> None:
    path = tmp_path / "spec.grow"
    path.write_bytes(GOOD[:at] + text.encode() + GOOD[at:])
    before = path.read_bytes()
    with suppress(GrowlangError):
        (fixed,) = fix([path], unsafe=True)
        assert path.read_bytes() == fixed.before.encode() == before
        if fixed.made:
            after = decoded(fixed.after.encode())
            assert read(after, "spec.grow").result is not None


GROWN = ("growth/wide_u", "growth/kept", "growth/moved", "growth/paper", "retain/middle")
OPS_OF_PIPES = re.compile(r"\b(patch|unpatch|conv|residual|transformer|linear)\(")


@pytest.mark.parametrize("name", GROWN)
def test_an_op_that_is_misspelt_in_a_child_or_its_parent_is_a_finding(
    name: str, tmp_path: Path
) -> None:
    child = FIXTURES / f"{name}.grow"
    written = {path.name: path.read_text() for path in child.parent.glob("*.grow")}
    parent = re.search(r'grows "(.+?)"', written[child.name])
    assert parent
    for file in (child.name, parent[1]):
        for slip in OPS_OF_PIPES.finditer(written[file]):
            for other, text in written.items():
                (tmp_path / other).write_text(text)
            start, end = slip.span(1)
            text = written[file]
            (tmp_path / file).write_text(f"{text[:start]}slipt{text[end:]}")
            found = check(tmp_path / child.name).diagnostics
            assert any("`slipt`" in one.message for one in found)
