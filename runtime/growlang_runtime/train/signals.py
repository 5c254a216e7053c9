"""Stopping at a signal: at the end of the step, and at a SIGINT after it at once."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any, NamedTuple


class Stopped(NamedTuple):
    """What the processes of a run agreed on after a step."""

    signal: int | None
    """The signal that one of them was sent, after which all stop."""
    save: bool
    """Whether a checkpoint is due, by the clock or before they stop."""

    @staticmethod
    def of(number: int) -> Stopped:
        """From 2 * signal + due: of several numbers the largest stands for all."""
        return Stopped(number >> 1 or None, bool(number))


class Interruption:
    """While entered, SIGINT and SIGTERM are noted in `signal`; a SIGINT after it ends the process.

    Schedulers and torchrun may both send SIGTERM: one that follows is ignored.
    Only the main thread can take signals; elsewhere entering does nothing.
    """

    HANDLED = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._before = {s: signal.signal(s, self._note) for s in self.HANDLED}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is None:
            self.signal = number
        elif number == signal.SIGINT:
            os._exit(128 + number)
