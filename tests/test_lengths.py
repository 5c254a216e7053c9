"""Settings that do not fit the length of a run: `compile` and a run warn, `check` does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fixture_specs import SHIPPED, checked, growlang

from growlang.checking import Checked, check
from growlang.diagnostics.text import as_text, plain
from growlang.spec.lengths import TRIAL, misfits
from growlang.spec.recipe import Start

FIXTURES = Path(__file__).parent / "fixtures"
LENGTHS = FIXTURES / "lengths"
NAMES = sorted(p.name for p in LENGTHS.glob("g*.grow"))
RECIPES = [
    *SHIPPED.glob("*.grow"),
    *(SHIPPED.parent / "examples" / "emoji").glob("*.grow"),
    *(SHIPPED.parent / "examples" / "greedy_growing" / "specs").rglob("*.grow"),
]


def codes(spec: Checked) -> list[str]:
    return [found.code for recipe in spec.recipes for found in spec.misfits(recipe)]


@pytest.mark.parametrize("name", NAMES)
def test_a_misfit_gets_its_message(
    name: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(LENGTHS)
    spec = checked(Path(name))
    assert check(Path(name)).diagnostics == ()
    (found,) = spec.misfits("main")
    assert found.code.lower() == name.split("_")[0]
    text = as_text(found, spec.texts, plain) + "\n"
    expected = (LENGTHS / name).with_suffix(".txt")
    if request.config.getoption("--update"):
        expected.write_text(text)
    assert text == expected.read_text()
    printed = growlang("compile", name, "--no-build")
    assert (printed.status, printed.err) == (0, text + "\n")
    assert growlang("compile", name, "--no-build", "--json").status == 0


@pytest.mark.parametrize("name", NAMES)
def test_what_the_help_says_mends_it(name: str) -> None:
    mended = checked(FIXTURES / "mended" / "lengths" / name)
    assert codes(mended) == []
    assert check(mended.path).diagnostics == ()


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_shipped_recipes_fit_their_lengths(path: Path) -> None:
    assert codes(checked(path)) == []


def test_short_trials_are_not_judged() -> None:
    spec = checked(LENGTHS / "g411_rate.grow")
    (phase,) = spec.phases("main")
    for steps, found in ((TRIAL - 1, []), (TRIAL, ["G411"])):
        phases = [phase.model_copy(update={"steps": steps})]
        said = misfits("main", Start(), phases, spec.net, spec.net.table)
        assert [misfit.code for misfit in said] == found


def test_what_is_all_taken_over_may_learn_slowly() -> None:
    spec = checked(LENGTHS / "g411_rate.grow")
    phases = spec.phases("main")
    assert list(misfits("main", Start(origin="path"), phases, spec.net, ())) == []


def test_json_has_nothing_of_it_on_stdout() -> None:
    printed = growlang("compile", LENGTHS / "g411_rate.grow", "--no-build", "--json")
    assert json.loads(printed.out)["model"] == "broken"
    assert "warning[G411]" in printed.err


def test_linear_maps_of_numbers_are_no_table(tmp_path: Path) -> None:
    spec = tmp_path / "numbers.grow"
    text = (LENGTHS / "g412_words.grow").read_text()
    spec.write_text(text.replace("words(64, tokens = 8)", 'number(512, from = ["height"])'))
    found = checked(spec)
    assert 2 * sum(t.parameters for n in found.net.of("text") for t in n.tensors) > (
        found.net.parameters
    )
    assert codes(found) == []
