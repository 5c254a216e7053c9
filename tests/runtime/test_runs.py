"""What is said of runs: in a list, side by side, and of their weights."""

import fcntl
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from fixture_specs import growlang
from PIL import Image
from tiny import metrics, phase, plan, settings, train

from growlang.plans.plan import Plan
from growlang.spec.optimizers import AdamW
from growlang.spec.recipe import Validation
from growlang_runtime.report.curves import drawn
from growlang_runtime.report.history import Point
from growlang_runtime.report.runs import _row, runs_in, summary_of

STORED = Path(__file__).parent.parent / "fixtures" / "runs" / "0.1" / "runs"


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A copy of the runs of 0.1."""
    return Path(shutil.copytree(STORED, tmp_path / "runs"))


def watched(lr: float) -> Plan:
    """A plan that is validated on half of its data."""
    (source,) = settings().data
    held = [source.model_copy(update={"holdout": 0.5})]
    chosen = Validation(data=held, transform=settings().transform, holdout=0.5)
    return plan([phase(steps=3, data=held, optimizer=AdamW(lr=lr))], validation=chosen)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of one net at two learning rates."""
    from tiny import write_data

    folder = write_data(tmp_path_factory.mktemp("two"))
    for name, lr in (("slow", 1e-3), ("fast", 1e-2)):
        train(watched(lr), folder, name, quiet=True, validate_every=1)
    return folder


def test_runs_of_every_version_are_listed(stored: Path, two: Path) -> None:
    found = {str(run.path.relative_to(stored)): run for run in runs_in(stored).runs}
    assert {name: (run.state, run.step, run.steps) for name, run in found.items()} == {
        "core_8/long": ("stopped", 13, 70),
        "core_8/main": ("finished", 30, 30),
        "grown_16/carry": ("stopped", 21, 40),
        "grown_16/main": ("stopped", 12, 45),
    }
    assert found["grown_16/main"].parent == "core_8/main"
    told = growlang("runs", two, "--json")
    listed = json.loads(told.out)
    assert listed["format_version"] == 1
    run = next(run for run in listed["runs"] if "fast" in run["path"])
    losses = {li["step"]: li["averaged"] for li in metrics(Path(run["path"])) if "averaged" in li}
    best = min(losses, key=losses.__getitem__)
    assert run["validation"] == {"last": losses[3], "best": losses[best], "best_step": best}
    assert (run["model"], run["recipe"], run["state"]) == ("tiny", "main", "finished")


def test_a_best_loss_is_one_of_validation(stored: Path, two: Path) -> None:
    for folder, has in ((stored, False), (two, True)):
        summary = next(run for run in runs_in(folder).runs if run.history.training)
        assert bool(_row(summary, folder)[6]) is has
        assert _row(summary, folder)[4]


