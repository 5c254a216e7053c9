"""With what a command ends, by its cause; and what a job that is started again may find."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny import full_disk, interrupt_at, phase, plan, state, train, write_data

from growlang.atomic import temporary_path
from growlang.diagnostics import Exit, GrowlangError, exit_of
from growlang.plans.weights_header import PLAN
from growlang_runtime.report.runs import summary_of
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.run import LOCK, Run
from growlang_runtime.storage.status import read_status
from growlang_runtime.train.optimizer import Optimizer

GIVEN = plan([phase(steps=4)])


def begun(data: Path) -> Path:
    """A run that was stopped after 2 of 4 steps."""
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(patch, 2)
        stopped = train(GIVEN, data)
    assert stopped.exit_status == 143
    return stopped.run


def of_another_spec(data: Path) -> None:
    begun(data)
    train(plan([phase(steps=4, seed=9)]), data, resume="may")


def of_other_data(data: Path) -> None:
    begun(data)
    write_data(data, count=5)
    train(GIVEN, data, resume="may")


def on_a_missing_device(data: Path) -> None:
    begun(data)
    train(GIVEN, data, resume="may", device="tpu")


def twice_in_one_folder(data: Path) -> None:
    with Run(begun(data), GIVEN):
        train(GIVEN, data, resume="may")


def a_second_start(data: Path) -> None:
    with Run(begun(data), GIVEN):
        train(GIVEN, data)


def a_second_start_afresh(data: Path) -> None:
    with Run(begun(data), GIVEN):
        train(GIVEN, data, fresh=True)


def where_a_run_is_made(data: Path) -> None:
    run = begun(data)
    (run / PLAN).unlink()
    with Run(run, GIVEN):
        train(GIVEN, data, fresh=True)


def with_a_full_disk(data: Path) -> None:
    with full_disk(20_000):
        train(GIVEN, data, checkpoint_every=1)


def with_infinite_weights(data: Path) -> None:
    def explode(self: Optimizer, *_: object) -> None:
        for weight in self.weights.values():
            weight.data.fill_(float("inf"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Optimizer, "step", explode)
        train(GIVEN, data)


def without_a_run(data: Path) -> None:
    train(GIVEN, data, resume="must")


IN_USE = (twice_in_one_folder, a_second_start, a_second_start_afresh, where_a_run_is_made)
CAUSES: list[tuple[Callable[[Path], None], Exit]] = [
    (of_another_spec, Exit.CHANGED),
    (of_other_data, Exit.CHANGED),
    (on_a_missing_device, Exit.UNABLE),
    *((use, Exit.IN_USE) for use in IN_USE),
    (with_a_full_disk, Exit.FULL),
    (with_infinite_weights, Exit.NONFINITE),
    (without_a_run, Exit.UNABLE),
]


@pytest.mark.parametrize(("cause", "status"), CAUSES, ids=lambda c: getattr(c, "__name__", str(c)))
def test_a_cause_has_its_exit_status(
    data: Path, cause: Callable[[Path], None], status: Exit
) -> None:
    with pytest.raises(GrowlangError) as error:
        cause(data)
    assert error.value.exit_status is status
    run = data / "runs" / "tiny" / "main"
    if run.exists() and cause not in IN_USE:
        said = read_status(run)
        assert said is not None
        assert (said.state, said.exit_status, said.reason) == (
            "failed",
            status,
            error.value.message,
        )


def test_a_job_of_other_data_is_not_started_again_and_a_finished_run_stays_finished(
    data: Path,
) -> None:
    run = begun(data)
    write_data(data, count=5)
    with pytest.raises(GrowlangError):
        train(GIVEN, data, resume="may")
    assert summary_of(run).exit_status == 1
    write_data(data)
    assert train(GIVEN, data, resume="may").finished
    with pytest.raises(GrowlangError):
        train(plan([phase(steps=4, seed=9)]), data, resume="may")
    said = read_status(run)
    assert said is not None and (said.state, said.exit_status) == ("finished", 0)


def test_a_full_disk_has_its_status_wherever_it_is_met() -> None:
    assert exit_of(OSError(28, "no space")) is Exit.FULL
    assert exit_of(OSError(2, "missing")) is Exit.UNABLE


# --- what a job that is started again may find ---------------------------------------------------


def nothing(run: Path) -> None:
    run.rmdir()


def an_empty_folder(run: Path) -> None:
    assert not [*run.iterdir()]


def a_start_that_was_killed(run: Path) -> None:
    for name in (LOCK, "spec.grow", temporary_path(run / PLAN).name):
        (run / name).write_text("half")


@pytest.mark.parametrize("leave", [nothing, an_empty_folder, a_start_that_was_killed])
def test_a_job_starts_where_there_is_no_run(data: Path, leave: Callable[[Path], None]) -> None:
    run = data / "runs" / "tiny" / "main"
    run.mkdir(parents=True)
    leave(run)
    if run.exists():
        with pytest.raises(GrowlangError):
            train(GIVEN, data)  # a start alone says that there is something
    done = train(GIVEN, data, resume="may")
    assert done.finished
    assert state(done) == state(train(GIVEN, data, "whole"))


def test_a_job_leaves_alone_what_is_no_run(data: Path) -> None:
    run = data / "runs" / "tiny" / "main"
    run.mkdir(parents=True)
    (run / "thesis.txt").write_text("mine")
    with pytest.raises(GrowlangError, match="not a run folder") as error:
        train(GIVEN, data, resume="may")
    assert error.value.exit_status is Exit.UNABLE
    assert (run / "thesis.txt").read_text() == "mine"


def test_the_lock_of_a_process_that_is_gone_keeps_no_job_from_its_run(data: Path) -> None:
    run = begun(data)
    (run / LOCK).write_text(f"{os.getpid()}\n")  # a number of another machine, alive on this one
    done = train(GIVEN, data, resume="may")
    assert state(done) == state(train(GIVEN, data, "whole"))


def test_a_job_of_a_finished_run_is_done(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    train(GIVEN, data)
    again = train(GIVEN, data, resume="may")
    assert (again.finished, again.exit_status) == (True, 0)
    assert "is finished: all 4 steps are done" in capfd.readouterr().err


@pytest.mark.parametrize("damage", ["torn", "flipped"])
def test_a_job_goes_on_from_the_newest_whole_checkpoint(data: Path, damage: str) -> None:
    given = plan([phase(steps=6)])
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(patch, 4)
        stopped = train(given, data, checkpoint_every=2)
    file = checkpoint.newest(stopped.run / "checkpoints")[0].path / "state.safetensors"  # type: ignore[union-attr]
    content = bytearray(file.read_bytes())
    content[-3] ^= 16
    file.write_bytes(content[:-100] if damage == "torn" else content)
    done = train(given, data, resume="may", checkpoint_every=2)
    assert state(done) == state(train(given, data, "whole", checkpoint_every=2))
