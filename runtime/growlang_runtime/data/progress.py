"""The progress of indexing on stderr: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

SHOWN_AFTER = 2.0
"""Seconds of work before anything is shown."""
BETWEEN = 30.0
"""Seconds between lines, where stderr is no terminal."""

_quiet: ContextVar[bool] = ContextVar("quiet", default=True)


@contextmanager
def shown(quiet: bool = False) -> Iterator[None]:
    """Show the progress of what is indexed inside, unless `quiet`."""
    before = _quiet.set(quiet)
    try:
        yield
    finally:
        _quiet.reset(before)


class Progress:
    """How many of some shards are indexed, how fast, and how long the others will take."""

    def __init__(self, shards: int) -> None:
        self.shards, self.done, self.samples = shards, 0, 0
        self._quiet = _quiet.get()
        self._begun = self._said = time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def count(self, samples: int) -> None:
        """Count a shard that is indexed, with its samples."""
        self.done += 1
        self.samples += samples
        now = time.monotonic()
        if self._quiet or now - self._begun < SHOWN_AFTER:
            return
        if self._bar is None:
            self._bar = _bar(self.shards)
        text = f"{self.samples:,} samples, {self.samples / (now - self._begun):,.0f}/s"
        self._bar.update(self._bar.task_ids[0], completed=self.done, said=text)
        last = self.done == self.shards
        if self._bar.disable and (last or now - self._said >= BETWEEN):
            self._said = now
            self._bar.console.print(f"indexed {self.done:,} of {self.shards:,} shards: {text}")


def _bar(shards: int) -> Any:
    """A bar of shards, which is only drawn on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("shards, {task.fields[said]}"))
    bar = Bar(
        TextColumn("indexing"),
        *columns,
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    bar.add_task("", total=shards, said="")
    bar.start()
    return bar
