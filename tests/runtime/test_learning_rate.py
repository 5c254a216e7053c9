import pytest
from tiny import phase

from growlang.spec.recipe import AdamW
from growlang_runtime.train.learning_rate import factor, learning_rate, spans


def test_warm_up_rises_to_one() -> None:
    assert [factor("constant", s, 10, 4) for s in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert factor("constant", 0, 10, 0) == 1


def test_cosine_falls_from_one_to_zero_after_the_warm_up() -> None:
    assert [factor("cosine", s, 12, 2) for s in (2, 7, 12)] == pytest.approx([1, 0.5, 0])


def test_inverse_sqrt_is_one_at_the_end_of_the_warm_up() -> None:
    assert [factor("inverse_sqrt", s, 500, 100) for s in (100, 400)] == [1, 0.5]
    assert [factor("inverse_sqrt", s, 500, 0) for s in (0, 1, 4)] == [1, 1, 0.5]


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
