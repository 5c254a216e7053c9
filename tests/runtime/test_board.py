"""What a run shows while it trains: on TensorBoard, and on boards of other packages."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from signal import SIGTERM
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
from tiny import interrupt_at, metrics, phase, plan, train

from growlang.diagnostics import GrowlangError
from growlang.plans.plan import Plan
from growlang_runtime.report.board import OTHERS
from growlang_runtime.train.trainer import Trainer

BOARDS = Path(__file__).parent.parent / "fixtures" / "boards"
NAMES = ("wandb", "mlflow")


def two_phases() -> Plan:
    return plan([phase("first", 2), phase("last", 1, batch=2)])


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, list[tuple[Any, ...]]]]:
    """The calls of stand-ins for the packages, which are on the path."""
    monkeypatch.syspath_prepend(str(BOARDS))
    yield {name: import_module(name).CALLS for name in NAMES}
    for name in NAMES:
        sys.modules.pop(name, None)


def test_tensorboard_has_curves_grids_phases_and_settings(data: Path) -> None:
    board = EventAccumulator(str(train(two_phases(), data).run / "tensorboard"))
    board.Reload()
    tags = board.Tags()
    assert {"loss", "lr", "phase"} <= set(tags["scalars"])
    assert [(p.step, p.value) for p in board.Scalars("phase")] == [(0, 0), (2, 1)]
    marks = board.Tensors("phase/text_summary")
    assert [m.tensor_proto.string_val[0] for m in marks] == [b"first", b"last"]
    assert [image.step for image in board.Images("samples")] == [2, 3]
    start = board.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    said = plugin_data_pb2.HParamsPluginData.FromString(start).session_start_info.hparams
    assert said["optimizer.adamw.lr"].number_value == 0.01
    assert {name: said[name].number_value for name in ("first: batch", "last: batch")} == {
        "first: batch": 4,
        "last: batch": 2,
    }


def test_wandb_is_told_the_same_and_goes_on_in_its_run(
    data: Path, installed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        interrupt_at(patch, 2)
        train(two_phases(), data, log=("wandb",))
    train(two_phases(), data, log=("wandb",), resume="must")
    begun = [call[1] for call in installed["wandb"] if call[0] == "init"]
    assert [(given["id"], given["project"], given["name"]) for given in begun] == [
        (None, "tiny", "main"),
        ("abc", "tiny", "main"),
    ]
    assert begun[0]["config"]["seed"] == 0
    logged = [call[1:] for call in installed["wandb"] if call[0] == "log"]
    assert [step for step, values in logged if "loss" in values] == [1, 2, 3]
    assert (3, {"samples": "image step_00000003.png"}) in logged
    assert (2, {"phase": 1, "phase_name": "last"}) in logged
    assert [c[1] for c in installed["wandb"] if c[0] == "finish"] == [128 + SIGTERM, 0]


def test_mlflow_is_told_the_same(data: Path, installed: dict[str, Any]) -> None:
    train(two_phases(), data, log=("mlflow",))
    calls = installed["mlflow"]
    assert calls[:2] == [("set_experiment", "tiny"), ("start_run", None, "main")]
    assert next(c[1] for c in calls if c[0] == "log_params")["first/batch"] == 4
    assert [c[1] for c in calls if c[0] == "log_metrics" and "loss" in c[2]] == [1, 2, 3]
    assert ("log_artifact", "step_00000003.png", "samples") in calls
    assert ("set_tag", "phase 1", "last") in calls
    assert calls[-1] == ("end_run", "FINISHED")


@pytest.mark.parametrize("name", NAMES)
def test_a_board_that_fails_is_dropped_and_the_run_goes_on(
    data: Path,
    installed: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    def fails(self: object, step: int, path: Path) -> None:
        raise ConnectionError("no route to host\nsecond line")

    monkeypatch.setattr(OTHERS[name], "grid", fails)
    result = train(two_phases(), data, log=NAMES)
    assert result.finished
    told = f"{name} failed, and is told no more of this run: ConnectionError: no route to host"
    assert [m["text"] for m in metrics(result.run) if m.get("event") == "warning"] == [told]
    assert capsys.readouterr().err.count(told) == 1
    last = {"wandb": ("finish", 0), "mlflow": ("end_run", "FINISHED")}
    ended = {other: calls[-1] == last[other] for other, calls in installed.items()}
    assert ended == {other: other != name for other in NAMES}


def test_boards_are_told_how_a_run_ended(
    data: Path, installed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        interrupt_at(patch, 2)
        train(two_phases(), data, log=NAMES)
    assert installed["mlflow"][-1] == ("end_run", "KILLED")

    def fails(*_: object) -> None:
        raise GrowlangError("the loss is not finite")

    monkeypatch.setattr(Trainer, "_step", fails)
    with pytest.raises(GrowlangError, match="not finite"):
        train(two_phases(), data, log=NAMES, resume="must")
    assert installed["mlflow"][-1] == ("end_run", "FAILED")
    assert installed["wandb"][-1] == ("finish", 2)


def test_a_board_that_cannot_begin_is_one_message_and_leaves_nothing(
    data: Path, installed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(**_: object) -> None:
        raise PermissionError("not logged in")

    monkeypatch.setattr(sys.modules["wandb"], "init", fails)
    with pytest.raises(GrowlangError, match=r"`--log wandb` could not begin: Perm.*not logged in"):
        train(two_phases(), data, log=("mlflow", "wandb"))
    assert installed["mlflow"][-1] == ("end_run", "FAILED")
    assert not (data / "runs/tiny/main").exists()


def test_a_run_that_goes_on_from_another_has_its_settings_too(data: Path) -> None:
    main = train(two_phases(), data).run
    branch = train(plan([phase("first", 2), phase("last", 2)]), data, name="b", from_run=main)
    board = EventAccumulator(str(branch.run / "tensorboard"))
    board.Reload()
    start = board.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    said = plugin_data_pb2.HParamsPluginData.FromString(start).session_start_info.hparams
    assert said["optimizer.adamw.lr"].number_value == 0.01


@pytest.mark.parametrize(
    ("name", "told"),
    [("wandb", "needs the package wandb, which is not installed"), ("excel", "names no board")],
)
def test_a_board_that_is_not_there_is_told_before_anything_is_written(
    data: Path, monkeypatch: pytest.MonkeyPatch, name: str, told: str
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(GrowlangError, match=told):
        train(plan(), data, log=(name,))
    assert not (data / "runs").exists()
