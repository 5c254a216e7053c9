from __future__ import annotations

from pathlib import Path

import pytest
from drawing import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from test_fmt import ATOMS, PARSED, formatted, nested, sampled, tree

from growlang.syntax import building
from growlang.syntax.document import without_spans
from growlang.syntax.unparse import number, unparse


@pytest.mark.parametrize("path", sampled(PARSED))
def test_what_is_written_is_read_as_the_same_tree(path: Path) -> None:
    document = tree(path.read_text())
    assert document is not None
    written = unparse(document)
    assert without_spans(tree(written)) == without_spans(document)
    assert formatted(written) == written


@settings(max_examples=examples(100))
@given(st.recursive(ATOMS, nested, max_leaves=25))
def test_an_expression_has_the_parentheses_that_it_needs(expression: str) -> None:
    document = tree(f"grow 1 param x = {expression}")
    assert document is not None
    assert without_spans(tree(unparse(document))) == without_spans(document)


@given(st.one_of(st.integers(0, 10**18), st.floats(0, 1e17)))
def test_a_number_has_its_value(value: float) -> None:
    found = building.number(number(value))
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("value", "text"),
    [(2_000_000, "2M"), (1_500_000, "1.5M"), (2048, "2048"), (30_000, "30k"), (1250, "1250")],
)
def test_whole_numbers_take_the_usual_suffix(value: int, text: str) -> None:
    assert number(value) == text
