from __future__ import annotations

import pytest

from growlang.net import ComponentName


@pytest.mark.parametrize(
    ("name", "selector", "slot"),
    [("stage.16", "stage[16]", "stage @ 16"), ("core", "core", "core"), ("text", "text", "text")],
)
def test_a_component_is_spelt_as_a_path_a_selector_and_a_slot(
    name: str, selector: str, slot: str
) -> None:
    component = ComponentName(name)
    assert (component.selector, component.slot) == (selector, slot)
    assert component.is_stage == (name != selector)


@pytest.mark.parametrize(
    ("tensor", "name"),
    [
        ("stage.16.encode.residual.0.conv1.weight", "stage.16"),
        ("core.position", "core"),
        ("text.embedding.weight", "text"),
    ],
)
def test_a_tensor_tells_its_component(tensor: str, name: str) -> None:
    assert ComponentName.of_tensor(tensor) == name


def test_a_stage_is_named_by_its_resolution() -> None:
    assert ComponentName.of_stage(16) == "stage.16"
