from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from random import Random

import pytest
from drawing import examples
from fixture_specs import SPECS, assert_golden, growlang
from hypothesis import given, settings
from hypothesis import strategies as st
from test_fmt import FIXTURES, MESSY, PARSED, messed, named, tree
from test_yaml import checked, parsed, same, specs, twin
from test_yaml_layout import BROKEN_UP, fmt_yaml

from growlang.syntax import document as d
from growlang.yaml.convert import MODELINE, names_schema, to_grow, to_yaml
from growlang.yaml.layout import flat
from growlang.yaml.write import nodes

CONVERT = FIXTURES / "convert"
CONVERTED = [path for path in PARSED if path.parent.name in ("specs", "fmt", "emoji", "plugin")]


def remarks(comments: Iterable[d.Comment]) -> list[str]:
    return sorted(c.text.rstrip() for c in comments if not names_schema(c.text))


def says_the_same(a: d.Document, b: d.Document) -> None:
    """The same tree as far as both syntaxes can say it, and the same comments."""
    assert flat(nodes(a)) == flat(nodes(b))
    assert remarks(a.comments) == remarks(b.comments)


def goes_there_and_back(text: str) -> str:
    """A text in Grow and its twin, once everything that a conversion promises was found to hold."""
    document = tree(text)
    assert document is not None
    written = to_yaml(document)
    assert fmt_yaml(written) == written
    says_the_same(document, parsed(written))
    back = to_grow(parsed(written))
    found = tree(back)
    assert found is not None
    says_the_same(document, found)
    return written


@pytest.mark.parametrize("path", named(CONVERTED))
def test_every_comment_goes_there_and_back(path: Path) -> None:
    goes_there_and_back(path.read_text())


@settings(max_examples=examples(60))
@given(st.sampled_from(MESSY), st.sampled_from([0.02, 0.1, 0.5]), st.integers(0, 2**32))
def test_no_comment_anywhere_is_lost(text: str, share: float, seed: int) -> None:
    goes_there_and_back(messed(text, share, Random(seed)))


@settings(max_examples=examples(60))
@given(BROKEN_UP)
def test_no_comment_of_yaml_is_lost(text: str) -> None:
    document = parsed(text)
    found = tree(to_grow(document))
    assert found is not None
    says_the_same(document, found)
    says_the_same(document, parsed(to_yaml(found)))


