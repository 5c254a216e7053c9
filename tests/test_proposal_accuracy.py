"""What is proposed for specs that were changed in known ways: all is carried, to its place."""

from __future__ import annotations

import pytest
from fixture_specs import SPECS
from proposal_accuracy import KINDS, measured, page, specs

FIXTURES = SPECS.parent
CHANGED = (
    ("exactness/dit_text", ("renamed", "widened x1.5")),
    ("exactness/stack", ("renamed", "inserted", "widened", "deepened")),
    ("exactness/front", ("names swapped", "widened")),
    ("exactness/joint", ("renamed", "widened")),
    ("exactness/own", ("widened", "deepened")),
    ("exactness/conditioned_text", ("conditioned", "renamed")),
    ("growth/adm", ("renamed", "enlarged", "widened")),
    ("growth/small_u", ("inserted", "widened")),
    ("growth/small_u", ("enlarged", "widened", "heads")),
)


@pytest.mark.parametrize(("name", "kinds"), CHANGED)
def test_all_of_a_changed_spec_is_carried_to_its_place(name: str, kinds: tuple[str, ...]) -> None:
    [score] = measured([FIXTURES / f"{name}.grow"], [kinds]).values()
    assert score.specs == 1
    assert score.refused == score.short == []
    assert score.found == score.nodes
    assert score.misplaced == 0


def test_what_computes_another_function_is_told_and_not_stated() -> None:
    [score] = measured([FIXTURES / "exactness" / "dit_text.grow"], [("activated",)]).values()
    assert score.specs == 1
    assert score.misplaced == 0
    wrong = [stated for _, right, stated in score.sure if not right]
    assert wrong == [False]


@pytest.mark.slow
def test_no_proposal_is_refused_or_wrong_in_silence() -> None:
    scores = measured(specs(24, 3), KINDS)
    assert [line for score in scores.values() for line in score.refused] == []
    assert sum(score.misplaced for score in scores.values()) == 0
    stated = [pair for score in scores.values() for pair in score.sure if pair[2]]
    sure = [right for confidence, right, _ in stated if confidence >= 0.7]
    assert sum(sure) >= 0.99 * len(sure)
    assert "0 had statements that do not check" in page(scores, 24, 3)
