"""Plans that are pinned in a file, and runs that are held to them."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import growlang
from growlang.cli import app
from growlang.diagnostics import GrowlangError
from growlang.plans.pins import read_pinned

STORED = Path(__file__).parent.parent / "fixtures/runs/0.1"
CLOSE = ["--set", "train.main.phase.frozen.for=1", "--set", "train.main.phase.joint.for=1"]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stored project of 0.1, whose parent is trained."""
    for name in ("core_8.grow", "grown_16.grow"):
        shutil.copy(STORED / name, tmp_path)
    shutil.copytree(STORED / "data", tmp_path / "data")
    shutil.copytree(STORED / "runs/core_8", tmp_path / "runs/core_8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def planned(*more: str, output: str = "plan.json") -> Result:
    found = ran("plan", "grown_16.grow", *CLOSE, "-o", output, *more)
    assert found.exception is None, found.exception
    return found


def refused(*more: str) -> GrowlangError:
    return refused_with("train", "--plan", "plan.json", *more)


def refused_with(*arguments: str) -> GrowlangError:
    found = ran(*arguments)
    assert isinstance(found.exception, GrowlangError), found.output
    return found.exception


def edit(name: str, old: str, new: str) -> None:
    path = Path(name)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_a_plan_says_what_a_run_would_be_made_of() -> None:
    out = planned().output
    assert "grown_16, recipe main, grown from core_8" in out
    assert "copied" in out and "dropped" in out
    assert "frozen  1 steps" in out
    assert "shades       16       1" in out
    assert "runs/core_8/main/model.safetensors, sha256 " in out
    assert "train it: growlang train --plan plan.json" in out


def test_equal_inputs_give_equal_bytes_and_nothing_is_written_over() -> None:
    planned()
    before = Path("plan.json").read_bytes()
    again = ran("plan", "grown_16.grow", *CLOSE, "-o", "plan.json")
    assert isinstance(again.exception, GrowlangError)
    assert "already exists" in again.exception.message
    planned("--force")
    assert Path("plan.json").read_bytes() == before
    Path("notes.json").write_text("[]")
    other = ran("plan", "grown_16.grow", "-o", "notes.json", "--force")
    assert isinstance(other.exception, GrowlangError)
    assert Path("notes.json").read_text() == "[]"


def test_a_plan_that_holds_is_trained_and_recorded_as_it_was_pinned() -> None:
    planned()
    found = ran("train", "--plan", "plan.json")
    assert found.exit_code == 0, found.output
    recorded = json.loads(Path("runs/grown_16/main/plan.json").read_text())
    pinned = read_pinned(Path("plan.json")).plan
    assert recorded["data"] == pinned.data
    assert pinned.parent is not None
    assert recorded["parent"]["weights_hash"] == pinned.parent.weights_hash
    shutil.rmtree("runs/core_8")  # a finished run needs no parent any more
    assert ran("train", "--plan", "plan.json", "--resume").exit_code == 0


def test_another_setting_is_refused_with_both_places() -> None:
    planned()
    edit("grown_16.grow", "lr_scale core = 0.5", "lr_scale core = 0.25")
    error = refused()
    assert error.exit_status == 10
    assert "`lr_scale core = 0.5` (grown_16.grow:16) -> `lr_scale core = 0.25`" in error.message
    assert "growlang plan grown_16.grow --set train.main.phase.frozen.for=1" in error.help


def test_what_says_the_same_otherwise_is_no_difference() -> None:
    planned()
    edit("grown_16.grow", "drop stem, head", "drop stem, head  # both ends")
    assert ran("train", "grown_16.grow", "--plan", "plan.json").exit_code == 0


def test_another_mapping_is_refused_by_statement_and_tensor() -> None:
    planned()
    edit("grown_16.grow", "drop stem, head", "drop stem, head\n  init stem.patch[0].proj = zero")
    error = refused()
    assert "not there -> `init stem.patch[0].proj = zero` (grown_16.grow:6)" in error.message
    assert "mapping of stem.patch.0.proj.weight: reinitialised" in error.message


def test_a_change_of_the_parents_spec_is_refused() -> None:
    planned()
    edit("core_8.grow", "adamw(lr = 1e-2)", "adamw(lr = 2e-2)")
    message = refused().message
    assert "lr = 0.01" in message and "lr = 0.02" in message and "core_8.grow:23" in message


def test_other_samples_are_refused_by_shard() -> None:
    planned()
    shard = Path("data/shades.tar")
    with tarfile.open(shard) as old:
        kept = [(m, old.extractfile(m).read()) for m in old][3:]  # type: ignore[union-attr]
    with tarfile.open(shard, "w") as new:
        for member, content in kept:
            new.addfile(member, io.BytesIO(content))
    message = refused().message
    assert "data shades: data/shades.tar: 16 samples in " in message
    assert "-> 15 samples in " in message


def test_other_weights_of_the_parent_are_refused() -> None:
    planned()
    shutil.rmtree("runs/core_8/main")
    message = refused().message
    assert "the parent's weights: " in message
    assert "-> not trained yet (runs/core_8/main)" in message
    shutil.copytree(STORED / "runs/core_8/long", "runs/core_8/main")
    assert "the parent's weights: " in refused().message


def test_a_parent_that_is_not_trained_yet_is_told_and_may_be_trained_then() -> None:
    shutil.move("runs/core_8", "elsewhere")
    out = planned().output
    assert "the parent core_8, which is not trained yet: there are none at runs/core_8/main" in out
    shutil.move("elsewhere", "runs/core_8")
    assert ran("train", "--plan", "plan.json").exit_code == 0


def test_data_that_is_not_there_is_told_and_not_pinned() -> None:
    shutil.move("data", "elsewhere")
    found = ran("plan", "grown_16.grow")
    assert found.exit_code == 0
    assert "data: not there: " in found.output
    found = ran("plan", "grown_16.grow", "-o", "plan.json")
    assert isinstance(found.exception, GrowlangError)
    assert not Path("plan.json").exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            '"format_version": 1,\n "growlang"',
            '"format_version": 2,\n "growlang"',
            "a later version",
        ),
        ('"frozen"', '"thawed"', "it was changed after it was made"),
        ('"growlang pinned plan"', '"other"', "it is JSON, but no plan"),
        ('\n "plan": {', '\n "plan": {{', "it is torn, or no plan"),
    ],
)
def test_files_that_are_no_plan_of_this_version_are_refused(old: str, new: str, said: str) -> None:
    planned()
    edit("plan.json", old, new)
    error = refused()
    assert said in error.message
    assert error.exit_status == 2