@settings(max_examples=examples(25))
@given(specs(), st.integers(0, 2**32))
def test_a_commented_spec_keeps_its_hash(
    tmp_path_factory: pytest.TempPathFactory, text: str, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("commented")
    (folder / "a.grow").write_text(text)
    written = goes_there_and_back(messed(text, 0.1, Random(seed)))
    (folder / "b.grow.yaml").write_text(written)
    (folder / "c.grow").write_text(to_grow(parsed(written)))
    same(checked(folder / "a.grow"), checked(folder / "b.grow.yaml"))
    same(checked(folder / "a.grow"), checked(folder / "c.grow"))


# --- where comments go ---------------------------------------------------------------------------


def test_comments_of_grow_stand_where_a_reader_looks(request: pytest.FixtureRequest) -> None:
    document = tree((CONVERT / "comments.grow").read_text())
    assert document is not None
    update = request.config.getoption("--update")
    assert_golden(CONVERT / "comments.yaml.txt", to_yaml(document), update)


def test_comments_of_yaml_stand_where_a_reader_looks(request: pytest.FixtureRequest) -> None:
    document = parsed((CONVERT / "comments.grow.yaml").read_text())
    update = request.config.getoption("--update")
    assert_golden(CONVERT / "comments.grow.txt", to_grow(document), update)


def test_the_line_that_names_the_schema_comes_and_goes() -> None:
    document = tree("grow 1\n")
    assert document is not None
    assert to_yaml(document) == "grow: 1\n"
    for schema in ("grow-1.json", "../docs/schema/grow-1.json"):
        text = f"{MODELINE} $schema={schema}\ngrow: 1\n"
        assert to_yaml(document, schema) == text
        assert to_grow(parsed(text)) == "grow 1\n"


@pytest.mark.parametrize("schema", ["../mine.json", "https://example.org/grow-1.json"])
def test_a_line_that_names_another_schema_stays(schema: str) -> None:
    text = f"{MODELINE} $schema={schema}\ngrow: 1\n"
    document = tree(to_grow(parsed(text)))
    assert document is not None
    assert to_yaml(document, "grow-1.json") == text


# --- the command ---------------------------------------------------------------------------------


def test_convert_goes_both_ways(tmp_path: Path) -> None:
    target, back = tmp_path / "core.grow.yaml", tmp_path / "back.grow"
    run = growlang("convert", SPECS / "core.grow", "--to", "yaml")
    assert run.out.startswith(f"{MODELINE} $schema=../../../docs/schema/grow-1.json\ngrow: 1")
    target.write_text(run.out)
    assert growlang("convert", target, "--to", "grow", "-o", back).status == 0
    assert f"{run.out.splitlines()[0]}\n{twin(back)}" == target.read_text()


def named_schema(*arguments: str | Path) -> str | None:
    """The schema that the twin of a spec names."""
    run = growlang("convert", *arguments, "--to", "yaml")
    assert run.status == 0, run.err
    first = run.out.split("\n")[0]
    return first.removeprefix(f"{MODELINE} $schema=") if first.startswith(MODELINE) else None


def test_the_schema_is_that_of_the_repository(tmp_path: Path) -> None:
    folder = tmp_path / "repository" / "specs" / "deep"
    folder.mkdir(parents=True)
    spec = folder / "a.grow"
    spec.write_text("grow 1\n")
    (tmp_path / "repository" / ".git").touch()
    (tmp_path / "grow-1.json").touch()
    assert named_schema(spec) is None, "what lies outside the repository is not its schema"
    for place, path in [
        ("docs/schema", "../../docs/schema/grow-1.json"),
        ("schema", "../../schema/grow-1.json"),
        ("", "../../grow-1.json"),
        ("specs/deep", "grow-1.json"),
    ]:
        schema = tmp_path / "repository" / place / "grow-1.json"
        schema.parent.mkdir(parents=True, exist_ok=True)
        schema.touch()
        assert named_schema(spec) == path
        assert (folder / path).resolve() == schema.resolve()


def test_the_schema_is_relative_to_the_twin(tmp_path: Path) -> None:
    (tmp_path / ".git").touch()
    (tmp_path / "grow-1.json").touch()
    (tmp_path / "twins").mkdir()
    spec, target = tmp_path / "a.grow", tmp_path / "twins" / "a.grow.yaml"
    spec.write_text("grow 1\n")
    assert growlang("convert", spec, "--to", "yaml", "-o", target).status == 0
    assert target.read_text() == f"{MODELINE} $schema=../grow-1.json\ngrow: 1\n"


def test_the_schema_is_where_one_says(tmp_path: Path) -> None:
    spec, schema = tmp_path / "specs" / "a.grow", tmp_path / "mine.json"
    spec.parent.mkdir()
    spec.write_text("grow 1\n")
    schema.touch()
    assert named_schema(spec, "--schema", schema) == "../mine.json"
    url = "https://example.org/grow-1.json"
    assert named_schema(spec, "--schema", url) == url
    missing = growlang("convert", spec, "--to", "yaml", "--schema", tmp_path / "no.json")
    assert (missing.status, missing.out) == (2, "")
    assert "no JSON Schema at" in missing.err
    other = growlang("convert", spec, "--to", "grow", "--schema", url)
    assert (other.status, "only YAML files name a schema" in other.err) == (2, True)


def test_convert_to_the_syntax_of_the_file_lays_it_out(tmp_path: Path) -> None:
    path = tmp_path / "a.grow.yaml"
    path.write_text("grow:   1   # one\n")
    assert growlang("convert", path, "--to", "yaml") == (0, "grow: 1  # one\n", "")


def test_convert_overwrites_nothing(tmp_path: Path) -> None:
    taken = tmp_path / "mine.yaml"
    taken.write_text("mine")
    nowhere = tmp_path / "no" / "a.yaml"
    for target, message in [(taken, "already exists"), (nowhere, "cannot write")]:
        result = growlang("convert", SPECS / "core.grow", "--to", "yaml", "-o", target)
        assert (result.status, result.out) == (2, "")
        assert message in result.err
    assert taken.read_text() == "mine"


def test_convert_prints_findings(tmp_path: Path) -> None:
    path = tmp_path / "a.grow.yaml"
    path.write_text("grow: 1\nmodel: 5\n")
    result = growlang("convert", path, "--to", "grow")
    assert (result.status, result.out) == (1, "")
    assert "error[G001]: a model must be a mapping" in result.err


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("param a = 1 param a = 2", "1:20", "`a` would be a duplicate key"),
        ("model a { } model b { }", "1:20", "`model` would be a duplicate key"),
        ("train { phases = 3 phase a for 1 }", "1:16", "`phases` would be a duplicate key"),
        (
            "train { phase a for 1 { freeze = 2 freeze all } }",
            "1:43",
            "`freeze` would be a duplicate key",
        ),
        ("train { phase a for 1 { lr_scale = 2 lr_scale all = 1 } }", "1:32", "`lr_scale` would"),
        ("model a { stem (pipe = 1) conv(3) }", "1:24", "`pipe` would be a duplicate key"),
        ("# a\u2028 grow: 2", "1:8", "YAML allows no U+2028 in a comment"),
        ("# bell \a", "1:8", "YAML allows no U+0007 in a comment"),
    ],
)
def test_what_yaml_cannot_say_is_refused(tmp_path: Path, text: str, place: str, said: str) -> None:
    path = tmp_path / "a.grow"
    path.write_text(f"grow 1 {text}")
    run = growlang("convert", path, "--to", "yaml")
    assert (run.status, run.out) == (2, "")
    assert f"{path}:{place}: {said}" in run.err
