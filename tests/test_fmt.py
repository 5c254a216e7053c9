from __future__ import annotations

import re
import stat
from functools import lru_cache
from pathlib import Path
from random import Random

import pytest
from drawing import examples
from fixture_specs import SHIPPED, SPECS, growlang
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from growlang.cli import app
from growlang.syntax import document as d
from growlang.syntax.building import comments
from growlang.syntax.document import without_spans
from growlang.syntax.fmt import fmt_text
from growlang.syntax.grow import read
from growlang.syntax.scan import tokens

FIXTURES = SPECS.parent
EXAMPLES = SHIPPED.parent / "examples"
SHIPPED_FILES = sorted([*SHIPPED.glob("*.grow"), *EXAMPLES.rglob("*.grow")])
FILES = sorted([*SHIPPED_FILES, *FIXTURES.rglob("*.grow")])
ALIKE = {*FIXTURES.glob("errors/**/*.grow"), *FIXTURES.glob("mended/**/*.grow")}
"""Hundreds of short specs, each with one mistake or without it: a tenth of them tells as much."""


def parses(path: Path) -> bool:
    """Whether a spec has no mistake of its syntax, as far as what is expected of it tells."""
    said = path.with_suffix(".txt")
    slips = re.search(r"\[G00\d\]", said.read_text()) if said.exists() else None
    return slips is None and path.stat().st_size > 0


PARSED = [path for path in FILES if parses(path)]


@lru_cache(maxsize=256)
def tree(text: str) -> d.Document | None:
    reading = read(text, "spec.grow")
    return reading.result if reading.is_sound else None


def formatted(text: str) -> str:
    found = fmt_text(text, "spec.grow")
    assert found.findings == ()
    assert found.result is not None
    return found.result


def remarks(text: str) -> list[str]:
    return [c.text.rstrip() for c in comments(text, "spec.grow")]


def holds(text: str) -> str:
    """The formatted text, once everything that a formatter promises was found to hold."""
    after = formatted(text)
    assert formatted(after) == after
    assert without_spans(tree(after)) == without_spans(tree(text))
    assert remarks(after) == remarks(text)
    assert after.endswith("\n")
    assert not any(line != line.rstrip() for line in after.split("\n"))
    return after


def named(paths: list[Path]) -> list[object]:
    return [pytest.param(p, id=f"{p.parent.name}/{p.name}") for p in paths]


def sampled(paths: list[Path]) -> list[object]:
    """All specs, but nine of ten of those that are alike are slow."""
    tenth = {*sorted(ALIKE.intersection(paths))[::10]}
    return [
        pytest.param(
            path,
            id=f"{path.parent.name}/{path.name}",
            marks=[pytest.mark.slow] if path in ALIKE - tenth else [],
        )
        for path in paths
    ]


@pytest.mark.parametrize("path", sampled(PARSED))
def test_a_formatted_file_is_the_same_file_and_stays_as_it_is(path: Path) -> None:
    holds(path.read_text())


@pytest.mark.parametrize("path", named(SHIPPED_FILES))
def test_the_shipped_specs_are_in_the_canonical_layout(path: Path) -> None:
    assert formatted(path.read_text()) == path.read_text()


@pytest.mark.parametrize("path", named(sorted((FIXTURES / "fmt").glob("*.grow"))))
def test_the_layout_is_as_expected(path: Path, request: pytest.FixtureRequest) -> None:
    expected = path.with_suffix(".txt")
    found = formatted(path.read_text())
    if request.config.getoption("--update"):
        expected.write_text(found)
    assert found == expected.read_text()
    assert max(len(line.split("#")[0].rstrip()) for line in found.split("\n")) <= 100


MESSY = [
    (SPECS / "whole_grammar.grow").read_text(),
    (SPECS / "core.grow").read_text(),
    (SPECS / "deeper.grow").read_text(),
    (FIXTURES / "fmt" / "long.grow").read_text(),
]
GAPS = ["", "", "", " ", " ", "\n", "\n\n", "\n\n\n", "\t", "\r\n"]
NOTES = ["# note\n", " # a \n", "\n# b\n", "\n\n#c\n\n", ' # "\n # d\n', "#\n"]


