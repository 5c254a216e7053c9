"""`--set PATH=VALUE`: a setting as if it were written in the file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fixture_specs import SPECS, checked, edited, growlang, without_evaluate

from growlang.checking import Checked, check
from growlang.diagnostics import GrowlangError
from growlang.planning import plan
from growlang.yaml.convert import to_yaml

CORE, CHILD = SPECS / "core.grow", SPECS / "child.grow"
EVERYWHERE = {
    "width": "2 * 16",
    "train.first.optimizer.lr": "3e-4",
    "train.first.optimizer.betas": "[0.8, 0.9]",
    "train.first.objective.schedule.base": "32",
    "train.first.grad_clip": "2",
    "train.second.batch": "4",
    "train.first.phase.learn.lr": "1e-4",
    "train.first.phase.learn.lr_scale.core.transformer[0]": "0.5",
    "train.second.phase.learn.for": "epochs(2)",
    "sample.sampler.steps": "5",
    "data.pictures.caption": '"txt"',
}
"""A value in each kind of place."""


def given(path: Path, values: dict[str, str]) -> Checked:
    return check(path, values).require(path)


def test_a_setting_is_as_if_it_were_written(tmp_path: Path) -> None:
    written = edited(
        CORE,
        tmp_path / "written.grow",
        ("adamw(lr = 1e-3)", "adamw(lr = 3e-4, weight_decay = 0)"),
        ("for 100", "for 100 { ema = 0.5 }"),
        ("guidance = 2.0", "guidance = 7"),
    )
    values = {
        "train.first.optimizer.lr": "3e-4",
        "train.first.optimizer.weight_decay": "0",
        "train.first.phase.learn.ema": "0.5",
        "sample.guidance": "7",
    }
    assert given(CORE, values).spec_hash == checked(written).spec_hash


def test_the_name_of_the_only_recipe_may_be_left_out(tmp_path: Path) -> None:
    text = CORE.read_text()
    (tmp_path / "one.grow").write_text(text.split("train second")[0])
    short = given(tmp_path / "one.grow", {"train.batch": "4"})
    assert short.spec_hash == given(tmp_path / "one.grow", {"train.first.batch": "4"}).spec_hash


def test_a_part_of_what_is_inherited_or_left_out_keeps_the_rest() -> None:
    made = plan(given(CHILD, {"train.scratch.optimizer.betas": "[0.5, 0.6]"}), "scratch")
    optimizer = made.phases[0].settings.optimizer
    assert (optimizer.lr, optimizer.call) == (
        plan(checked(CHILD)).phases[0].settings.optimizer.lr,
        "adamw",
    )
    objective = plan(given(CORE, {"train.first.objective.schedule.max": "9"})).phases[0].settings
    said = objective.objective.arguments()["schedule"]
    assert (said["cosine"]["base"], said["cosine"]["max"]) == (64, 9)


@pytest.mark.parametrize("yaml", [False, True])
def test_what_is_recorded_says_the_same_alone(tmp_path: Path, yaml: bool) -> None:
    path = tmp_path / ("core.grow.yaml" if yaml else "core.grow")
    document = checked(CORE).resolved.document
    path.write_text(to_yaml(document) if yaml else CORE.read_text())
    made = given(path, EVERYWHERE)
    assert plan(made).params == EVERYWHERE
    path.write_text(plan(made).source)
    assert checked(path).spec_hash == made.spec_hash
    assert "a small parent" in path.read_text()


def test_the_recorded_text_differs_in_what_was_set_alone() -> None:
    values = {
        "train.first.optimizer.lr": "3e-4",
        "train.first.seed": "3",
        "train.first.phase.learn.lr": "1e-5",
    }
    before, after = (text.splitlines() for text in (CORE.read_text(), given(CORE, values).text))
    assert [line for line in after if line not in before] == [
        "  optimizer = adamw(lr = 0.0003)",
        "  seed = 3",
        "  phase learn for 100 { lr = 0.00001 }".replace("0.00001", "1e-05"),
    ]
    assert len([line for line in before if line not in after]) == 2


@pytest.mark.parametrize(
    ("value", "said", "caret"),
    [
        ("train.first.optimizer.lr=-3", "`lr` must be more than 0, not `-3`", "-3"),
        ("train.first.optimizr.lr=3", "help: did you mean `optimizer`?", "optimizr"),
        ("train.first.bacth=3", "unknown setting `bacth`", "bacth"),
        ("train.first.optimizer.rate=3", "`adamw` has no argument `rate`", "rate=3"),
        ("train.first.optimizer=lion(lr = 3)", "`lion` cannot be called here", "lion"),
        ("train.first.batch.size=3", "`batch` is `8` and has no `size`", "size"),
        ("train.optimizer.lr=3", "write `train.first.optimizer.lr` or `train.second", "optimizer"),
        ("train.third.optimizer.lr=3", "its recipes: first, second", "third"),
        ("train.first.phase.lern.lr=3", "did you mean `learn`?", "lern"),
        ("train.first.phase.lr=3", "its phases: learn", "lr"),
        ("train.first.phase.learn.for=0.5", "the duration in steps must be", "0.5"),
        ("train.first.phase.learn.lr_scale.cor=1", "`cor`", "cor"),
        ("sample.guidance=-1", "`guidance` must be at least 0, not `-1`", "-1"),
        ("sample.sampler.steps=0", "`steps` must be at least 1, not `0`", "0"),
        ("data.images.urls=3", "unknown data `images`", "images"),
        ("trian.batch=3", "did you mean `train`?", "trian"),
    ],
)
def test_a_mistake_is_told_at_its_place_in_the_command_line(
    value: str, said: str, caret: str
) -> None:
    for more in ((), ("--set", "sample.sampler.steps=3")):
        run = growlang("compile", CORE, "--no-build", *more, "--set", value)
        assert run.status == 1
        assert said in run.err
        lines = run.err.splitlines()
        at = next(i for i, line in enumerate(lines) if f"--set {value}" in line and "|" in line)
        begin = lines[at].index("--set") + len("--set ") + value.rindex(caret)
        assert lines[at + 1].index("^") == begin
        assert lines[at + 1].count("^") == len(caret)


def test_what_is_no_value_or_no_param_is_one_message() -> None:
    for value, said in (
        ("lr=3", "help: write `--set train.optimizer.lr=...` for the setting of that name"),
        ("train.first.batch=a b", "`--set train.first.batch=a b` is not PATH=VALUE"),
        ("train..batch=1", "two dots"),
        ("train.first.batch=1) param z = (2", "is not PATH=VALUE"),
    ):
        run = growlang("compile", CORE, "--no-build", "--set", value)
        assert (run.status, said in run.err) == (2, True), run.err
    with pytest.raises(GrowlangError, match="has no param `lr`"):
        check(CORE, {"lr": "3"})


def test_commands_take_settings(tmp_path: Path) -> None:
    path = tmp_path / "core.grow"
    path.write_text(without_evaluate(CORE))
    shown = growlang("show", path, "--resolved", "--origin", "--set", "train.first.batch=4").out
    assert re.search(r"batch += 4 +# --set:1\n", shown)
    phases = growlang("compile", path, "--no-build", "--set", "train.first.phase.learn.for=7").out
    assert "7 steps" in phases
