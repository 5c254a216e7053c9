"""How many threads a run computes with, and on what device."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny import interrupt_at, metrics, phase, plan, state, train

from growlang.cli.commands.train import _threads
from growlang.diagnostics import GrowlangError
from growlang_runtime.storage.record import Environment
from growlang_runtime.train import training
from growlang_runtime.train.options import RunOptions
from growlang_runtime.train.threads import STEPS, counts, fastest, kept

PACE = {1: 3.0, 2: 2.0, 4: 1.95, 8: 1.0}
"""Seconds of a step by the number of threads: 4 gain too little over 2."""


class Machine:
    """A clock that moves by the step, as fast as a number of threads lets it."""

    def __init__(self, pace: dict[int, float]) -> None:
        self.pace, self.seconds, self.steps = pace, 0.0, 0

    def clock(self) -> float:
        return self.seconds

    def step(self) -> None:
        self.steps += 1
        self.seconds += self.pace[torch.get_num_threads()]


@pytest.mark.parametrize(
    ("pace", "threads", "tried"),
    [
        (PACE, 2, [1, 2, 4]),
        (PACE | {2: 3.5}, 1, [1, 2]),
        (PACE | {4: 1.5}, 8, [1, 2, 4, 8]),
    ],
)
def test_the_fastest_number_is_taken(
    pace: dict[int, float], threads: int, tried: list[int]
) -> None:
    machine = Machine(pace)
    found = fastest(machine.step, counts(8), machine.clock)
    assert (found.threads, list(found.seconds)) == (threads, tried)
    assert torch.get_num_threads() == threads
    assert machine.steps == len(tried) * (STEPS + 1)
    assert found.seconds[1] == pace[1]


def test_what_is_hopeless_is_tried_once() -> None:
    machine = Machine(PACE | {2: 30.0})
    assert fastest(machine.step, counts(8), machine.clock).threads == 1
    assert machine.steps == STEPS + 2


def test_the_numbers_that_are_tried() -> None:
    assert [counts(cores) for cores in (1, 2, 6, 8)] == [[1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8]]


def slow_with(count: int) -> Callable[[], float]:
    """A clock by which steps with a number of threads take long."""
    read = [0.0]

    def clock() -> float:
        read[0] += 100.0 if torch.get_num_threads() == count else 1.0
        return read[0]

    return clock


def test_the_steps_that_are_timed_change_nothing(data: Path) -> None:
    made = plan([phase(steps=3)])
    plainly = train(made, data, "plain", threads=1)
    timed = train(made, data, "timed", threads="auto", clock=slow_with(2))
    assert state(timed) == state(plainly)
    (event,) = [line for line in metrics(timed.run) if line.get("event") == "threads"]
    assert event["threads"] == 1
    record = json.loads((timed.run / "checkpoints/step_00000003/state.json").read_text())
    assert record["environment"]["threads"] == 1


def test_a_run_is_resumed_with_the_threads_that_it_began_with(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = plan([phase(steps=4)])
    interrupt_at(monkeypatch, 2)
    train(made, data, threads="auto", clock=slow_with(2))
    monkeypatch.undo()
    torch.set_num_threads(2)
    capsys.readouterr()
    done = train(made, data, resume="must", threads="auto", clock=slow_with(1))
    said = capsys.readouterr().err
    assert "at step 2 of 4 on cpu (1 thread)" in " ".join(said.split())
    assert "warning" not in said
    assert len([line for line in metrics(done.run) if line.get("event") == "threads"]) == 1


def test_on_another_processor_the_number_is_chosen_anew(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plan([phase(steps=4)])
    with monkeypatch.context() as patch:
        interrupt_at(patch, 2)
        train(made, data, threads=1)
    monkeypatch.setattr(training, "processor", lambda: "another")
    torch.set_num_threads(2)
    done = train(made, data, resume="must", threads="auto", clock=slow_with(2))
    (event,) = [line for line in metrics(done.run) if line.get("event") == "threads"]
    assert (event["step"], event["threads"]) == (2, 1)


def test_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = Environment(threads=2, processor="this")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert [kept(asked, recorded, "this") for asked in (None, 4, "auto")] == [None, 4, 2]
    assert kept("auto", recorded, "another") is None
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert kept(None, recorded, "this") == 2


def test_threads_on_the_command_line() -> None:
    assert [_threads(text) for text in (None, "auto", "3")] == [None, "auto", 3]
    for text in ("0", "many", "-1"):
        with pytest.raises(GrowlangError, match="is not a number of threads"):
            _threads(text)
    with pytest.raises(GrowlangError, match="`threads` is 0"):
        RunOptions(threads=0)


def test_the_first_line_says_the_device(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(plan([phase(steps=1)]), data, device="auto", threads=1)
    assert "main: 1 steps on cpu (1 thread)" in " ".join(capsys.readouterr().err.split())


def test_a_checkpoint_every_so_many_minutes(data: Path) -> None:
    seconds = iter(range(0, 10_000, 20))

    made = plan([phase(steps=7)])
    timed = train(made, data, checkpoint_minutes=1.5, clock=lambda: next(seconds))
    plainly = train(made, data, "plain", checkpoint_minutes=0)
    saved = [line["step"] for line in metrics(timed.run) if line.get("event") == "checkpoint"]
    assert saved == [5, 7]
    assert [line["step"] for line in metrics(plainly.run) if line.get("event") == "checkpoint"] == [
        7
    ]
    assert state(timed) == state(plainly)