def messed(text: str, share: float, random: Random) -> str:
    """The tokens of a text, a `share` of the spaces between them replaced by anything allowed."""
    words = [t.text for t in tokens(text)][:-1]
    written, before = [], ""
    for word in words:
        gap = random.choice(GAPS + NOTES) if random.random() < share else " "
        letters = before[-1:].isalnum() or before[-1:] in ("_", "%")
        merged = before + word in ("->", "..", "<=", ">=", "==", "!=")
        if not gap and (merged or (letters and (word[0].isalnum() or word[0] in "_."))):
            gap = " "
        written.append(gap + word)
        before = word
    return "".join(written) + random.choice(GAPS + NOTES)


@settings(max_examples=examples(60))
@given(st.sampled_from(MESSY), st.sampled_from([0.02, 0.1, 0.5]), st.integers(0, 2**32))
def test_comments_and_line_ends_may_stand_anywhere(text: str, share: float, seed: int) -> None:
    holds(messed(text, share, Random(seed)))


NAMES = st.sampled_from(["a", "bc", "width", "image.size", "for", "data.core", "min"])
ATOMS = st.one_of(
    NAMES,
    st.integers(0, 10**6).map(str),
    st.sampled_from(["2M", "5%", "1_000", "1e-4", "true", '"a # b"', '"\\"{00..09}\\n"', "[]"]),
)


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    argument = st.one_of(inner, st.tuples(NAMES, inner).map(lambda p: f"{p[0][:1]}={p[1]}"))
    many = st.lists(argument, max_size=5).map(",".join)
    return st.one_of(
        st.tuples(NAMES, many).map(lambda p: f"{p[0]}({p[1]})"),
        many.map(lambda m: f"[{m}]"),
        inner.map(lambda i: f"({i})"),
        inner.map(lambda i: f"(-{i})"),
        inner.map(lambda i: f"(not({i}))"),
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda p: f"({''.join(p)})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join).map("({})".format),
    )


@settings(max_examples=examples(60))
@given(st.recursive(ATOMS, nested, max_leaves=25))
def test_every_expression_keeps_its_meaning(expression: str) -> None:
    holds(f"grow 1 param x={expression} train{{phase one for ({expression})*2}}")


# --- what the layout is --------------------------------------------------------------------------


def body(text: str) -> str:
    return formatted(f"grow 1\n\n{text}\n").removeprefix("grow 1\n\n").removesuffix("\n")


def test_a_body_stays_on_one_line_where_its_author_left_it_there() -> None:
    assert body("sample{steps=1 guidance=2}") == "sample { steps = 1  guidance = 2 }"
    assert body("sample{\nsteps=1 guidance=2}") == "sample {\n  steps    = 1\n  guidance = 2\n}"


def test_unary_and_binary_minus_differ() -> None:
    assert body("param x=a-1- -b") == "param x = a - 1 - -b"


def test_the_places_of_an_init_go_on_below_it() -> None:
    places = [f"core.transformer[{n}].attend.self.out" for n in range(4)]
    text = body(f'model m grows "p.grow" {{ init {",".join(places)}=zero init a,b=like c[0..3] }}')
    assert text.split("\n")[1:-1] == [
        f"  init {places[0]}, {places[1]},",
        f"    {places[2]}, {places[3]} = zero",
        "  init a, b = like c[0..3]",
    ]


def test_a_comma_at_the_end_of_a_list_on_one_line_goes() -> None:
    assert body("param x=[1,2,]") == "param x = [1, 2]"


def test_line_ends_of_windows_become_plain() -> None:
    assert formatted("grow 1\r\nparam x=1 # c\r\n") == (
        "grow 1\n\nparam x = 1                                   # c\n"
    )


# --- the command ---------------------------------------------------------------------------------

UGLY = "grow 1\nparam   x=1\n"
NEAT = "grow 1\n\nparam x = 1\n"


def run(*arguments: str | Path, stdin: str | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["fmt", *map(str, arguments)], input=stdin)
    return result.exit_code, result.stdout, result.stderr


