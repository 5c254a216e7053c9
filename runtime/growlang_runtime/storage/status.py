"""`status.json` of a run: what it does now or how it ended, for scripts and lists of runs."""

from __future__ import annotations

import os
import platform
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from growlang.atomic import write_text
from growlang.diagnostics import GrowlangError, exit_of

STATUS = "status.json"
FORMAT_VERSION = 1
EVERY = 5.0
"""Least seconds between two writings of a run that goes on."""
FRESH = timedelta(minutes=10)
"""How long a run on another machine, whose lock may not be seen here, is believed to go on."""
SIGNALLED = 128
"""What a signal's number is added to for an exit status."""

Told = Literal["running", "interrupted", "finished", "failed"]


class Status(BaseModel):
    """What a run said of itself when it was last written; None where it cannot be known yet."""

    model_config = ConfigDict(frozen=True)
    format_version: int = FORMAT_VERSION
    state: Told
    """A run that is killed still says that it is running: its lock is free then."""
    step: int
    """The last step that is done."""
    steps: int
    phase: str | None = None
    loss: float | None = None
    images_per_s: float | None = None
    seconds_left: int | None = None
    pid: int
    host: str
    started: datetime
    """When this process began to train, in UTC."""
    updated: datetime
    exit_status: int | None = None
    """With which the process ends."""
    reason: str | None = None
    """Why it did not finish."""
    command: str | None = None
    """What continues it; None if it is finished, or would only fail again."""

    def may_run_elsewhere(self, now: datetime) -> bool:
        """Whether it says that it runs on another machine, and did so not long ago."""
        elsewhere = self.state == "running" and self.host != platform.node()
        return elsewhere and now - self.updated < FRESH


def read_status(run: Path) -> Status | None:
    """The status of the run in a folder; None where there is none, as in runs of 0.1."""
    try:
        return Status.model_validate_json((run / STATUS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def utc_now() -> datetime:
    """The time, in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


class StatusFile:
    """Writes the status of a run: at most every `EVERY` seconds, and whenever its state changes.

    A status that cannot be written, such as on a full disk, does not keep the run from going on.
    Of several processes only the first writes: `written` says whether this one does.
    """

    def __init__(
        self,
        run: Path,
        steps: int,
        command: str,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
        *,
        written: bool = True,
    ) -> None:
        self.path, self.writes = run / STATUS, written
        self.command: str | None = command
        """What continues the run; None once it is known that it would only fail again."""
        self.clock, self.now = clock, now
        self.written: float | None = None
        started = now()
        self.status = Status(
            state="running",
            step=0,
            steps=steps,
            pid=os.getpid(),
            host=platform.node(),
            started=started,
            updated=started,
            command=command,
        )

    def __enter__(self) -> StatusFile:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KeyboardInterrupt):
            self.interrupted(signal.SIGINT)
        elif isinstance(error, GrowlangError):
            self.end("failed", exit_of(error), error.message)
        elif error is not None:
            self.end("failed", exit_of(error), f"{type(error).__name__}: {error}")

    def tell(self, step: int, **values: Any) -> None:
        """Tell what the run does; `values` are fields of `Status`."""
        self.status = self.status.model_copy(update={"step": step, **values})
        if self.written is None or self.clock() - self.written >= EVERY:
            self._write()

    def interrupted(self, number: int) -> None:
        """Tell that a signal ended the run."""
        name = signal.Signals(number).name
        self.end("interrupted", SIGNALLED + number, f"{name} after step {self.status.step}")

    def end(self, state: Told, exit_status: int, reason: str | None = None) -> None:
        """Tell how the run ended; only the first end counts."""
        if self.status.state != "running":
            return
        self.status = self.status.model_copy(
            update={
                "state": state,
                "exit_status": exit_status,
                "reason": reason,
                "command": None if state == "finished" else self.command,
                "seconds_left": None,
            }
        )
        self._write()

    def _write(self) -> None:
        self.status = self.status.model_copy(update={"updated": self.now()})
        self.written = self.clock()
        if not self.writes:
            return
        with suppress(OSError):
            write_text(self.path, self.status.model_dump_json(indent=1) + "\n", durable=False)
