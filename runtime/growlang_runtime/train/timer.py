"""What is due after so many minutes, by a clock that is given."""

from __future__ import annotations

from collections.abc import Callable


class Timer:
    """Is due when `minutes` have passed since it was last started; never if they are 0."""

    def __init__(self, minutes: float, clock: Callable[[], float]) -> None:
        self.minutes, self.clock = minutes, clock
        self.start()

    def start(self) -> None:
        """Count from now on."""
        self.since = self.clock()

    def due(self) -> bool:
        """Whether the minutes have passed."""
        return self.minutes > 0 and self.clock() - self.since >= 60 * self.minutes