def test_half_a_file_and_the_record_of_a_run_are_no_plans() -> None:
    planned()
    text = Path("plan.json").read_text()
    for end in range(0, len(text) - 2, len(text) // 20):
        Path("plan.json").write_text(text[:end])
        assert "it is torn" in refused().message
    Path("plan.json").write_text((STORED / "runs/core_8/main/plan.json").read_text())
    assert "it is the record of a run" in refused().message


def test_a_plan_is_not_asked_to_be_another() -> None:
    planned()
    assert "--set gives others" in refused("--set", "train.seed=1").message
    assert "is of recipe main, not of carry" in refused("--recipe", "carry").message
    Path("grown_16.grow").rename("moved.grow")
    assert "is of the spec grown_16.grow, which is not there" in refused().message
    found = ran("train")
    assert isinstance(found.exception, GrowlangError)
    assert "there is nothing to train" in found.exception.message


def test_of_a_call_over_several_lines_the_arguments_that_differ_are_told_with_its_place() -> None:
    planned()
    edit("core_8.grow", "schedule = cosine(base = 8), drop", "schedule = cosine(base = 4), drop")
    edit("core_8.grow", "attend = [self, text, label])", "attend = [self, text, label], mlp = 2)")
    message = refused().message
    assert (
        "`core @ 4 transformer(..., mlp = 4.0, ...)` (core_8.grow:12, core_8.grow:3) -> "
        "`core @ 4 transformer(..., mlp = 2.0, ...)`" in message
    )
    assert "`objective = diffusion(..., schedule = cosine(base = 8, ...)` (core_8.grow:2" in message


def test_the_plan_of_another_model_is_told_in_one_line() -> None:
    assert ran("plan", "grown_16.grow", "-o", "plan.json").exception is None
    error = refused_with("train", "core_8.grow", "--plan", "plan.json")
    assert error.exit_status == 10
    assert (
        error.message
        == "plan.json is a plan of grown_16 (grown_16.grow), and core_8.grow has core_8"
    )


def test_commands_that_are_offered_are_held_to_the_plan_and_plan_with_its_options() -> None:
    shutil.move("data", "elsewhere/data")
    found = ran(
        "plan", "grown_16.grow", "--recipe", "carry", "--data-root", "elsewhere", "-o", "plan.json"
    )
    assert found.exception is None, found.exception
    shutil.copytree("runs/core_8/main", "runs/grown_16/carry")
    assert "train grown_16.grow --plan plan.json" in refused().help
    assert "--recipe" not in refused().help
    edit("grown_16.grow", "phase joint for 40", "phase joint for 41")
    assert (
        "growlang plan grown_16.grow --recipe carry --data-root elsewhere -o plan.json --force"
        in refused("--fresh").help
    )


def test_a_recipe_that_is_called_main_is_named_where_it_is_not_the_first() -> None:
    text = Path("core_8.grow").read_text()
    text = text.replace("train {", "train first {").replace("train long {", "train {")
    Path("core_8.grow").write_text(text)
    error = refused_with("train", "core_8.grow", "--recipe", "main")
    assert "growlang train core_8.grow --recipe main --name main-2" in error.help


def test_a_run_of_python_is_held_to_a_plan_too() -> None:
    planned()
    edit("grown_16.grow", "lr_scale core = 0.5", "lr_scale core = 0.25")
    with pytest.raises(GrowlangError, match=r"plan\.json is no longer what grown_16.grow gives"):
        growlang.train(growlang.load("grown_16.grow"), plan="plan.json")


def test_a_pipe_is_no_plan() -> None:
    os.mkfifo("plan.json")  # to open it would wait for ever
    assert "it is not a regular file" in refused().message


def test_a_plan_is_written_into_a_folder_that_is_there() -> None:
    found = ran("plan", "grown_16.grow", "-o", "a/b/plan.json")
    assert isinstance(found.exception, FileNotFoundError)
    assert (found.exception.strerror, found.exception.filename) == (
        "there is no such folder",
        "a/b",
    )


@pytest.mark.slow
def test_two_processes_are_held_to_a_plan_and_say_once_what_differs() -> None:
    planned()
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [*launcher, "-m", "growlang", "train", "--plan", "plan.json", "--device", "cpu"]

    def in_two(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *more], env=environment, capture_output=True, text=True)

    done = in_two()
    assert done.returncode == 0, done.stderr
    assert Path("runs/grown_16/main/model.safetensors").exists()
    assert in_two("--resume").returncode == 0
    again = in_two()
    assert again.stderr.count("already exists") == 1
    assert "-m growlang train grown_16.grow --plan plan.json" in again.stderr
    edit("grown_16.grow", "lr_scale core = 0.5", "lr_scale core = 0.25")
    differing = in_two("--fresh")
    assert differing.stderr.count("plan.json is no longer what grown_16.grow gives") == 1
    assert "exitcode  : 10" in differing.stderr  # of the first; torchrun may stop the other
    assert Path("runs/grown_16/main/model.safetensors").exists()
