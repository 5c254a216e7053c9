"""How a run ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TrainResult:
    """How a run ended: finished, or interrupted by a signal after a checkpoint."""

    run: Path
    step: int
    steps: int
    signal: int | None = None

    @property
    def finished(self) -> bool:
        """Whether all phases are done."""
        return self.step == self.steps

    @property
    def exit_status(self) -> int:
        """0, or 128 + the signal that interrupted the run."""
        return 0 if self.signal is None else 128 + self.signal
