"""The work on several files, done by threads that each stay with a file while it has work left.

The system lets one thread at a time write to a file: two that share one wait for each other.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from threading import Event, Lock

Sums = dict[str, int]
"""CRC-32 of tensors."""
Job = Callable[[], Sums]
"""Writes some of a file."""
THREADS = 4
"""Most threads that write at once."""


class Stopped(Exception):
    """A job ends early, since another thread failed or the transfer was interrupted."""


def do_all(
    files: Sequence[Sequence[Job]], end: Callable[[int, Sums], None], stopped: Event
) -> None:
    """Do the jobs of all files, and `end` each one with the sums of its jobs, by its number.

    Raises what a job raises first. `stopped` is set before that; a job that looks at it, and ends
    early, raises Stopped: what returns is done.
    """
    for number, jobs in enumerate(files):
        if not jobs:
            end(number, {})
    left = _Left(files)

    def work() -> None:
        number: int | None = None
        try:
            while not stopped.is_set() and (taken := left.take(number)):
                number, job = taken
                sums = left.done(number, job())
                if sums is not None:
                    end(number, sums)
        except Stopped:
            return
        except BaseException:
            stopped.set()
            raise

    count = min(THREADS, max(2, os.cpu_count() or 1))
    with ThreadPoolExecutor(count) as threads:
        try:
            for worker in as_completed([threads.submit(work) for _ in range(count)]):
                worker.result()
        finally:
            stopped.set()


class _Left:
    """What no thread has begun, and what is not done."""

    def __init__(self, files: Sequence[Sequence[Job]]) -> None:
        self._lock = Lock()
        self._jobs = [deque(jobs) for jobs in files]
        self._threads = [0 for _ in files]
        self._undone = [len(jobs) for jobs in files]
        self._sums = [Sums() for _ in files]

    def take(self, number: int | None) -> tuple[int, Job] | None:
        """A job for a thread: of the file that it is at, or of one with the fewest threads."""
        with self._lock:
            if number is not None:
                if self._jobs[number]:
                    return number, self._jobs[number].popleft()
                self._threads[number] -= 1
            with_some = [n for n, jobs in enumerate(self._jobs) if jobs]
            if not with_some:
                return None
            number = min(with_some, key=self._threads.__getitem__)
            self._threads[number] += 1
            return number, self._jobs[number].popleft()

    def done(self, number: int, sums: Sums) -> Sums | None:
        """Note that a job is done; gives the sums of the whole file after its last one."""
        with self._lock:
            self._sums[number] |= sums
            self._undone[number] -= 1
            return None if self._undone[number] else self._sums[number]
