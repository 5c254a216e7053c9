import pytest
from tiny import phase

from growlang.plans.learning_rate import factor, learning_rate, scales, spans
from growlang.spec.automatic import chosen
from growlang.spec.optimizers import AdamW
from growlang.spec.rates import WSD, CosineDecay, Epochs, Images
from growlang.spec.warmups import warmup_of


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


def test_cosine_falls_to_its_min() -> None:
    fall = CosineDecay(min=1e-5)
    found = [1e-3 * factor(fall, s, 12, 2, 1e-3) for s in (0, 2, 7, 12, 20)]
    assert found == pytest.approx([5e-4, 1e-3, (1e-3 + 1e-5) / 2, 1e-5, 1e-5])
    (only,) = phases = [phase("a", 4, lr_schedule=fall, optimizer=AdamW(lr=1e-2))]
    assert learning_rate(only, spans(phases)[0], 4) == pytest.approx(1e-5)


def test_a_warm_up_in_images_goes_on_in_the_next_phase_with_its_batch() -> None:
    long = {"warmup": Images(count=1000)}
    phases = [phase("a", 100, batch=4, **long), phase("b", 600, batch=8, **long)]
    assert [warmup_of(p) for p in chosen(phases)] == [175, 175]
    own = phase("c", 600, batch=8, own_schedule=True, **long)
    assert [warmup_of(p) for p in chosen([*phases, own])] == [175, 175, 125]


def test_a_warm_up_in_epochs_is_known_with_the_data() -> None:
    phases = [phase("a", 4, batch=4, warmup=Epochs(count=2.5)), phase("b", 9, batch=2)]
    assert warmup_of(chosen(phases)[0]) == "auto"
    assert warmup_of(chosen(phases, [6, 6])[0]) == 4
    assert warmup_of(chosen(phases, [8, 5])[0]) == 6  # 2 epochs of 8, then half of 5 by 2
    (known, _) = chosen(phases, [6, 6])
    assert factor("constant", 1, 13, known.warmup_steps or 0) == 0.5
