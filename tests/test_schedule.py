from __future__ import annotations

from pathlib import Path

import pytest
from fixture_specs import SHIPPED, SPECS, checked, edited, findings

from growlang.checking import Checked
from growlang.spec.recipe import Phase


def phases(folder: Path, recipe: str) -> tuple[Checked, list[Phase]]:
    """The child of `core.grow` with this text as its first recipe's phases."""
    (folder / "core.grow").write_text((SPECS / "core.grow").read_text())
    found = checked(
        edited(
            SPECS / "child.grow",
            folder / "child.grow",
            (
                "phase frozen for 20 { freeze core, text, time }\n"
                "  phase joint for 30 { lr_scale core = 0.5 }",
                recipe,
            ),
        )
    )
    return found, found.phases("grown")


def names(found: Checked, *prefixes: str) -> list[str]:
    return [n for n in found.net.table if n.startswith(prefixes)]


@pytest.mark.parametrize(
    ("freeze", "frozen"),
    [
        ("core", ("core.",)),
        ("core, text, time", ("core.", "text.", "time.")),
        ("core.transformer[0]", ("core.transformer.0.",)),
        ("core.transformer[0..1]", ("core.transformer.0.", "core.transformer.1.")),
        (
            "core.transformer[*].attend.text",
            tuple(f"core.transformer.{i}.attend.text." for i in (0, 1)),
        ),
        ("stage[*].decode", ("stage.16.decode.", "stage.8.decode.")),
        ("stage[8..16] except stage[16].encode", ("stage.8.", "stage.16.decode.")),
        ("all except stem, head", ("core.", "text.", "time.", "stage.")),
        ("core.position", ("core.position",)),
        ("core except core.transformer[1], core.position", ("core.transformer.0.",)),
    ],
)
def test_freezing_by_selectors(tmp_path: Path, freeze: str, frozen: tuple[str, ...]) -> None:
    found, (phase,) = phases(tmp_path, f"phase p for 3 {{ freeze {freeze} }}")
    assert phase.frozen == names(found, *frozen)
    assert phase.frozen != []


def test_what_a_phase_does_not_freeze_it_trains(tmp_path: Path) -> None:
    found, (first, second, third) = phases(
        tmp_path,
        "phase a for 3 { freeze core freeze text } phase b for 3 { freeze time } phase c for 1",
    )
    assert first.frozen == names(found, "core.", "text.")
    assert second.frozen == names(found, "time.")
    assert third.frozen == []


def test_a_frozen_encoder_may_be_frozen() -> None:
    frozen, joint, _ = checked(SHIPPED / "vermeer_1024.grow").phases("main")
    assert {n.split(".")[0] for n in frozen.frozen} == {"core", "time"}
    assert joint.frozen == []


@pytest.mark.parametrize(
    ("length", "steps", "epochs"),
    [
        ("20", 20, None),
        ("1.5k", 1500, None),
        ("2 * width", 32, None),
        ("images(80)", 10, None),
        ("images(81)", 11, None),
        ("images(1)", 1, None),
        ("epochs(2.5)", None, 2.5),
        ("epochs(3)", None, 3.0),
    ],
)
def test_lengths(tmp_path: Path, length: str, steps: int | None, epochs: float | None) -> None:
    _, (phase,) = phases(tmp_path, f"phase p for {length}")
    assert (phase.steps, phase.epochs) == (steps, epochs)


def test_images_count_with_the_phases_own_batch(tmp_path: Path) -> None:
    _, (phase,) = phases(tmp_path, "phase p for images(80) { batch = 16 }")
    assert phase.steps == 5


@pytest.mark.parametrize("length", ["0", "-1", "1.5", "images(0)", "epochs(0)", "true"])
def test_a_phase_lasts_a_while(tmp_path: Path, length: str) -> None:
    path = edited(SPECS / "core.grow", tmp_path / "a.grow", ("for 100", f"for {length}"))
    assert [item.code for item in findings(path)] == ["G201"]


def test_lr_scale_names_trained_tensors_and_the_last_statement_holds(tmp_path: Path) -> None:
    found, (phase,) = phases(
        tmp_path,
        "phase p for 3 { freeze core.position "
        "lr_scale core = 0.5 lr_scale core.transformer[1] = 0.1 lr_scale stem = 2 }",
    )
    expected = dict.fromkeys(names(found, "stem."), 2.0)
    expected |= dict.fromkeys(names(found, "core.transformer.0."), 0.5)
    expected |= dict.fromkeys(names(found, "core.transformer.1."), 0.1)
    assert phase.lr_scale == expected


def test_a_phase_changes_settings_for_itself_only(tmp_path: Path) -> None:
    found, (first, second) = phases(
        tmp_path,
        "phase a for 3 { batch = 2 lr = 3e-4 ema = 0.5 grad_clip = 2 "
        "transform = [resize(image.size, side = both)] } phase b for 3",
    )
    assert first.settings.batch == 2
    assert first.settings.optimizer.lr == 3e-4
    assert (first.settings.ema, first.settings.grad_clip) == (0.5, 2.0)
    assert [step.call for step in first.settings.transform] == ["resize"]
    assert second.settings == found.resolved.recipes[0].settings


def test_warmup_and_lr_schedule_of_a_phase_restart_there(tmp_path: Path) -> None:
    _, (plain, cosine, warm) = phases(
        tmp_path,
        "phase a for 3 { lr = 1 } phase b for 3 { lr_schedule = cosine } "
        "phase c for 3 { warmup = 2 }",
    )
    assert [p.own_schedule for p in (plain, cosine, warm)] == [False, True, True]
    assert cosine.settings.lr_schedule == "cosine"


def test_the_recipes_of_the_paper() -> None:
    found = checked(SHIPPED / "uvit_512.grow")
    recipes = [r.name for r in found.resolved.recipes]
    lengths = {name: [(p.name, p.steps) for p in found.phases(name)] for name in recipes}
    assert lengths == {
        "grown": [("frozen", 500_000), ("joint", 1_500_000)],
        "scratch": [("all", 2_000_000)],
        "finetune": [("joint", 2_000_000)],
        "frozen": [("frozen", 2_000_000)],
    }
    last = checked(SHIPPED / "vermeer_1024.grow").phases("main")[-1]
    assert [(s.name, s.share) for s in last.settings.data] == [("large", 0.5), ("aesthetic", 0.5)]
    assert [s.where is None for s in last.settings.data] == [False, True]
