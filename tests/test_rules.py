"""The rules of growth are found in the files that define them, and say what they are."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from fixture_specs import SPECS
from pydantic import ValidationError

from growlang import rules
from growlang.diagnostics import Findings
from growlang.resolve.arguments import bind
from growlang.resolve.names import Names
from growlang.rules import RULES, TRANSITIONS, Rule, in_order
from growlang.rules.widen import Noise
from growlang.signatures.signature import Signature
from growlang.syntax import document as d
from growlang.syntax import unparse
from growlang.syntax.document import without_spans
from growlang.syntax.grow import read
from growlang.yaml.convert import to_yaml
from growlang.yaml.read import read as read_yaml
from growlang.yaml.schema import schema

EVERY = SPECS.parent / "rules" / "every.grow"
ALL: dict[str, type[Rule]] = {**RULES, **TRANSITIONS}


def test_each_file_defines_a_rule() -> None:
    files = {p.stem for p in Path(rules.__path__[0]).glob("*.py")} - {"__init__", "base"}
    assert {kind.__module__.rpartition(".")[2] for kind in ALL.values()} == files
    places = [rule.listed for rule in RULES.values()]
    assert places == sorted(places)


@pytest.mark.parametrize("name", ALL)
def test_every_rule_and_argument_is_described(name: str) -> None:
    assert ALL[name].__doc__
    assert all(field.description for field in ALL[name].model_fields.values())


# --- what may be written -------------------------------------------------------------------------


def written() -> list[d.Call]:
    """The rules of the fixture."""
    document = read(EVERY.read_text(), "every.grow").result
    assert document is not None
    return calls(document)


def calls(document: d.Document) -> list[d.Call]:
    found = [s for s in document.models[0].statements if isinstance(s, d.GrowBy)]
    return [rule for statement in found for rule in statement.rules]


def bound(call: d.Call) -> Signature:
    findings = Findings()
    value = bind(call, RULES[call.name], Names(findings)).value
    assert findings.items == []
    assert value is not None
    return value


def test_every_rule_is_read_with_each_of_its_choices() -> None:
    found = [bound(call) for call in written()]
    assert {type(rule) for rule in found} == set(RULES.values())
    for name, kind in RULES.items():
        words = set(get_args(kind.model_fields["how"].annotation))
        assert {rule.how for rule in found if rule.call == name} == words  # type: ignore[attr-defined]


@pytest.mark.parametrize("call", written(), ids=unparse.rule)
def test_a_rule_is_the_same_read_from_its_json(call: d.Call) -> None:
    rule = bound(call)
    for data in (rule.model_dump(mode="json", by_alias=True), rule.model_dump(by_alias=True)):
        assert type(rule).model_validate(data[rule.call]) == rule


def test_the_rules_are_the_same_in_yaml_and_in_its_schema() -> None:
    document = read(EVERY.read_text(), "every.grow").result
    assert document is not None
    back = read_yaml(to_yaml(document), "every.grow.yaml").result
    assert back is not None
    assert [without_spans(c) for c in calls(back)] == [without_spans(c) for c in written()]
    items = schema()["definitions"]["model"]["properties"]["grow"]["items"]["properties"]["by"]
    said = [option["description"] for option in items["items"]["anyOf"]]
    assert len(said) == len(RULES)
    for text, rule in zip(said, RULES.values(), strict=True):
        assert all((info.description or "?") in text for info in rule.model_fields.values())


# --- their arguments among themselves ------------------------------------------------------------

DEFAULTS: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
    ("widen", {}, {"how": "exact", "break_": "shares"}),
    ("widen", {"how": "copy"}, {"break_": "shares"}),
    ("widen", {"how": "pad"}, {"break_": "none"}),
    ("widen", {"how": "random"}, {"break_": "none"}),
    ("widen", {"break": "noise"}, {"break_": Noise(std=0.1)}),
    ("deepen", {"how": "append"}, {"init": "zero", "every": None}),
    ("deepen", {"how": "stack"}, {"init": "copy"}),
    ("deepen", {"how": "stack", "init": "zero"}, {"init": "zero"}),
    ("heads", {}, {"how": "zero"}),
    ("resize", {}, {"how": "nearest"}),
    ("extend", {}, {"how": "exact"}),
)


@pytest.mark.parametrize(("name", "given", "expected"), DEFAULTS)
def test_defaults(name: str, given: dict[str, Any], expected: dict[str, Any]) -> None:
    rule = RULES[name].model_validate(given)
    assert {field: getattr(rule, field) for field in expected} == expected


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("widen", {"how": "pad", "break": "shares"}, "`pad` makes none"),
        ("widen", {"how": "random", "break": {"noise": {}}}, "`random` makes none"),
        ("widen", {"break": {"noise": {"std": 0.0}}}, "greater than 0"),
        ("widen", {"how": "zero"}, "'pad'"),
        ("deepen", {"how": "stack", "every": 2}, "`every` belongs to `interleave`"),
        ("deepen", {"how": "interleave", "every": 0}, "greater than or equal to 1"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        RULES[name].model_validate(given)


# --- several rules of one component --------------------------------------------------------------


def test_the_rules_of_a_component_are_applied_in_one_order() -> None:
    order = ["resize", "extend", "heads", "widen", "deepen"]
    for listed in (order, order[::-1], ["deepen", "resize", "widen", "heads", "extend"]):
        rules = [RULES[name].model_validate(NEEDED.get(name, {})) for name in listed]
        assert [rule.call for rule in in_order(rules)] == order
    assert {rule.call for rule in RULES.values()} == set(order)
    said = inspect.cleandoc(Rule.__doc__ or "")
    assert re.findall(r"^\d\. `(\w+)`", said, re.MULTILINE) == order


NEEDED = {"deepen": {"how": "append"}}


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.call)
def test_a_rule_says_when_it_is_exact_and_where_it_comes_from(rule: type[Rule]) -> None:
    assert "exact" in (rule.__doc__ or "")
    assert rule.source
