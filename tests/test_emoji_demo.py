"""The demo runs commands: at Ctrl-C it waits for the one that writes its checkpoint."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "examples" / "emoji"))

import demo


class Stopping:
    """A command that has not ended yet when Ctrl-C comes, and then ends by itself."""

    def __init__(self, command: list[str]) -> None:
        self.waits = 0
        started.append(self)

    def wait(self) -> int:
        self.waits += 1
        if self.waits == 1:
            raise KeyboardInterrupt
        return 128 + signal.SIGINT


started: list[Stopping] = []


def test_at_ctrl_c_a_command_may_end_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo.subprocess, "Popen", Stopping)
    with pytest.raises(SystemExit) as ended:
        demo.growlang("train", "core_32.grow")
    assert ended.value.code == 128 + signal.SIGINT
    assert [command.waits for command in started] == [2]
