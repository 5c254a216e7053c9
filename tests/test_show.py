from __future__ import annotations

import re
from pathlib import Path

import pytest
from fixture_specs import SHIPPED, SPECS, checked, findings
from test_fmt import EXAMPLES, formatted, named
from test_yaml import twin
from typer.testing import CliRunner

from growlang.cli import app
from growlang.tools.show import show

PARENTLESS = [
    SPECS / "core.grow",
    SHIPPED / "core_64.grow",
    SHIPPED / "core_256.grow",
    EXAMPLES / "emoji" / "core_32.grow",
]
GROWN = [
    SPECS / "child.grow",
    SPECS / "grandchild.grow",
    SPECS / "blocks.grow",
    SHIPPED / "uvit_512.grow",
    SHIPPED / "vermeer_1024.grow",
]


@pytest.mark.parametrize("path", named(PARENTLESS))
@pytest.mark.parametrize("origin", [False, True])
def test_the_flat_spec_is_the_same_spec(path: Path, origin: bool, tmp_path: Path) -> None:
    flat = tmp_path / "flat.grow"
    flat.write_text(show(checked(path).resolved, origin))
    assert checked(flat).resolved.spec_hash == checked(path).resolved.spec_hash
    assert show(checked(flat).resolved, False) == show(checked(path).resolved, False)


@pytest.mark.parametrize("path", named(GROWN))
def test_the_flat_spec_has_what_is_kept_and_inherited(path: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat.grow"
    text = show(checked(path).resolved, False)
    assert formatted(text) == text
    flat.write_text(re.sub(r"start( +)= parent.*", "start = scratch", text))
    found, old = checked(flat), checked(path)
    assert found.net.parameters == old.net.parameters
    for recipe, other in zip(found.resolved.recipes, old.resolved.recipes, strict=True):
        assert recipe.settings == other.settings
        assert [p.phase for p in recipe.phases] == [p.phase for p in other.phases]


TEXTS = """grow 1
model m {
  tokens = tokens(60_000, 8)
  stem  embed(16)
  core  transformer(16, heads = 2, causal = true)
  head  unembed
}
data corpus = text("corpus/*.jsonl", tokenizer = "gpt2")
data wiki   = hf("wiki", config = "en", tokenizer = "gpt2")
train {
  data = mix(corpus = 0.5, wiki = 0.5)  batch = 4
  phase a for 10
  phase b for 10 { batch = 8 }
}
sample { prompts = ["to be"]  temperature = 0.5  length = 6 }
"""


@pytest.mark.parametrize("origin", [False, True])
def test_a_model_of_tokens_is_shown_with_its_settings_alone(origin: bool, tmp_path: Path) -> None:
    path, flat = tmp_path / "spec.grow", tmp_path / "flat.grow"
    path.write_text(TEXTS)
    flat.write_text(show(checked(path).resolved, origin))
    assert checked(flat).resolved.spec_hash == checked(path).resolved.spec_hash
    words = flat.read_text().split()
    assert {"temperature", "length", "prompts"} < set(words)
    assert not {"guidance", "sampler", "transform"} & set(words)


def test_each_value_says_where_it_comes_from() -> None:
    path = SPECS / "child.grow"
    result = CliRunner().invoke(app, ["show", str(path), "--resolved", "--origin"])
    lines = {
        " ".join(code.split()): place.strip()
        for code, sign, place in (line.partition("#") for line in result.stdout.split("\n"))
        if sign
    }
    assert lines["image = image(size = 32, channels = 3)"] == f"{path}:7"
    assert lines["skips = block"] == "default"
    assert lines["batch = 8"] == f"{SPECS / 'core.grow'}:23"
    assert lines["seed = 3"] == f"{path}:15"
    assert lines["grad_clip = 1.0"] == "default"
    assert lines["guidance = 4.0"] == f"{path}:23"
    assert lines["sampler = ddim(steps = 10, eta = 0.0)"] == f"{SPECS / 'core.grow'}:32"


def test_a_value_from_a_param_names_the_place_of_the_param_too() -> None:
    core = SPECS / "core.grow"
    for path in (core, SPECS / "child.grow"):
        out = CliRunner().invoke(app, ["show", str(path), "--resolved", "--origin"]).stdout
        assert re.search(rf"time +=[^#]*# {core}:10, {core}:3\n", out)
    arguments = ["show", str(core), "--resolved", "--origin", "--set", "width=32"]
    assert f"# {core}:10, --set:1" in CliRunner().invoke(app, arguments).stdout


def test_show_alone_prints_the_canonical_layout() -> None:
    path = SPECS / "core.grow"
    result = CliRunner().invoke(app, ["show", str(path)])
    assert (result.exit_code, result.stdout) == (0, formatted(path.read_text()))


def test_show_prints_yaml_in_yaml_and_what_is_resolved_in_grow(tmp_path: Path) -> None:
    path = tmp_path / "core.grow.yaml"
    path.write_text("# mine\n" + twin(SPECS / "core.grow"))
    run = CliRunner()
    assert run.invoke(app, ["show", str(path)]).stdout == path.read_text()
    resolved = run.invoke(app, ["show", str(path), "--resolved"]).stdout
    assert resolved == show(checked(SPECS / "core.grow").resolved, False)


def test_a_param_that_is_set_is_shown() -> None:
    path = SPECS / "core.grow"
    result = CliRunner().invoke(app, ["show", str(path), "--resolved", "--set", "width=32"])
    assert "fourier(\n    32,\n    embed = reference,\n" in result.stdout


def test_skips_that_join_nothing_are_left_out(tmp_path: Path) -> None:
    """Written out they would be refused; what is left out means the same."""
    path, flat = tmp_path / "spec.grow", tmp_path / "flat.grow"
    path.write_text(
        "grow 1 model m { image = image(16) stem patch(2, 8) stage @ 8 conv(8) core @ 4 conv(8)"
        " head unpatch(2) }"
    )
    assert [item.code for item in findings(path)] == ["G213"]
    flat.write_text(show(checked(path).resolved, False))
    assert "skips" not in flat.read_text()
    assert checked(flat).resolved.spec_hash == checked(path).resolved.spec_hash
