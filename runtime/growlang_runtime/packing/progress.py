"""The progress of packing on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Report:
    """Lines on stderr, below them a bar on a terminal; nothing if `quiet`."""

    def __init__(self, quiet: bool) -> None:
        self.console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
        self.bar = Progress(
            TextColumn("packing"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("images"),
            TimeRemainingColumn(),
            console=self.console,
            disable=quiet or not self.console.is_terminal,
        )

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self.console.print(text, markup=False)

    @contextmanager
    def counting(self, total: int, done: int) -> Iterator[None]:
        """Show a bar of images, of which some are done."""
        self.task = self.bar.add_task("", total=total, completed=done)
        with self.bar:
            yield

    def finish(self, shard: Path, done: int, total: int) -> None:
        """Say that a shard is written, where there is no bar."""
        if self.bar.disable:
            self.say(f"{shard}  {done}/{total} images")

    def count(self, images: int) -> None:
        """Count images that are done."""
        self.bar.advance(self.task, images)