def test_files_are_written_in_place_with_their_permissions(tmp_path: Path) -> None:
    path = tmp_path / "a.grow"
    path.write_text(UGLY)
    path.chmod(0o640)
    assert run(tmp_path)[0] == 0
    assert path.read_text() == NEAT
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_check_lists_what_would_change_and_writes_nothing(tmp_path: Path) -> None:
    ugly, neat = tmp_path / "ugly.grow", tmp_path / "neat.grow"
    ugly.write_text(UGLY)
    neat.write_text(NEAT)
    code, out, _ = run("--check", tmp_path)
    assert (code, out) == (1, f"would reformat {ugly}\n")
    assert ugly.read_text() == UGLY
    assert run("--check", neat)[:2] == (0, "")


def test_diff_prints_what_would_change(tmp_path: Path) -> None:
    path = tmp_path / "a.grow"
    path.write_text(UGLY)
    code, out, _ = run("--diff", path)
    assert code == 1
    assert "-param   x=1\n+\n+param x = 1\n" in out
    assert path.read_text() == UGLY


def test_standard_input_goes_to_standard_output() -> None:
    assert run("-", stdin=UGLY)[:2] == (0, NEAT)


UGLY_YAML = "grow:   1\nparams:  {x:  1}   # one\n"
NEAT_YAML = "grow: 1\nparams: {x: 1}  # one\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (UGLY_YAML, NEAT_YAML),
        ("# a\n\n" + UGLY_YAML, "# a\n\n" + NEAT_YAML),
        ("params: {x: 1}\ngrow: 1\n", "params: {x: 1}\ngrow: 1\n"),
        ("---\ngrow: 1\n", "grow: 1\n"),
        ("{grow: 1}", "grow: 1\n"),
        ("'grow' : 1", "grow: 1\n"),
        ("# a: b\ngrow 1", "# a: b\ngrow 1\n"),
    ],
)
def test_standard_input_is_yaml_where_it_begins_like_it(before: str, after: str) -> None:
    assert run("-", stdin=before) == (0, after, "")


def test_a_folder_is_walked_for_both_syntaxes(tmp_path: Path) -> None:
    grow, yaml = tmp_path / "a.grow", tmp_path / "b.grow.yaml"
    grow.write_text(UGLY)
    yaml.write_text(UGLY_YAML)
    assert run("--check", tmp_path)[:2] == (1, f"would reformat {grow}\nwould reformat {yaml}\n")
    assert "-params:  {x:  1}   # one\n+grow: 1\n" in run("--diff", yaml)[1]
    assert run(tmp_path)[0] == 0
    assert (grow.read_text(), yaml.read_text()) == (NEAT, NEAT_YAML)
    assert run("--check", tmp_path)[:2] == (0, "")


def test_a_file_that_does_not_parse_is_left_alone_and_said(tmp_path: Path) -> None:
    broken, ugly = tmp_path / "broken.grow", tmp_path / "ugly.grow"
    broken.write_text("grow 1\nparam x ==  1\n")
    ugly.write_text(UGLY)
    code, _, err = run(tmp_path)
    assert code == 1
    assert "error[G001]" in err
    assert broken.read_text() == "grow 1\nparam x ==  1\n"
    assert ugly.read_text() == NEAT


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (b"grow 1\r\n\r\nparam x=1\r\n", b"grow 1\r\n\r\nparam x = 1\r\n"),
        (
            b"grow 1\r\n\r\nparam x=1\nparam y = 2\r\n",
            b"grow 1\r\n\r\nparam x = 1\r\nparam y = 2\r\n",
        ),
        (b"grow 1\n\nparam x=1\r\n", b"grow 1\n\nparam x = 1\n"),
        (b"grow 1\n\nparam x=1\n", b"grow 1\n\nparam x = 1\n"),
    ],
    ids=["crlf", "mostly crlf", "mixed", "lf"],
)
def test_line_ends_stay_those_of_most_lines(
    written: bytes, expected: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "a.grow"
    path.write_bytes(written)
    assert growlang("fmt", path).status == 0
    assert path.read_bytes() == expected
    assert growlang("fmt", "--check", path).status == 0


def test_line_ends_of_yaml_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.grow.yaml"
    path.write_bytes(b"grow:   1\r\nparams:\r\n  x: 1\r\n")
    assert growlang("fmt", path).status == 0
    assert path.read_bytes() == b"grow: 1\r\nparams:\r\n  x: 1\r\n"
    assert growlang("fmt", "--check", path).status == 0
