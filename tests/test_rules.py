"""The rules of growth are found in the files that define them, and say what they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from growlang import rules
from growlang.rules import RULES, TRANSITIONS, Rule

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
