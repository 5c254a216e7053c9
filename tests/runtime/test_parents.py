"""A child trains on the run that its parent's spec describes, or says what differs."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from safetensors import safe_open
from safetensors.torch import save_file
from tiny import train
from typer.testing import CliRunner

from growlang.checking import check
from growlang.cli import app
from growlang.diagnostics import GrowlangError
from growlang.planning import plan
from growlang.plans.plan import Plan
from growlang_runtime.train.result import TrainResult

STORED = Path(__file__).parent.parent / "fixtures" / "runs" / "0.1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A trained parent, its spec, the spec of a child, and the data."""
    shutil.copytree(STORED / "data", tmp_path / "data")
    shutil.copytree(STORED / "runs/core_8/main", tmp_path / "runs/core_8/main")
    for name in ("core_8.grow", "grown_16.grow"):
        text = (STORED / name).read_text()
        (tmp_path / name).write_text(re.sub(r"(frozen|joint) +for \d+", r"\1 for 2", text))
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def grow(folder: Path, model: str = "grown_16", **options: Any) -> TrainResult:
    checked = check(folder / f"{model}.grow").checked
    assert checked is not None
    return train(plan(checked), folder, **options)


def recorded(folder: Path, model: str = "grown_16") -> Plan:
    return Plan.model_validate_json((folder / "runs" / model / "main/plan.json").read_text())


def test_the_parents_run_enters_the_plan(folder: Path) -> None:
    assert grow(folder).finished
    parent, made = recorded(folder, "core_8"), recorded(folder).parent
    assert made is not None
    assert made.run is not None
    assert made.run.spec_hash == parent.spec_hash
    assert made.run.run_hash == parent.run_hash
    assert made.run.objective["diffusion"]["predict"] == "v"
    assert made.weights_hash is not None


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("predict = v", "predict = x", "objective.diffusion.predict: v -> x"),
        ("cosine(base = 8)", "cosine(base = 16)", "schedule.cosine.base: 8 -> 16"),
        ("lr = 1e-2", "lr = 2e-2", "optimizer.adamw.lr: 0.01 -> 0.02"),
        ("phase main for 30", "phase main for 31", "phases.main.steps: 30 -> 31"),
    ],
)
def test_a_parent_that_its_spec_no_longer_describes_is_refused(
    folder: Path, old: str, new: str, told: str
) -> None:
    edit(folder / "core_8.grow", old, new)
    with pytest.raises(GrowlangError, match="was trained with a different version") as error:
        grow(folder)
    assert told in error.value.message
    assert all(w in error.value.help for w in ("--parent-run", "--accept-parent", "core_8.grow"))
    assert not (folder / "runs/grown_16").exists()
    assert grow(folder, accept_parent=True).finished
    run = recorded(folder).parent
    assert run is not None
    assert run.run is not None
    assert any(told in line for line in run.run.accepted)


def test_what_else_the_parents_file_says_may_change(folder: Path) -> None:
    edit(folder / "core_8.grow", "guidance = 1.5", "guidance = 3")
    edit(folder / "core_8.grow", "warmup      = 5", "warmup      = 4")  # of another recipe
    assert grow(folder).finished


def test_a_changed_grandparent_is_told_through_the_generations(folder: Path) -> None:
    assert grow(folder).finished
    (folder / "third.grow").write_text(
        'grow 1\nmodel third grows "grown_16.grow" { keep all }\ntrain { phase main for 2 }\n'
    )
    assert grow(folder, "third").finished
    shutil.rmtree(folder / "runs/third")
    edit(folder / "core_8.grow", "predict = v", "predict = x")
    edit(
        folder / "grown_16.grow",
        "train {",
        "train {\n  objective = diffusion(predict = v, "
        "schedule = cosine(base = 8), drop = [text = 0.2, label = 0.1])",
    )
    with pytest.raises(GrowlangError) as error:
        grow(folder, "third")
    assert "its parent's phases.main.settings.objective.diffusion.predict: v" in error.value.message


def test_a_resumed_child_does_not_look_at_its_parent_again(folder: Path) -> None:
    assert grow(folder).finished
    (folder / "runs/grown_16/main/model.safetensors").unlink()
    shutil.rmtree(folder / "runs/core_8")
    edit(folder / "core_8.grow", "ema       = 0.9", "ema       = 0.8")
    edit(folder / "grown_16.grow", "train {", "train {\n  ema = 0.9")
    assert grow(folder, resume="must").finished


