import pytest
from tiny import phase

from growlang.plans.learning_rate import factor, learning_rate, scales, spans
from growlang.spec.recipe import WSD, AdamW


def test_warm_up_rises_to_one() -> None:
    assert [factor("constant", s, 10, 4) for s in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert factor("constant", 0, 10, 0) == 1


def test_cosine_falls_from_one_to_zero_after_the_warm_up() -> None:
    assert [factor("cosine", s, 12, 2) for s in (2, 7, 12)] == pytest.approx([1, 0.5, 0])


def test_inverse_sqrt_is_one_at_the_end_of_the_warm_up() -> None:
    assert [factor("inverse_sqrt", s, 500, 100) for s in (100, 400)] == [1, 0.5]
    assert [factor("inverse_sqrt", s, 500, 0) for s in (0, 1, 4)] == [1, 1, 0.5]


def test_wsd_is_one_between_warm_up_and_decay() -> None:
    steps = (0, 1, 2, 79, 80, 90, 99)
    wanted = [0.5, 1, 1, 1, 1, 0.5, 0.05]
    assert [factor(WSD(), s, 100, 2) for s in steps] == pytest.approx(wanted)
    assert [factor(WSD(decay=1.0), s, 10, 0) for s in (0, 5)] == [1, 0.5]
    assert [factor(WSD(decay=1.0), s, 10, 6) for s in (6, 8)] == [1, 0.5]


def test_what_is_new_rises_over_the_rewarm_of_its_phase() -> None:
    phases = [phase("a", 4), phase("b", 4, rewarm=4, lr_scale={"old": 3.0, "new": 2.0})]
    a, b = spans(phases)
    assert scales(phases[0], a, 0, {"new"}) == {}
    found = [scales(phases[1], b, step, {"new"}) for step in range(4, 8)]
    assert [f["new"] for f in found] == [0.5, 1.0, 1.5, 2.0]
    assert [f["old"] for f in found] == [3.0] * 4


def test_a_schedule_spans_the_recipe_unless_the_phase_has_its_own() -> None:
    changes = {"lr_schedule": "cosine", "optimizer": AdamW(lr=2.0)}
    phases = [
        phase("a", 4, **changes),
        phase("b", 4, **changes),
        phase("c", 2, own_schedule=True, **changes),
    ]
    a, b, c = spans(phases)
    assert (a.first, b.first, c.first) == (0, 4, 8)
    assert learning_rate(phases[1], b, 5) == pytest.approx(1.0)
    assert learning_rate(phases[2], c, 8) == pytest.approx(2.0)
    assert learning_rate(phases[2], c, 9) == pytest.approx(1.0)