def test_a_run_that_trains_is_running(stored: Path) -> None:
    path = stored / "core_8/long"
    lock = os.open(path / ".lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert summary_of(path).state == "running"
    os.close(lock)
    assert summary_of(path).state == "stopped"


def test_runs_behind_links_are_listed_once(stored: Path, tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    shown.mkdir()
    for name in ("a", "b"):
        (shown / name).symlink_to(stored / "core_8")
    assert [run.path for run in runs_in(shown).runs] == [shown / "a/long", shown / "a/main"]


@pytest.mark.parametrize(
    ("name", "damaged", "told"),
    [
        ("core_8/long", "checkpoints/step_00000013/state.safetensors", "10 bytes instead of"),
        ("core_8/main", "model.safetensors", "model.safetensors"),
        ("grown_16/main", "plan.json", "cannot read its plan.json"),
    ],
)
def test_what_cannot_be_read_is_torn(stored: Path, name: str, damaged: str, told: str) -> None:
    with (stored / name / damaged).open("r+b") as file:
        file.truncate(10)
    found = summary_of(stored / name)
    assert found.state == "torn"
    assert told in found.remark
    shown = growlang("runs", stored)
    assert shown.status == 0
    assert f"{stored / name} is torn" in shown.out


def test_a_run_with_an_older_whole_checkpoint_is_to_be_resumed(stored: Path) -> None:
    folder = stored / "core_8/long/checkpoints"
    whole, newest = folder / "step_00000012", folder / "step_00000013"
    shutil.copytree(newest, whole)
    (newest / "state.safetensors").write_bytes(b"torn")
    shown = growlang("runs", "--status", stored / "core_8/long", "--json")
    assert (shown.status, json.loads(shown.out)["state"]) == (4, "stopped")
    (whole / "state.json").unlink()
    shown = growlang("runs", "--status", stored / "core_8/long")
    assert (shown.status, "step_00000013: state.safetensors has 4 bytes" in shown.out) == (1, True)


def test_where_nothing_is_nothing_is_listed(tmp_path: Path) -> None:
    assert growlang("runs", tmp_path).out == f"no runs in {tmp_path}\n"
    missing = growlang("runs", tmp_path / "nowhere")
    assert (missing.status, "there is no folder" in missing.err) == (2, True)


# --- two runs ------------------------------------------------------------------------------------


def test_two_runs_side_by_side(two: Path, tmp_path: Path) -> None:
    a, b = two / "slow/tiny/main", two / "fast/tiny/main"
    output = tmp_path / "grids.png"
    told = json.loads(growlang("compare", a, b, "--json", "-o", output).out)
    assert told["settings"] == [{"name": "optimizer.adamw.lr", "a": "0.001", "b": "0.01"}]
    rows = {row["step"]: (row["a"], row["b"]) for row in told["losses"]["loss"]}
    expected = ({li["step"]: li["loss"] for li in metrics(run) if "loss" in li} for run in (a, b))
    first, last = expected
    assert rows == {step: (first[step], last[step]) for step in (1, 2, 3)}
    assert [row["step"] for row in told["losses"]["validation"]] == [1, 2, 3]
    left = Image.open(a / "samples/step_00000003.png")
    both = Image.open(output)
    assert both.width > 2 * left.width
    assert (
        both.crop((0, 24, left.width, 24 + left.height)).tobytes() == left.convert("RGB").tobytes()
    )
    again = growlang("compare", a, b, "-o", output)
    assert (again.status, "already exists" in again.err) == (2, True)


def test_runs_are_compared_up_to_a_step_and_up_to_their_best(two: Path) -> None:
    a, b = two / "slow/tiny/main", two / "fast/tiny/main"
    told = json.loads(growlang("compare", f"{a}@best", f"{b}@3", "--json").out)
    assert told["losses"]["loss"][0]["step"] == 1
    nowhere = growlang("compare", a, two / "nowhere")
    assert (nowhere.status, "does not exist" in nowhere.err) == (2, True)


def test_stored_runs_are_compared(stored: Path) -> None:
    told = growlang("compare", stored / "grown_16/carry", stored / "grown_16/main")
    assert told.status == 0, told.err
    assert "moments = carry" in told.out
    assert "loss over the steps, logarithmic" in told.out


def test_curves_are_drawn_where_they_are() -> None:
    a = tuple(Point(step, 10.0 ** -(step // 4)) for step in range(9))
    b = tuple(Point(step, 1.0) for step in range(9))
    lines = drawn([a, b], width=9, height=3)
    assert lines == [
        "   1 |****bbbbb",
        "     |    aaaa",
        "0.01 |        a",
        "     +---------",
        "      0       8",
    ]
    assert drawn([(), ()]) == []


def differing(out: str) -> dict[str, dict[str, Any]]:
    return {row["component"]: row for row in json.loads(out)["weights"]}


def test_weights_of_equal_nets_are_told_apart(two: Path) -> None:
    a, b = two / "slow/tiny/main", two / "fast/tiny/main"
    told = growlang("diff", a, b)
    assert told.out.startswith("The nets of tiny and tiny are equal, the weights are not.")
    apart = growlang("diff", a, b / "model.safetensors", "--json", "--exit-code")
    assert apart.status == 1
    rows = differing(apart.out)
    assert rows.keys() == {"text", "time", "stem", "core", "head"}
    relative = [row["relative"] for row in rows.values()]
    assert relative == sorted(relative, reverse=True)
    assert rows["stem"]["tensor"].startswith("stem.")
    lines = growlang("diff", a, b, "-v", "--only", "stem").out.splitlines()
    assert sum(line.startswith("stem.patch.0.proj.") for line in lines) == 2
    assert not any(line.startswith(("core", "head")) for line in lines)
    part = json.loads(growlang("diff", a, b, "--only", "stem", "--json").out)
    assert [row["component"] for row in part["weights"]] == ["stem"]
    largest = max(part["weights_by_tensor"], key=lambda row: row["largest"])
    assert rows["stem"]["tensor"] == largest["tensor"]
    same = growlang("diff", f"{a}@3", a, "--exit-code")
    assert same.status == 0
    assert "and so are the weights" in same.out
