"""The command line of runs: a run for each of several values, and commands that are offered."""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from fixture_specs import growlang
from tiny import metrics

from growlang.cli.sweeping import variants
from growlang.diagnostics import Exit, GrowlangError
from growlang_runtime.storage.run import recorded_plan
from growlang_runtime.train.trainer import Trainer

STORED = Path(__file__).parent.parent / "fixtures" / "runs" / "0.1"
SHORT = ("--set", "train.main.phase.main.for=2", "--log-every", "100")
RUNS = Path("runs/core_8")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(STORED / "data", tmp_path / "data")
    text = (STORED / "core_8.grow").read_text()
    (tmp_path / "core_8.grow").write_text(text.split("evaluate")[0])
    monkeypatch.chdir(tmp_path)


def train(*words: str) -> Any:
    return growlang("train", "core_8.grow", *SHORT, *words)


def test_a_list_of_values_is_a_run_for_each() -> None:
    run = train("--set", "train.main.optimizer.lr=1e-3,3e-4", "--set", "train.main.seed=1")
    assert run.status == 0
    names = ["main-lr=1e-3", "main-lr=3e-4"]
    assert sorted(path.name for path in RUNS.iterdir()) == names
    for number, name in enumerate(names, 1):
        assert f"run {number} of 2: {RUNS / name}\n" in run.err
        value = name.partition("=")[2]
        recorded = recorded_plan(RUNS / name)
        assert recorded.phases[0].settings.optimizer.lr == float(value)
        assert recorded.params["train.main.optimizer.lr"] == value
        assert "phase main for 2" in (RUNS / name / "spec.grow").read_text()
    again = train("--set", "train.main.optimizer.lr=1e-3,3e-4", "--set", "train.main.seed=1")
    assert again.status == 2 and "already exists" in again.err
    assert "run 1 of 2" not in again.err  # all are looked at before the first begins


def test_lists_are_multiplied_and_named() -> None:
    marks = [v.mark for v in variants([("lr", "1,2"), ("a.b", "[1, 2]"), ("a.c", "(1, 3),x y")])]
    assert marks == ["lr=1-c=_1_3", "lr=1-c=x_y", "lr=2-c=_1_3", "lr=2-c=x_y"]
    assert variants([("a.lr", "1,2"), ("b.lr", "3,4")])[0].mark == "a.lr=1-b.lr=3"
    assert variants([("width", "3")])[0].mark == ""
    with pytest.raises(GrowlangError, match="is a list with an empty value"):
        variants([("lr", "1,")])
    with pytest.raises(GrowlangError, match="would have the name `lr=1`"):
        variants([("lr", "1,1")])


def test_all_are_checked_before_one_is_trained() -> None:
    run = train("--set", "train.main.optimizer.lr=1e-3,-1")
    assert run.status == 1
    assert "`lr` must be more than 0, not `-1`" in run.err
    assert not RUNS.exists()


def test_ctrl_c_between_two_runs_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    restored = Trainer.restore

    def interrupted(self: Trainer, found: Any) -> None:
        if self.run.path.name.endswith("=2"):
            raise KeyboardInterrupt
        restored(self, found)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "restore", interrupted)
        stopped = train("--set", "train.main.seed=1,2,3")
    assert stopped.status == 130
    last = stopped.err.splitlines()[-1]
    assert last == "stopped at run 2 of 3; continue with the same command and --resume-or-start"
    assert "Traceback" not in stopped.err
    done = train("--set", "train.main.seed=1,2,3", "--resume-or-start")
    assert done.status == 0
    assert [f"main-seed={n}" in done.err for n in (1, 2, 3)] == [True] * 3
    steps = [m["step"] for m in metrics(RUNS / "main-seed=2") if m.get("event") == "finished"]
    assert steps == [2]


def test_a_run_that_fails_leaves_the_others_to_be_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    step = Trainer._step

    def fails(self: Trainer, *rest: Any) -> None:
        if self.run.path.name.endswith("=1") and self.step == 1:
            raise GrowlangError("the loss is not finite", help="lower it")
        step(self, *rest)

    monkeypatch.setattr(Trainer, "_step", fails)
    run = train("--set", "train.main.seed=1,2")
    assert run.status == 2
    assert "error: the loss is not finite\n  help: lower it" in run.err
    assert run.err.splitlines()[-1] == f"1 of 2 runs failed: {RUNS / 'main-seed=1'}"
    assert (RUNS / "main-seed=2/model.safetensors").exists()


@pytest.mark.parametrize("again", ["--fresh", "--resume-or-start"])
def test_a_run_that_cannot_begin_ends_the_whole_where_an_old_one_is(
    monkeypatch: pytest.MonkeyPatch, again: str
) -> None:
    assert train("--set", "train.main.seed=1").status == 0
    (RUNS / "main").rename(RUNS / "main-seed=1")
    (RUNS / "main-seed=1/model.safetensors").unlink()

    def fails(self: Trainer, found: Any) -> None:
        raise GrowlangError("the data is gone")

    monkeypatch.setattr(Trainer, "restore", fails)
    run = train("--set", "train.main.seed=1,2", again)
    assert run.status == 2
    assert run.err.splitlines()[-1] == "error: the data is gone"
    assert "run 2 of 2" not in run.err
    assert [path.name for path in RUNS.iterdir()] == ["main-seed=1"]


def test_an_output_root_that_is_a_file_is_one_message() -> None:
    Path("file").touch()
    run = train("--out", "file", "--set", "train.main.seed=1,2")
    assert (run.status, run.err.count("error:")) == (2, 1)
    assert "cannot write file/core_8/main-seed=1" in run.err


def test_offered_commands_do_what_they_say() -> None:
    assert train().status == 0
    refused = growlang("train", "core_8.grow", "--set", "train.main.phase.main.for=3", "--resume")
    assert refused.status == Exit.CHANGED
    offered = re.findall(r"^      (growlang train .*)$", refused.err, re.M)
    assert [words.split(" ")[-1] for words in offered] == [
        *("--resume", "main-2", "main-2", "--fresh")
    ]
    for line in (offered[0], offered[1], offered[3]):
        assert growlang(*shlex.split(line)[1:]).status == 0
    assert recorded_plan(RUNS / "main-2").branch is not None
    assert sorted(path.name for path in RUNS.iterdir()) == ["main", "main-2", "main.old-1"]
    sampled = growlang("sample", RUNS / "main.old-1", "-p", "shade 1", "-o", "old.png")
    assert (sampled.status, sampled.out) == (0, "old.png\n")
    assert growlang("sample", f"{RUNS}/main-2@3", "-p", "shade 1", "-o", "2.png").status == 0


def test_a_run_has_no_name_of_another_recipe() -> None:
    run = train("--name", "long")
    assert run.status == 2
    assert "`long` is a recipe of core_8.grow" in run.err
