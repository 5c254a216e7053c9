"""The progress of a run on stderr."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

BAR = 12
"""Columns of the bar, which leave room for the metrics."""


class Display:
    """Progress of a run on stderr: a bar on a terminal, else a line for each line of metrics.

    `tokens` are those of a sample of a model of tokens, whose speed is told in them.
    """

    def __init__(self, total: int, quiet: bool = False, tokens: int = 0) -> None:
        self.tokens = tokens
        self.console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(BAR),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.fields[metrics]}", table_column=Column()),  # it alone may wrap
            console=self.console,
            disable=not self.console.is_terminal or quiet,
        )
        self.total = total
        self.held_out = ""
        """What the last validation found, which the bar shows."""
        self.first: tuple[int, float] | None = None
        """Step and time (s) of the first metrics, from which the time left is estimated."""
        self.left: int | None = None
        """Seconds left when metrics were shown last; None where they cannot be known yet."""
        self.task = self.bar.add_task("", total=total, metrics="", left="")

    def __enter__(self) -> Display:
        self.bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.bar.stop()

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self.console.print(text, markup=False)

    def advance(self, step: int, phase: str) -> None:
        """Show that `step` steps are done."""
        self.bar.update(self.task, completed=step, description=phase)

    def show(
        self,
        step: int,
        phase: str,
        loss: float,
        images_per_s: float,
        skipped: int = 0,
        *,
        data_wait: float | None = None,
        memory: int | None = None,
    ) -> None:
        """Show metrics; `skipped` is how many steps in a row were skipped up to this one.

        `data_wait` is the share of the time that was spent waiting for data, `memory` is in bytes.
        """
        self.left = self._seconds_left(step)
        shown = f"{loss:.4f}" if abs(loss) < 1e6 else f"{loss:.4g}"
        speed = f"{images_per_s:.1f} images/s"
        if self.tokens:
            speed = f"{images_per_s * self.tokens:,.0f} tokens/s"
        text = f"loss {shown}  {speed}"
        if not self.bar.disable:
            text += self.held_out
        if data_wait is not None:
            text += f"  data wait {data_wait:.0%}"
        if memory is not None:
            text += f"  {memory / 2**30:.2f} GiB"
        if skipped:
            text += f"  {skipped} skipped"
        left = "" if self.left is None else f"{clock_time(self.left)} left"
        self.bar.update(self.task, completed=step, description=phase, metrics=text, left=left)
        if self.bar.disable:
            self.say("  ".join(filter(None, (phase, f"step {step}/{self.total}", text, left))))

    def validated(
        self,
        step: int,
        phase: str,
        averaged: float,
        plain: float,
        levels: Sequence[float],
        best: bool,
        scores: Mapping[str, float] | None = None,
    ) -> None:
        """Show what validation found; `levels` are the losses by noise level, the lowest first."""
        self.held_out = f"  validation {averaged:.4f}"
        by_level = ", by noise level " * bool(levels) + " ".join(f"{v:.3g}" for v in levels)
        text = f"validation {averaged:.4f}, plain weights {plain:.4f}{by_level}"
        text += "".join(f", {name} {value:.4f}" for name, value in (scores or {}).items())
        mark = "  best" if best else ""
        if self.bar.disable:
            self.say(f"{phase}  step {step}/{self.total}  {text}{mark}")

    def _seconds_left(self, step: int) -> int | None:
        """The seconds left at the mean speed since the first metrics."""
        now = time.perf_counter()
        if self.first is None:
            self.first = (step, now)
            return None
        begun, since = self.first
        return round((self.total - step) * (now - since) / max(1, step - begun))


def clock_time(seconds: int) -> str:
    """Seconds as `1:23`, or `4:05:06`."""
    hours, minutes = divmod(seconds // 60, 60)
    clock = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{clock}:{seconds % 60:02}"


class Rate:
    """Images per second since the last time it was read."""

    def __init__(self) -> None:
        self.images = 0
        self.since = time.perf_counter()

    def count(self, images: int) -> None:
        """Count images of a step that is done."""
        self.images += images

    def read(self) -> float:
        """The rate since the last call."""
        now = time.perf_counter()
        rate = self.images / max(1e-9, now - self.since)
        self.images, self.since = 0, now
        return rate