def test_weights_outside_of_a_run_are_held_against_their_last_phase(folder: Path) -> None:
    elsewhere = folder / "elsewhere" / "weights.safetensors"
    elsewhere.parent.mkdir()
    shutil.move(folder / "runs/core_8/main/model.safetensors", elsewhere)
    edit(folder / "core_8.grow", "guidance = 1.5", "guidance = 3")
    assert grow(folder, parent_run=elsewhere).finished
    shutil.rmtree(folder / "runs/grown_16")
    edit(folder / "core_8.grow", "predict = v", "predict = x")
    with pytest.raises(GrowlangError, match=r"objective\.diffusion\.predict: v -> x"):
        grow(folder, parent_run=elsewhere)


def test_accepted_differences_are_json(folder: Path) -> None:
    edit(folder / "core_8.grow", "batch     = 4", "batch     = 5")
    grow(folder, accept_parent=True)
    said = json.loads((folder / "runs/grown_16/main/plan.json").read_text())
    assert said["parent"]["run"]["accepted"] == ["phases.main.settings.batch: 4 -> 5"]


def test_what_was_accepted_need_not_be_accepted_again(folder: Path) -> None:
    edit(folder / "core_8.grow", "batch     = 4", "batch     = 5")
    grow(folder, accept_parent=True)
    run = folder / "runs/grown_16/main"  # as it was before its first checkpoint
    for path in (run / "model.safetensors", run / "metrics.jsonl"):
        path.unlink()
    for path in (*(run / "checkpoints").iterdir(), run / "samples"):
        shutil.rmtree(path)
    assert grow(folder, resume="must").finished


def test_weights_that_were_put_into_a_runs_folder_are_not_taken_for_its_own(folder: Path) -> None:
    shutil.copytree(folder / "runs/core_8", folder / "trained")
    spec = (folder / "core_8.grow").read_text()
    edit(folder / "core_8.grow", "predict = v", "predict = x")
    shutil.rmtree(folder / "runs/core_8")
    assert grow(folder, "core_8").finished
    own = folder / "runs/core_8/main/model.safetensors"
    shutil.copy(folder / "trained/main/model.safetensors", own)
    with pytest.raises(GrowlangError, match=r"objective\.diffusion\.predict: v -> x"):
        grow(folder)
    (folder / "core_8.grow").write_text(spec)
    assert grow(folder).finished


def test_weights_outside_of_a_run_must_say_what_they_were_trained_for(folder: Path) -> None:
    elsewhere = folder / "weights.safetensors"
    with safe_open(folder / "runs/core_8/main/model.safetensors", framework="pt") as file:
        tensors, said = {n: file.get_tensor(n) for n in file.keys()}, file.metadata()  # noqa: SIM118
    save_file(tensors, elsewhere, {k: v for k, v in said.items() if k != "settings"})
    with pytest.raises(GrowlangError, match="its metadata has no `settings`"):
        grow(folder, parent_run=elsewhere)
    save_file(tensors, elsewhere, said | {"settings": "{}"})
    with pytest.raises(GrowlangError, match=r"cannot be read \(data: Field required\)"):
        grow(folder, parent_run=elsewhere)


def test_a_parents_run_that_was_named_must_exist(folder: Path) -> None:
    with pytest.raises(GrowlangError, match="there is no run of the parent at nowhere") as error:
        grow(folder, parent_run=Path("nowhere"))
    assert "--with-parents" not in error.value.help


def test_parents_are_trained_only_where_their_weights_are_read(folder: Path) -> None:
    out, parent = folder / "runs", folder / "runs/core_8"

    def ask(*options: str) -> Result:
        words = ["train", folder / "grown_16.grow", "--out", out, "--with-parents", *options]
        return CliRunner().invoke(app, [str(word) for word in words])

    shutil.move(parent, folder / "elsewhere")
    refused = ask("--resume").exception
    assert isinstance(refused, GrowlangError) and "nothing to resume" in refused.message
    assert ask("--parent-run", str(folder / "elsewhere/main")).exit_code == 0
    refused = ask().exception
    assert isinstance(refused, GrowlangError) and "already exists" in refused.message
    (out / "grown_16/main/model.safetensors").unlink()
    assert ask("--resume").exit_code == 0
    assert not parent.exists()
    shutil.rmtree(out / "grown_16")
    assert ask("--resume-or-start").exit_code == 0
    assert parent.exists()
