"""What growth refuses, and how: each spec gets its message, and the docs list them all."""

from __future__ import annotations

from pathlib import Path

import pytest
from exactness.cases import cases
from exactness.refusals import FIXTURES, page, refused, said
from fixture_specs import assert_golden

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "refusals.md"
MEASURED = PAGE.with_name("exactness.md")
SPECS = sorted(FIXTURES.glob("*.grow"))


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_a_refusal_says_where_why_and_what_mends_it(
    path: Path, request: pytest.FixtureRequest
) -> None:
    found = refused(path)
    assert {d.code for d in found} <= {"G320", "G321"}
    assert found and all(d.help for d in found)
    update = bool(request.config.getoption("--update"))
    assert_golden(path.with_suffix(".txt"), said(found), update)


def test_the_page_of_what_is_exact_has_every_row() -> None:
    """`make exactness` measures it."""
    said = {"impossible": "refused", "dead": "refused: dead"}
    found = [line for line in MEASURED.read_text().split("\n") if line.startswith("| ")][1:]
    expected = [f"| {c.title} | `{c.by}` | {said.get(c.expected, c.expected)} " for c in cases()]
    assert sorted(expected) == sorted("|".join(line.split("|")[:4]) for line in found)


def test_the_page_lists_them(request: pytest.FixtureRequest) -> None:
    assert_golden(PAGE, page(), bool(request.config.getoption("--update")))
