from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from fixture_specs import SHIPPED
from jsonschema import Draft7Validator, Draft202012Validator
from test_fmt import named
from test_yaml import SPEC_FILES, twin
from typer.testing import CliRunner

from growlang.cli import app
from growlang.yaml.schema import schema
from growlang.yaml.schema.calls import CALLS

COMMITTED = SHIPPED.parent / "docs" / "schema" / "grow-1.json"
VALIDATORS = pytest.mark.parametrize("validator", [Draft7Validator, Draft202012Validator])


class Loader(yaml.SafeLoader):
    """PyYAML's reader with the numbers of YAML 1.2 that the specs use."""


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[0-9.]+e-[0-9]+"), list("0123456789")
)


def data(text: str) -> Any:
    return yaml.load(text, Loader)


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from nodes(value)


def test_the_committed_schema_is_the_current_one(request: pytest.FixtureRequest) -> None:
    printed = CliRunner().invoke(app, ["schema"]).stdout
    if request.config.getoption("--update"):
        COMMITTED.parent.mkdir(exist_ok=True)
        COMMITTED.write_text(printed)
    assert COMMITTED.read_text() == printed
    assert json.loads(printed) == schema()


@VALIDATORS
def test_it_is_valid_in_both_drafts(validator: Any) -> None:
    validator.check_schema(schema())
    for node in nodes(schema()):
        assert not {"prefixItems", "unevaluatedProperties", "$defs"} & node.keys()
        assert "$ref" not in node or len(node) == 1


@cache
def validated(validator: Any) -> Any:
    return validator(schema())


@VALIDATORS
@pytest.mark.parametrize("path", named(SPEC_FILES))
def test_every_spec_is_valid(validator: Any, path: Path) -> None:
    assert [e.message for e in validated(validator).iter_errors(data(twin(path)))] == []


@VALIDATORS
def test_every_field_has_a_description_and_an_example_that_is_valid(validator: Any) -> None:
    whole = schema()
    fields = [
        (f"{name}.{key}", field)
        for name, part in [("top", whole), *whole["definitions"].items()]
        for key, field in part.get("properties", {}).items()
    ]
    assert len(fields) > 100
    for name, field in fields:
        assert field["description"], name
        for example in field["examples"]:
            wrapped = {"definitions": whole["definitions"], "allOf": [field]}
            assert [e.message for e in validator(wrapped).iter_errors(example)] == [], name


def test_selectors_of_every_form_are_valid() -> None:
    forms = [
        "core",
        "stage[*]",
        "core.transformer[0..11].attend",
        "all except stage[1k], head",
        "stage[256].encode except stage[256].encode.down",
    ]
    selectors = {"definitions": schema()["definitions"], "$ref": "#/definitions/selectors"}
    assert Draft7Validator(selectors).is_valid(forms)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("heads: 2", "haeds: 2"),
        ("heads: 2", "heads: 0"),
        ("heads: 2", "heads: two"),
        ("side: short", "side: shrt"),
        ("batch: 8", "btach: 8"),
        ("grow: 1", "grow: 2"),
        ("at: 4", "att: 4"),
        ("for: 100", "foor: 100"),
        ("words:", "word:"),
        ("name: small", "name: my-small"),
        ("name: small", "nmae: small"),
        ("depth:", "Depth:"),
        ("for: 100", "for: 0"),
        ("for: 100", "for: 2.5"),
        ("repeat: = depth", "repeat: 0"),
        ("for: 100}", "for: 100, freeze: core}"),
        ("for: 100}", "for: 100, freeze: [core time]}"),
        ("for: 100}", "for: 100, freeze: ['stage[1..']}"),
        ("for: 100}", "for: 100, lr_scale: {Core: 0.1}}"),
        ("batch: 8", "batch: 8\n    precision: fp16"),
        ("attend: [self, text]", "attend: self"),
        ("image: {image: {size: 16}}", "image: 16"),
    ],
)
def test_slips_are_invalid(old: str, new: str) -> None:
    text = twin(SHIPPED.parent / "tests" / "fixtures" / "specs" / "core.grow")
    if old == "side: short":
        text = text.replace(
            "resize: {size: = image.size", "resize: {size: = image.size, side: short"
        )
    assert old in text
    assert Draft7Validator(schema()).is_valid(data(text))
    assert not Draft7Validator(schema()).is_valid(data(text.replace(old, new, 1)))


def test_calls_are_defined_by_kind_and_name() -> None:
    found = [name.split(".") for name in schema()["definitions"] if name.startswith("call.")]
    assert ["call", "schedule", "cosine"] in found
    assert {kind for _, kind, _ in found} == set(CALLS)
    assert len(found) == sum(map(len, CALLS.values()))
