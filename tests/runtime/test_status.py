"""`status.json`, the states of runs, and the exit codes of `growlang runs --status`."""

import fcntl
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fixture_specs import growlang
from tiny import interrupt_at, phase, plan, train

from growlang.diagnostics import Exit, GrowlangError
from growlang_runtime.report import runs
from growlang_runtime.report.runs import summary_of
from growlang_runtime.report.seconds import Seconds, waiting
from growlang_runtime.storage.status import Status, StatusFile, read_status
from growlang_runtime.train import telling

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)


def told(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "status.json").read_text()))


def say(run: Path, **values: Any) -> None:
    """Let the status of a run say something else."""
    (run / "status.json").write_text(json.dumps(told(run) | values))


def test_a_finished_run_says_so(data: Path) -> None:
    result = train(plan([phase(steps=3)]), data, quiet=True)
    said = told(result.run)
    assert {name: said[name] for name in ("state", "step", "steps", "phase", "exit_status")} == {
        "state": "finished",
        "step": 3,
        "steps": 3,
        "phase": "main",
        "exit_status": 0,
    }
    assert (said["pid"], said["command"], said["reason"]) == (os.getpid(), None, None)
    shown = growlang("runs", "--status", result.run, "--json")
    one = json.loads(shown.out)
    assert (shown.status, one["format_version"], one["state"]) == (0, 1, "finished")
    assert one["status"] == said
    (listed,) = json.loads(growlang("runs", data, "--json").out)["runs"]
    assert listed | {"format_version": 1} == one


def test_an_interrupted_run_says_how_it_goes_on(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_at(monkeypatch, 2)
    result = train(plan([phase(steps=3)]), data, quiet=True)
    said = told(result.run)
    assert (said["state"], said["step"], said["exit_status"]) == ("interrupted", 2, 143)
    assert said["reason"] == "SIGTERM after step 2"
    assert said["command"].startswith("growlang train tiny.grow --data-root")
    assert said["command"].endswith("--resume")
    shown = growlang("runs", "--status", result.run)
    assert shown.status == 4
    assert f"continue it with: {said['command']}" in shown.out
    lock = os.open(result.run / ".lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert growlang("runs", "--status", result.run).status == 3
    os.close(lock)


def test_a_run_whose_process_is_gone_was_killed(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_at(monkeypatch, 2)
    run = train(plan([phase(steps=3)]), data, quiet=True).run
    say(run, state="running", exit_status=None, reason=None)
    assert summary_of(run).state == "killed"
    monkeypatch.setattr(runs, "utc_now", lambda: NOON)
    say(run, host="another", updated=str(NOON - timedelta(minutes=9)))
    assert summary_of(run).state == "running"  # its lock may not be seen here
    say(run, updated=str(NOON - timedelta(minutes=11)))
    assert (summary_of(run).state, growlang("runs", "--status", run).status) == ("killed", 4)


def test_a_run_that_fails_says_why(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Any, *arguments: Any) -> None:
        raise OSError("the shelf is empty")

    with monkeypatch.context() as patch:
        patch.setattr("growlang_runtime.train.trainer.Trainer._draw_due", fail)
        with pytest.raises(OSError, match="shelf"):
            train(plan([phase(steps=3)]), data, quiet=True)
    run = data / "runs" / "tiny" / "main"
    said = told(run)
    assert (said["state"], said["exit_status"]) == ("failed", 2)
    assert said["reason"] == "OSError: the shelf is empty"
    shown = growlang("runs", "--status", run)
    assert (shown.status, "OSError: the shelf is empty" in shown.out) == (1, True)
    listed = growlang("runs", data)
    assert f"{run} has failed: OSError: the shelf is empty" in listed.out


def test_a_run_that_misses_a_process_says_once_that_it_can_go_on(
    data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def gone(*_: object) -> None:
        raise RuntimeError("[gloo/transport/tcp/pair.cc:537] Read error")

    monkeypatch.setattr(telling, "is_lost", lambda error: "gloo" in str(error))
    monkeypatch.setattr("growlang_runtime.train.trainer.Trainer._settle", gone)
    with pytest.raises(GrowlangError) as error:
        train(plan([phase(steps=3)]), data, quiet=True)
    run = data / "runs" / "tiny" / "main"
    assert error.value.exit_status is Exit.LOST
    assert capfd.readouterr().err == f"{error.value.as_text()}\n"
    assert f"continue with: {told(run)['command']}" in error.value.as_text()
    assert (told(run)["state"], told(run)["exit_status"]) == ("interrupted", 14)
    assert growlang("runs", "--status", run).status == 4
    monkeypatch.undo()
    assert train(plan([phase(steps=3)]), data, resume="must").finished


def test_a_status_is_written_seldom_and_when_the_state_changes(tmp_path: Path) -> None:
    seconds = iter([0.0, 1.0, 4.0, 6.0, 6.0, 7.0])
    file = StatusFile(tmp_path, 9, "again", seconds.__next__, lambda: NOON)

    def written() -> tuple[str, int]:
        said = read_status(tmp_path)
        assert said is not None
        return said.state, said.step

    file.tell(0)
    assert written() == ("running", 0)
    file.tell(1)
    file.tell(2)
    assert written() == ("running", 0)
    file.tell(3)
    assert written() == ("running", 3)
    with pytest.raises(GrowlangError), file:
        raise GrowlangError("no", help="do")
    assert written() == ("failed", 3)
    file.end("finished", 0)
    assert written() == ("failed", 3)


def test_of_several_processes_only_the_first_writes(tmp_path: Path) -> None:
    other = StatusFile(tmp_path, 9, "again", written=False)
    other.tell(1)
    other.end("finished", 0)
    assert read_status(tmp_path) is None


def test_a_status_that_cannot_be_written_or_read_is_no_error(tmp_path: Path) -> None:
    file = StatusFile(tmp_path / "gone", 9, "again")
    file.tell(1)
    assert read_status(tmp_path / "gone") is None
    (tmp_path / "status.json").write_text('{"state": "runn')
    assert read_status(tmp_path) is None


def test_fields_of_later_versions_are_passed_over() -> None:
    said = {"state": "running", "step": 1, "steps": 2, "pid": 1, "host": "a", "mood": "good"}
    times = {"started": "2030-01-02T12:00:00Z", "updated": "2030-01-02T12:00:00Z"}
    assert Status.model_validate(said | times).started == NOON


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--status", "nowhere"], "there is no run at nowhere"),
        (["runs", "--status", "nowhere"], "leave one of them out"),
    ],
)
def test_what_is_no_run_has_no_status(words: list[str], expected: str) -> None:
    shown = growlang("runs", *words)
    assert (shown.status, expected in shown.err) == (2, True)


def test_all_time_is_in_one_part_or_another() -> None:
    readings = iter([0.0, 10.0, 13.0, 20.0, 21.0, 31.0])
    seconds = Seconds(readings.__next__)
    seconds.start()
    for part in ("data", "step", "data"):
        seconds.lap(part)  # type: ignore[arg-type]
    found = seconds.read()
    assert found == {"data": 4.0, "step": 7.0}
    assert waiting(found) == pytest.approx(4 / 11)
    seconds.lap("checkpoint")
    assert seconds.read() == {"checkpoint": 10.0}
    assert (seconds.read(), waiting({})) == ({}, 0.0)
