from __future__ import annotations

import pytest

from growlang.spec.selectors import Places, component_of
from growlang.syntax.document import Selector, Verb
from growlang.syntax.grow import read

COMPONENTS = ["text", "time", "stem", "stage.256", "stage.64", "core", "head"]
NAMES = [
    "time.linear1.weight",
    "stem.patch.0.proj.weight",
    "stage.256.encode.residual.0.conv1.weight",
    "stage.256.decode.residual.0.conv1.weight",
    "stage.64.encode.residual.1.conv1.weight",
    "core.transformer.1.attend.self.qkv.weight",
    "core.transformer.10.attend.self.qkv.weight",
    "core.transformer.10.mlp.up.weight",
    "core.transformers.0.weight",
]


def selector(text: str) -> Selector:
    document = read(f"grow 1 model m {{ keep {text} }}", "spec.grow").result
    assert document is not None
    statement = document.models[0].statements[0]
    assert isinstance(statement, Verb)
    return statement.selection.included[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("core.transformer[1]", {NAMES[5]}),
        ("core.transformer[1..10]", set(NAMES[5:8])),
        ("core.transformer[2..9]", set()),
        ("core.transformer[10].mlp", {NAMES[7]}),
        ("core.transformer", set(NAMES[5:8])),
        ("core", {"core", *NAMES[5:]}),
        ("stage[256]", {"stage.256", *NAMES[2:4]}),
        ("stage[*].decode", {NAMES[3]}),
        ("stage[64..256].encode", {NAMES[2], NAMES[4]}),
        ("stage[*]", {"stage.256", "stage.64", *NAMES[2:5]}),
        ("text", {"text"}),
        ("cor", set()),
        ("core.transformer[1].attend.self.qkv.weight", {NAMES[5]}),
        ("core.transformer[1].attend.self.qkv.weight.more", set()),
        ("stem[*]", set()),
    ],
)
def test_a_selector_matches_whole_segments(text: str, expected: set[str]) -> None:
    assert Places(COMPONENTS, NAMES).matching(selector(text)) == expected


def test_all_is_everything() -> None:
    assert Places(COMPONENTS, NAMES).matching(selector("all")) == {*COMPONENTS, *NAMES}


@pytest.mark.parametrize(
    ("text", "message", "help"),
    [
        ("core.transformer[1..10]", "", ""),
        ("core.transformer[*]", "", ""),
        ("core.transformer[1]", "", ""),
        (
            "core.transformer[1..11]",
            "the last is `core.transformer[10]`",
            "core.transformer[1..10]",
        ),
        (
            "core.transformer[0..10]",
            "the first is `core.transformer[1]`",
            "core.transformer[1..10]",
        ),
        ("core.transformer[0..99].attend", "the last is `core.transformer[10]`", "[1..10].attend"),
        ("stage[64..256].encode.residual[0..1]", "", ""),
        ("stage[64..512].encode.residual[0..1]", "the last is `stage[256]`", "stage[64..256].enc"),
        ("stage[64..256].encode.residual[0..2]", "residual[1]`", "residual[0..1]`"),
        ("stage[*].encode.residual[0..2]", "`stage[*].encode.residual[1]`", "residual[0..1]`"),
    ],
)
def test_a_range_past_the_end_is_told_with_its_mend(text: str, message: str, help: str) -> None:
    found = Places(COMPONENTS, NAMES).past_the_end(selector(text))
    assert (found is None) is (not message)
    if found is not None:
        assert message in found.message
        assert help in found.help


def test_the_places_of_a_range_are_ranked() -> None:
    places = Places(COMPONENTS, NAMES)
    each = places.each(selector("stage[64..256].encode"))
    assert each == {(0,): "stage.64.encode", (1,): "stage.256.encode"}
    assert places.each(selector("core.transformer[1..10].mlp")) == {(0,): "core.transformer.10.mlp"}
    assert places.each(selector("stage[256]")) == {(): "stage.256"}
    assert places.each(selector("all")) == {(): ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("core.transformer[0]", ["core"]),
        ("stage[*].encode", ["stage.256", "stage.64"]),
        ("stage[64]", ["stage.64"]),
        ("stage[65..300]", ["stage.256"]),
        ("stage[32]", []),
    ],
)
def test_the_first_step_names_components(text: str, expected: list[str]) -> None:
    assert component_of(selector(text).steps, COMPONENTS) == expected
