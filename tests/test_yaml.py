from __future__ import annotations

from pathlib import Path

import pytest
from drawing import examples
from fixture_specs import SHIPPED, SPECS, checked, findings, growlang
from hypothesis import given, settings
from hypothesis import strategies as st
from test_fmt import EXAMPLES, formatted, named, tree
from typer.testing import CliRunner

from growlang.checking import Checked
from growlang.cli import app
from growlang.diagnostics import Diagnostic
from growlang.syntax import document as d
from growlang.syntax.document import without_spans
from growlang.yaml.convert import to_grow, to_yaml
from growlang.yaml.read import read as read_yaml

FOLDERS = [SHIPPED, EXAMPLES / "emoji", SPECS]
WHOLE = SPECS / "whole_grammar.grow"
SPEC_FILES = sorted(p for folder in FOLDERS for p in folder.glob("*.grow") if p != WHOLE)


def parsed(text: str) -> d.Document:
    reading = read_yaml(text, "spec.grow.yaml")
    assert reading.findings == ()
    assert reading.result is not None
    return reading.result


def refused(text: str) -> list[Diagnostic]:
    reading = read_yaml(text, "spec.grow.yaml")
    assert reading.result is None
    return list(reading.findings)


def twin(path: Path) -> str:
    document = tree(path.read_text())
    assert document is not None
    return to_yaml(document)


def twins(folder: Path, target: Path) -> None:
    """All specs of a folder in YAML, each of which grows and imports those in YAML."""
    for path in folder.rglob("*.grow"):
        new = target / f"{path.relative_to(folder)}.yaml"
        new.parent.mkdir(exist_ok=True, parents=True)
        new.write_text(twin(path).replace(".grow}", ".grow.yaml}").replace(".grow,", ".grow.yaml,"))


def same(a: Checked, b: Checked) -> None:
    assert b.resolved.spec_hash == a.resolved.spec_hash
    assert b.resolved.spec() == a.resolved.spec()


@pytest.mark.parametrize("path", named(SPEC_FILES))
def test_a_twin_means_the_same(path: Path, tmp_path: Path) -> None:
    twins(path.parent, tmp_path)
    same(checked(path), checked(tmp_path / f"{path.name}.yaml"))


@pytest.mark.parametrize("path", named(SPEC_FILES))
def test_there_and_back_is_the_same(path: Path, tmp_path: Path) -> None:
    for other in path.parent.rglob("*.grow"):
        if document := tree(other.read_text()):
            new = tmp_path / other.relative_to(path.parent)
            new.parent.mkdir(exist_ok=True, parents=True)
            new.write_text(to_grow(parsed(to_yaml(document))))
    same(checked(path), checked(tmp_path / path.name))


STAGES = (
    "",
    "stage @ 16 residual(8) * 2 | norm",
    "stage @ 16 { encode residual(8) decode (residual(8) | identity) * 1 }",
    "stage @ 16 twice(8) | twice(width = 8)",
)
PHASES = (
    "",
    "{ freeze core, time }",
    "{ freeze core freeze time lr = 1e-5 }",
    "{ freeze all except head lr_scale head = 0.5 data = mix(one = 0.5, two = 0.5) }",
)
PROMPTS = ('"a.txt"', '["= a", "no", "1e-4", "a \\"b\\"\\n", "café: #1"]')


@st.composite
def models(draw: st.DrawFn) -> str:
    """A model without mistakes, after its params and its block."""
    width = 8 * draw(st.integers(1, 8))
    heads = draw(st.sampled_from([1, 2, 4]))
    factor = draw(st.sampled_from([2, 4]))
    value = draw(st.sampled_from(["width", str(width), f"({width} / 2 + width / 2)"]))
    attend = draw(st.sampled_from(["[self, text]", "[text, self]", "[text]"]))
    repeat = draw(st.sampled_from(["", " * 2", " * n", " * (n + 1)"]))
    stage = draw(st.sampled_from(STAGES))
    size = 16 * factor if stage else 8 * factor
    return f"""param width = {width} param n = 1
        block twice(width) {{ residual(width) * 2 }}
        model generated {{
          image = image({size}) text = words(16, tokens = 4, vocabulary = 50) time = fourier(16)
          stem patch({factor}, {"8" if stage else value}) {stage}
          core @ 8 transformer({value}, {heads}, attend = {attend}){repeat}
          head unpatch({factor})
        }}"""


