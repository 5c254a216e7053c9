"""A run that is interrupted, killed or damaged goes on bit for bit."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny import CORE, full_disk, interrupt_at, metrics, net, phase, plan, state, train

from growlang.diagnostics import GrowlangError
from growlang_runtime.report.runs import summary_of
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.record import Record
from growlang_runtime.storage.run import Run
from growlang_runtime.train.ema import EMA
from growlang_runtime.train.result import TrainResult


def files_of(result: TrainResult) -> list[Path]:
    return sorted(path for path in result.run.rglob("*") if path.name != ".lock")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_goes_on_bit_for_bit(
    data: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    phases = [
        phase("first", 5, frozen=CORE),
        phase("second", 4, batch=3, ema=0.5, own_schedule=True, warmup=2),
    ]
    model = net(dropout=0.3)
    whole = train(plan(phases, model), data)
    for step in (2, 5, 7):
        with monkeypatch.context() as patch:
            interrupt_at(patch, step, number)
            stopped = train(plan(phases, model), data, "cut", resume="may")
        assert (stopped.step, stopped.exit_status) == (step, 128 + number)
        assert not stopped.finished
    resumed = train(plan(phases, model), data, "cut", resume="must")
    assert resumed.finished
    assert state(resumed) == state(whole)
    grids = [
        {p.name: p.read_bytes() for p in run.glob("samples/*.png")}
        for run in (whole.run, resumed.run)
    ]
    assert grids[0] == grids[1]
    assert len(grids[0]) == 2  # at the ends of the phases; one fell on a stop
    measured = [
        [(line["step"], line["loss"], line["lr"]) for line in metrics(r.run) if "loss" in line]
        for r in (whole, resumed)
    ]
    assert measured[0] == measured[1]


SCRIPT = """
import os
import signal
import sys
from pathlib import Path
sys.path[:0] = sys.argv[1].split(":")
import pytest
from tiny import interrupt_at, phase, plan, train
folder = Path(sys.argv[2])
for step, number in ((6, signal.SIGTERM), (13, signal.SIGKILL)):
    if not os.fork():
        interrupt_at(pytest.MonkeyPatch(), step, number)
        given = plan([phase(steps=20)])
        result = train(given, folder, "killed", resume="may", checkpoint_every=4)
        os._exit(result.exit_status)
    print(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def test_a_killed_process_goes_on_bit_for_bit(data: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, ":".join(sys.path), str(data)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stdout.split() == [str(128 + signal.SIGTERM), str(-signal.SIGKILL)], done.stderr
    (again,) = (line for line in done.stderr.splitlines() if "continue with: " in line)
    assert "continue with: growlang train tiny.grow" in again
    assert again.endswith("--resume")
    assert summary_of(data / "killed" / "tiny" / "main").state == "killed"
    killed = train(plan([phase(steps=20)]), data, "killed", resume="must")
    assert state(killed) == state(train(plan([phase(steps=20)]), data))
    assert [line["step"] for line in metrics(killed.run) if "loss" in line] == list(range(1, 21))


def test_an_existing_run_is_refused_and_a_complete_one_says_so(
    data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first = train(plan(), data)
    with pytest.raises(GrowlangError, match="already exists"):
        train(plan(), data)
    before = files_of(first)
    for path in before:
        os.utime(path, ns=(1, 1))
    again = train(plan(), data, resume="must")
    assert again.finished
    assert "is finished: all 4 steps are done" in capfd.readouterr().err
    assert files_of(first) == before
    assert {path.stat().st_mtime_ns for path in before} == {1}


def test_a_torn_checkpoint_is_skipped_and_named(
    data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = train(plan([phase(steps=6)]), data)
    with monkeypatch.context() as patch:
        interrupt_at(patch, 4)
        stopped = train(plan([phase(steps=6)]), data, "cut", checkpoint_every=2)
    torn = stopped.run / "checkpoints" / "step_00000004"
    (torn / "state.safetensors").write_bytes(b"half")
    resumed = train(plan([phase(steps=6)]), data, "cut", resume="must", checkpoint_every=2)
    assert f"removed a damaged checkpoint: {torn}" in capfd.readouterr().err
    assert state(resumed) == state(whole)
    assert checkpoint.read(torn).step == 4


def test_a_damaged_checkpoint_never_takes_the_place_of_a_valid_one(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = plan([phase(steps=9)])
    with monkeypatch.context() as patch:
        interrupt_at(patch, 6)
        stopped = train(given, data, checkpoint_every=2)
    folder = stopped.run / "checkpoints"
    file = folder / "step_00000006" / "state.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\1")
    with monkeypatch.context() as patch:
        interrupt_at(patch, 5)
        train(given, data, resume="must", keep_checkpoints=1)
    assert [p.name for p in folder.iterdir()] == ["step_00000005"]
    found, torn = checkpoint.newest(folder)
    assert (found and found.step, torn) == (5, [])


def test_a_run_without_any_checkpoint_begins_again(data: Path, monkeypatch: Any) -> None:
    whole = train(plan(), data)
    with monkeypatch.context() as patch, pytest.raises(KeyError):
        patch.setattr(EMA, "update", lambda *_: {}["broken"])
        patch.setattr(Run, "remove", lambda _: None)  # what is killed removes nothing
        train(plan(), data, "cut")
    assert state(train(plan(), data, "cut", resume="must")) == state(whole)


def test_a_full_disk_stops_the_run_with_its_older_checkpoint(data: Path) -> None:
    given = plan([phase(steps=6, seed=3)])
    whole = train(given, data)
    largest = (whole.run / "checkpoints" / "step_00000006" / "state.safetensors").stat().st_size
    save = checkpoint.save
    with (
        full_disk(None) as limit,
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(GrowlangError, match=r"cannot write .*step_00000006: the disk") as error,
    ):

        def at_last(folder: Path, record: Record, *rest: Any) -> Path:
            if record.step == 6:
                limit(largest - 100)
            return save(folder, record, *rest)

        patch.setattr(checkpoint, "save", at_last)
        train(given, data, "full", checkpoint_every=4)
    assert "--resume" in error.value.help
    folder = data / "full" / "tiny" / "main"
    assert [p.name for p in (folder / "checkpoints").iterdir()] == ["step_00000004"]
    assert state(train(given, data, "full", resume="must")) == state(whole)


def test_the_environment_is_compared_on_resume(
    data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        interrupt_at(patch, 2)
        train(plan(), data)
    train(plan(), data, resume="must", micro_batch=2)
    assert "micro_batch is 2, but was None" in capfd.readouterr().err
