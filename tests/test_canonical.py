"""A field that came later, or has another name now, changes no hash."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import pytest
from pydantic import Field
from test_hashes import FIXTURES

from growlang.signatures.canonical import Formerly, Later, Part, canonical
from growlang.signatures.signature import Signature, argument
from growlang.signatures.tables import read_call, table
from growlang.spec.recipe import Settings
from growlang_runtime.storage.run import recorded_plan


class Call(Signature):
    """As the first version had it, with what came later."""

    call: ClassVar[str] = "call"
    rate: Annotated[float, Formerly("speed")] = argument("a renamed argument", 1.0)
    extra: Annotated[list[int], Later()] = argument("a new argument", lambda: [1])


class Outer(Part):
    """A part with a call inside."""

    call: Annotated[Call, read_call(table(Call))] = Field(default_factory=Call)
    more: Annotated[int | None, Later()] = None


def test_defaults_of_later_fields_are_left_out_and_names_are_the_first_ones() -> None:
    assert canonical(Outer()) == {"call": {"call": {"speed": 1.0}}}
    assert Outer().model_dump() == {"call": {"call": {"rate": 1.0, "extra": [1]}}, "more": None}


def test_what_is_not_at_its_default_is_there() -> None:
    said = canonical(Outer(call=Call(rate=2.0, extra=[1, 2]), more=3))
    assert said == {"call": {"call": {"speed": 2.0, "extra": [1, 2]}}, "more": 3}


@pytest.mark.parametrize("said", [{"speed": 2.0}, {"rate": 2.0}, {"rate": 2.0, "extra": [1]}])
def test_former_names_are_read(said: dict[str, Any]) -> None:
    assert Call.model_validate(said) == Call(rate=2.0)


def test_arguments_of_a_node_are_as_they_were() -> None:
    assert Call().arguments() == {"speed": 1.0}


def test_a_stored_plan_has_its_settings_under_the_names_of_today() -> None:
    plan = recorded_plan(FIXTURES / "runs/0.1/runs/core_8/long")
    assert plan.phases[0].settings.grad_clip == 0.5
    assert "clip" in canonical(plan.phases[0].settings)
    assert "clip" not in Settings.model_fields