@st.composite
def specs(draw: st.DrawFn) -> str:
    """A spec without mistakes."""
    drop = draw(st.sampled_from(["0.1", "[text = 0.25]", "5%"]))
    shift = draw(st.floats(-3, 3).map(lambda x: f"{x:.3f}"))
    duration = draw(st.sampled_from(["2M", "images(100)", "epochs(1.5)", "2 * n"]))
    return f"""grow 1
        {draw(models())}
        data one = webdataset("*.tar", ["png", "jpg"], caption = none, label = "json:class")
        data two = one.where(row.width >= 64 and not row.json.text == "" and row.json("B") > 1)
        train {{
          data = two batch = 4 transform = [resize(image.size, both), flip, flip(0.5)]
          objective = diffusion(v, cosine(shift = {shift}), min_snr, drop = {drop})
          start = scratch moments = reset
          phase a for {duration} {draw(st.sampled_from(PHASES))}
        }}
        sample {{ sampler = ddim(10) prompts = {draw(st.sampled_from(PROMPTS))} }}"""


CHAIN = """grow 1 model parent {{
  tokens = tokens(9, 8) stem embed(8)
  core (position = none) transformer(8, heads = 2) * {} head unembed
}}"""


@st.composite
def growths(draw: st.DrawFn) -> tuple[int, str]:
    """The blocks of a parent, and a child whose statements name ranges and lists of them."""
    blocks = draw(st.integers(1, 5))
    low = draw(st.integers(0, blocks - 1))
    high = draw(st.integers(low, blocks - 1))
    at = draw(st.integers(0, 2))
    count = at + high - low + 1 + draw(st.integers(1, 3))
    place = "core.transformer[{}..{}]".format
    rest = [n for n in range(count) if not at <= n <= at + high - low]
    parts = draw(st.lists(st.sampled_from(rest), min_size=1, max_size=3, unique=True))
    listed = ", ".join(f"core.transformer[{n}]" for n in parts)
    value = draw(st.sampled_from(["default", "zero", "like core.transformer[0]"]))
    inits = draw(st.sampled_from(["", f"init {listed} = {value}"]))
    pairwise = f"init {place(rest[-1], rest[-1])} = like {place(low, low)}"
    statements = [
        "drop stem, head", "drop core", inits, draw(st.sampled_from(["", pairwise])),
        f"moved {place(low, high)} -> {place(at, at + high - low)}",
    ]  # fmt: skip
    if inits and pairwise in statements and rest[-1] in parts:
        statements.remove(inits)
    return (
        blocks,
        f"""grow 1 model child grows "parent.grow" {{
      {" ".join(draw(st.permutations(statements)))}
      stem embed(8) core (position = none) transformer(8, heads = 2) * {count} head unembed
    }}""",
    )


@settings(max_examples=examples(40))
@given(growths())
def test_generated_growth_has_twins(
    tmp_path_factory: pytest.TempPathFactory, growth: tuple[int, str]
) -> None:
    folder = tmp_path_factory.mktemp("growth")
    blocks, text = growth
    (folder / "parent.grow").write_text(CHAIN.format(blocks))
    document = tree(text)
    assert document is not None
    assert formatted(formatted(text)) == formatted(text)
    back = parsed(to_yaml(document))
    assert without_spans(back.models[0].grows) == without_spans(document.models[0].grows)
    for name, written in (
        ("a.grow", text),
        ("b.grow", formatted(text)),
        ("c.grow.yaml", to_yaml(document)),
        ("d.grow", to_grow(back)),
    ):
        (folder / name).write_text(written)
        same(checked(folder / "a.grow"), checked(folder / name))
        assert checked(folder / "a.grow").mapping is not None


