"""Counted work: what tests assert, since seconds tell of the machine and of what else it does."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class LimitReached(BaseException):
    """Ends work at its limit; not an Exception, so that no handler under test keeps it."""


@contextmanager
def at_most(limit: int) -> Iterator[Callable[[], int]]:
    """Fail once the block has called functions, of Python or C, more than `limit` times.

    Yields a function that tells the calls so far. What would never end is ended too, unless it
    calls nothing. Raises AssertionError.
    """
    events = 0  # two for each call: it begins, and it returns or raises

    def count(frame: FrameType, event: str, called: object) -> None:
        nonlocal events
        events += 1
        if events > most:
            raise LimitReached

    most = 2 * limit

    before, collected = sys.getprofile(), gc.isenabled()
    gc.disable()  # callbacks of the collector would be counted, and would swallow the end
    sys.setprofile(count)
    try:
        yield lambda: events // 2
    except LimitReached:
        pass
    finally:
        sys.setprofile(before)
        if collected:
            gc.enable()
    if events > most:
        raise AssertionError(f"the work takes more than {limit:,} calls")


def calls(work: Callable[[], object]) -> int:
    """How many functions, of Python or C, are called by some work."""
    with at_most(sys.maxsize) as made:
        work()
    return made()


def peak_bytes(work: Callable[[], object]) -> int:
    """The most memory that some work holds at once, as Python's allocators count it."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
