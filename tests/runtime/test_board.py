"""What a run shows while it trains: on TensorBoard, and on boards of other packages."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
from tiny import interrupt_at, phase, plan, train

from growlang.diagnostics import GrowlangError
from growlang.plans.plan import Plan

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
    assert installed["wandb"][-1] == ("finish",)


def test_mlflow_is_told_the_same(data: Path, installed: dict[str, Any]) -> None:
    train(two_phases(), data, log=("mlflow",))
    calls = installed["mlflow"]
    assert calls[:2] == [("set_experiment", "tiny"), ("start_run", None, "main")]
    assert next(c[1] for c in calls if c[0] == "log_params")["first/batch"] == 4
    assert [c[1] for c in calls if c[0] == "log_metrics" and "loss" in c[2]] == [1, 2, 3]
    assert ("log_artifact", "step_00000003.png", "samples") in calls
    assert ("set_tag", "phase 1", "last") in calls
    assert calls[-1] == ("end_run",)


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