@settings(max_examples=examples(40))
@given(specs())
def test_generated_specs_have_twins(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("twins")
    document = tree(text)
    assert document is not None
    for name, written in (
        ("a.grow", text),
        ("a.grow.yaml", to_yaml(document)),
        ("b.grow", to_grow(parsed(to_yaml(document)))),
    ):
        (folder / name).write_text(written)
    same(checked(folder / "a.grow"), checked(folder / "a.grow.yaml"))
    same(checked(folder / "a.grow"), checked(folder / "b.grow"))


# --- what YAML may not do ------------------------------------------------------------------------

PARAM = "grow: 1\nparams:\n  a: {}\n"


def param(text: str) -> object:
    value = parsed(PARAM.format(text)).params[0].value
    assert isinstance(value, d.Constant)
    return value.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("12", 12),
        ("1.0", 1.0),
        (".5", 0.5),
        ("no", "no"),
        ("yes", "yes"),
        ("'12'", "12"),
        ("true", True),
        ("1_000", "1_000"),
        ("2M", "2M"),
        ("2026-01-01", "2026-01-01"),
        ("1:30", "1:30"),
        ('"a # b"', "a # b"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    found = param(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "code", "row", "column"),
    [
        (PARAM.format("010"), "G003", 3, 6),
        (PARAM.format("0x10"), "G003", 3, 6),
        (PARAM.format(".inf"), "G003", 3, 6),
        (PARAM.format("1e300"), "G003", 3, 6),
        (PARAM.format("&x 1"), "G001", 3, 6),
        (PARAM.format("*x"), "G001", 3, 6),
        (PARAM.format("!!str 1"), "G001", 3, 6),
        (PARAM.format("1\n  a: 2"), "G102", 4, 3),
        (PARAM.format("1\n  <<: {b: 1}"), "G001", 4, 3),
        (PARAM.format("= 2 *"), "G001", 3, 11),
        (PARAM.format("= 2 * * 3"), "G001", 3, 12),
        (PARAM.format('"= 2 * Width"'), "G003", 3, 13),
        (PARAM.format("= 1 param b = 2"), "G001", 3, 6),
        (PARAM.format("["), "G001", 4, 1),
        (PARAM.format("\x01"), "G001", 3, 6),
        ("grow: 2", "G002", 1, 7),
        ("params: {}", "G002", 1, 1),
        ("", "G002", 1, 1),
        ("grow: 1\n---\ngrow: 1", "G001", 2, 1),
        ("grow: 1\nparms: {}", "G107", 2, 1),
        ("grow: 1\nmodel:\n  name: m\n  stages:\n    - {at: 4}", "G202", 5, 7),
        ("grow: 1\nmodel:\n  name: m\n  stem: []", "G001", 4, 9),
        ("grow: 1\nmodel:\n  name: m\n  stem: [{a: {}, b: {}}]", "G001", 4, 10),
        ("grow: 1\nmodel:\n  name: m\n  keep: ['stage[']", "G001", 4, 16),
        ("grow: 1\nmodel:\n  name: Core\n", "G003", 3, 9),
        ("grow: 1\nmodel: 5", "G001", 2, 8),
        ("a: " + "[" * 200 + "]" * 200, "G001", 1, 103),
        ("%TAG ! tag:a,2000:b/#\n---\ngrow: 1", "G001", 1, 21),
        (PARAM.format("1  # \u2028"), "G003", 3, 11),
        (PARAM.format('"\\u202e"'), "G003", 3, 6),
        (PARAM.format('"a\\r"'), "G003", 3, 6),
        (PARAM.format('"= 2 # two"'), "G001", 3, 6),
        (PARAM.format("= a.except"), "G001", 3, 10),
        (PARAM.format("{? " + "x" * 1001 + " : 1}"), "G001", 3, 9),
        ('grow: "1"', "G002", 1, 7),
        ("grow 1\nparam x = 1", "G001", 1, 1),
        ("grow: 1\nmodel:\n  name: m\n  stem: {at: 4, pipe: [a]}", "G107", 4, 10),
        ("grow: 1\nmodel:\n  name: m\n  grow: [{select: core, by: []}]", "G001", 4, 29),
        ("grow: 1\nmodel:\n  name: m\n  init: [{select: [], value: zero}]", "G001", 4, 19),
        ("grow: 1\nmodel:\n  name: m\n  init: [{select: [a, 1], value: zero}]", "G001", 4, 23),
        ("grow: 1\nmodel:\n  name: m\n  init: [{select: 'a, b', value: zero}]", "G001", 4, 19),
        ("grow: 1\ntrain: [{phases: [{name: a, for: {images: 1, epochs: 2}}]}]", "G001", 2, 34),
    ],
)
def test_what_is_refused_is_said_at_its_place(text: str, code: str, row: int, column: int) -> None:
    found = refused(text)
    assert [(i.code, i.span.row, i.span.column) for i in found] == [(code, row, column)]


@pytest.mark.parametrize(
    "text",
    [
        "grow: 1\nparams: {a: = 2 *, b: 1, C: 2}\ndata: {one: = +}\nmodel: {name: m, stem: 1}",
        "grow: one\nparams: 1\nmodel: 2\ntrain: 3",
        "grow: 1\nmodel: {name: 1, grows: a, keep: b, stem: c}",
        "grow: 1\ntrain: [{recipe: 1, phases: 2}, 3, {batch: = *}]",
    ],
)
def test_all_independent_mistakes_are_found_at_once(text: str) -> None:
    assert len(refused(text)) == 4


@pytest.mark.parametrize(
    ("text", "row", "column", "message", "help"),
    [
        ("a:\n\tb: 1", 2, 1, "YAML cannot be indented with tabs", "use spaces"),
        ("a: @x", 1, 4, "a plain string cannot begin with `@`", "put it in quotes"),
        ("a: b: c", 1, 5, "unexpected key", "keys of one mapping share a column"),
        ("a: 'b\nc: 1", 1, 4, "unterminated quote", "the same quote"),
        ("a: {b: 1\nc: 1", 2, 2, "missing comma or closing `}`", "add it"),
        ("a: [b\nc: 1", 2, 2, "missing comma or closing `]`", "add it"),
        ("a: [core, b[3..4].c]", 1, 12, "unquoted, `b[3..4].c`", '`"b[3..4].c"`'),
        ("a: 1\nb\nc: 1", 2, 1, "missing colon after a key", "`name: value`"),
        ("a:\n   b: 1\n  c: 1", 3, 3, "expected a key", "share a column"),
        ("a:\n  - b\n  c: 1", 3, 3, "expected an item", "`- `"),
        ("grow: 1\nparams:\n  a:1", 3, 3, "`params` must be a mapping", "`a: 1`"),
        ("grow: 1\nparams:\n  a = 1", 3, 3, "`params` must be a mapping", "`a: 1`"),
        ("grow: 1\nmodel: {name: m, stem: conv}", 2, 24, "a stem must be a list", "`[conv]`"),
        (
            "grow: 1\nmodel: {name: m, stem: [conv: 8]}",
            2, 31, "`conv` must be a mapping", "`conv: {width: 8}`",
        ),
    ],
)  # fmt: skip
def test_usual_slips_are_named(text: str, row: int, column: int, message: str, help: str) -> None:
    (found,) = refused(text)
    assert (found.span.row, found.span.column) == (row, column)
    assert message in found.message
    assert help in found.help


@given(st.text(max_size=60))
@settings(max_examples=examples(200))
def test_no_text_breaks_the_reader(text: str) -> None:
    read_yaml(f"grow: 1\n{text}", "a.yaml")
    read_yaml(text, "a.yaml")


# --- findings of the later passes ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "code", "at"),
    [
        ("heads: 2", "heads: 3", "G207", "3, attend"),
        ("heads: 2", "haeds: 2", "G203", "haeds: 2"),
        ("heads: 2", "heads: = width / 0", "G201", "width / 0"),
        ("heads: 2", 'heads: "= min(width, nothing)"', "G101", "nothing)"),
        ("attend: [self, text]", "attend: [self, txt]", "G208", "[self, txt]"),
        ("at: 4", "at: = widht", "G101", "widht"),
        ("tokens: 5", "tokens: no", "G201", "no, vocabulary"),
        ("transformer: {width", "transfrmer: {width", "G106", "transfrmer"),
        ("batch: 8", "btach: 8", "G107", "btach"),
    ],
)
def test_findings_stand_at_their_place_in_yaml(
    tmp_path: Path, old: str, new: str, code: str, at: str
) -> None:
    path = tmp_path / "core.grow.yaml"
    text = twin(SPECS / "core.grow")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    found = findings(path)
    assert [i.code for i in found if i.code != "G404"] == [code]
    place = next(i for i in found if i.code == code)
    line = path.read_text().split("\n")[place.span.row - 1]
    assert line[place.span.column - 1 :].startswith(at)


# --- the command ---------------------------------------------------------------------------------


def test_check_walks_folders_for_both_syntaxes(tmp_path: Path) -> None:
    (tmp_path / "a.grow").write_text("grow 1\n")
    (tmp_path / "b.grow.yaml").write_text("grow: 1\n")
    result = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert "2 specs checked, no errors" in result.stderr


def test_the_two_syntaxes_of_a_model_in_a_folder_say_the_same(tmp_path: Path) -> None:
    grow, yaml = tmp_path / "level.grow", tmp_path / "level.grow.yaml"
    text = (SPECS / "level.grow").read_text()
    grow.write_text(text)
    yaml.write_text(twin(grow))
    run = growlang("check", tmp_path)
    assert (run.status, run.err) == (0, "2 specs checked, no errors\n")
    grow.write_text(text.replace("fourier(8)", "fourier(12)"))
    run = growlang("check", tmp_path)
    assert run.status == 1
    assert "error[G102]: model `level` differs between `level.grow.yaml`" in run.out
    assert f"{grow}:3:7" in run.out
    assert [growlang("check", path).status for path in (grow, yaml)] == [0, 0]
    grow.write_text(grow.read_text().replace("model level", "model other"))
    assert growlang("check", tmp_path).status == 0
