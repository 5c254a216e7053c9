from __future__ import annotations

from typing import Any

import pytest

from growlang.diagnostics.literals import literal


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "not set"),
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (3e-4, "3e-4"),
        (0.1, "0.1"),
        (1e-8, "1e-8"),
        (0.9999, "0.9999"),
        (2.0, "2"),
        (1.5e9, "1.5e9"),
        ("circle", "circle"),
        (["self", "text"], "[self, text]"),
        ((0.9, 0.99), "[0.9, 0.99]"),
        ({"text": 0.1}, "[text = 0.1]"),
    ],
)
def test_a_value_reads_as_in_a_spec(value: Any, text: str) -> None:
    assert literal(value) == text
