"""`auto`: settings that are chosen from the number of steps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fixture_specs import checked, growlang

from growlang.checking import check
from growlang.planning import plan
from growlang.plans.plan import Plan
from growlang.spec.automatic import chosen, ema, lr_schedule, told, warmup
from growlang.spec.rates import WSD
from growlang.spec.recipe import Phase
from growlang.tools.show import show

FIXTURE = Path(__file__).parent / "fixtures" / "auto" / "auto.grow"


def phases(recipe: str) -> list[Phase]:
    return checked(FIXTURE).phases(recipe)


@pytest.mark.parametrize(
    ("steps", "decay", "rising", "falling"),
    [
        (1, 0.0, 0, 0.2),
        (100, 0.8, 5, 0.2),
        (1000, 0.98, 50, 0.2),
        (30_000, 0.99933, 1500, 0.2),
        (200_000, 0.9999, 2000, 0.1),
        (2_000_000, 0.9999, 2000, 0.01),
    ],
)
def test_what_is_chosen(steps: int, decay: float, rising: int, falling: float) -> None:
    assert (ema(steps), warmup(steps)) == (decay, rising)
    assert lr_schedule(steps) == WSD(decay=falling)


def test_a_recipe_is_chosen_for_as_a_whole() -> None:
    for phase in phases("main"):
        assert phase.auto == ["ema", "warmup", "lr_schedule"]
        assert (phase.settings.ema, phase.settings.warmup) == (0.98, 50)
        assert phase.settings.lr_schedule == WSD(decay=0.2)


def test_the_schedule_of_a_phase_is_chosen_for_the_phase() -> None:
    first, second = phases("phases")
    assert (first.settings.ema, first.settings.warmup) == (0.98, 20)
    assert (second.auto, second.settings.warmup, second.settings.ema) == (["warmup"], 30, 0.9)
    assert second.settings.lr_schedule == "cosine"


def test_epochs_are_chosen_for_when_their_steps_are_known() -> None:
    (open_phase,) = phases("epochs")
    assert (open_phase.auto, open_phase.settings.ema, open_phase.steps) == ([], "auto", None)
    (known,) = chosen([open_phase.model_copy(update={"steps": 30})])
    assert (known.settings.ema, known.settings.warmup) == (0.33, 2)


def test_the_hash_of_a_run_has_auto_and_no_numbers() -> None:
    made = plan(checked(FIXTURE), "epochs")
    started = made.model_copy(
        update={"phases": chosen([p.model_copy(update={"steps": 30}) for p in made.phases])}
    )
    assert started.phases[0].settings.ema == 0.33
    assert started.run_hash == made.run_hash
    again = Plan.model_validate_json(started.model_dump_json())
    assert again.phases == started.phases
    assert again.run_hash == made.run_hash
    stated = made.phases[0].settings.model_copy(update={"ema": 0.33})
    other = made.model_copy(
        update={"phases": [made.phases[0].model_copy(update={"settings": stated})]}
    )
    assert other.run_hash != made.run_hash


def test_what_a_spec_says_is_auto(tmp_path: Path) -> None:
    text = show(checked(FIXTURE).resolved, origin=False)
    assert text.count("= auto") == 10
    twin = tmp_path / "auto.grow.yaml"
    assert growlang("convert", FIXTURE, "--to", "yaml", "--output", twin).status == 0
    assert "ema: auto" in twin.read_text()
    assert checked(twin).spec_hash == checked(FIXTURE).spec_hash


@pytest.mark.parametrize(
    ("recipe", "lines"),
    [
        (
            "main",
            ["chosen for 1,000 steps: ema = 0.98, warmup = 50, lr_schedule = wsd(decay = 0.2)"],
        ),
        (
            "phases",
            [
                "phase first: chosen for 400 of 1,000 steps: ema = 0.98, warmup = 20, "
                "lr_schedule = wsd(decay = 0.2)",
                "phase second: chosen for 600 of 1,000 steps: warmup = 30",
            ],
        ),
        (
            "epochs",
            [
                "chosen when the run starts, for the steps that its epochs are: "
                "ema, warmup, lr_schedule"
            ],
        ),
        ("silent", []),
    ],
)
def test_compile_says_what_is_chosen(recipe: str, lines: list[str]) -> None:
    assert told(phases(recipe)) == lines
    printed = growlang("compile", FIXTURE, "--recipe", recipe, "--no-build").out
    assert printed.endswith("\n".join(["", *lines, ""]))
    made = json.loads(growlang("compile", FIXTURE, "--recipe", recipe, "--no-build", "--json").out)
    assert len(made["auto"]) == (len(made["phases"]) if lines else 0)


def test_json_has_what_is_chosen() -> None:
    said = growlang("compile", FIXTURE, "--no-build", "--json").out
    assert json.loads(said)["auto"][0] == {
        "phase": "first",
        "steps": 1000,
        "ema": 0.98,
        "warmup": 50,
        "lr_schedule": {"wsd": {"decay": 0.2}},
    }


@pytest.mark.parametrize(
    ("written", "message", "help"),
    [
        ("ema = lots", "invalid choice `lots`", "write a number, or choose auto"),
        ("ema = autp", "invalid choice `autp`", "did you mean `auto`?"),
        ("ema = 2", "`ema` must be less than 1, not `2`", "decay of the averaged weights"),
    ],
)
def test_mistakes(tmp_path: Path, written: str, message: str, help: str) -> None:
    spec = tmp_path / "auto.grow"
    spec.write_text(FIXTURE.read_text().replace("ema         = auto", written))
    (found,) = check(spec).diagnostics
    assert found.message == message
    assert help in (found.help or "")
