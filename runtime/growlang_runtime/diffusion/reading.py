"""What a net is given, reads and predicts over time, apart from how it is trained.

Plain values decide it, so that an exported pipeline can be told it in JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from growlang_runtime.diffusion.forms import Form, Preconditioned, Preserving, Straight
from growlang_runtime.diffusion.noise import (
    Discrete,
    Line,
    NoiseSchedule,
    Powers,
    ShiftedCosine,
    cosine_levels,
    linear_levels,
)

SCHEDULES: Mapping[str, Callable[..., NoiseSchedule]] = {
    "cosine": ShiftedCosine,
    "line": Line,
    "powers": Powers,
    "linear_beta": linear_levels,
    "cosine_beta": cosine_levels,
}
"""The schedules by the names that an exported pipeline has for them."""

FORMS: Mapping[str, Callable[..., Form]] = {
    "preserving": Preserving,
    "straight": Straight,
    "preconditioned": Preconditioned,
}
"""The forms by theirs."""


@dataclass(frozen=True)
class Reading:
    """A schedule, a form, and what of the noise level the net reads."""

    schedule: NoiseSchedule
    form: Form
    reference: bool
    """Whether the net reads the log-SNR without the shift (`embed = reference`)."""
    gain: float = 0.0
    """What the image of the first retained ends has more in log-SNR; 0 where none are."""
    of: str = "log_snr"
    """What of the noise level the net reads, as its `time` says."""

    @property
    def is_straight(self) -> bool:
        """Whether the net is given (1 - t) x + t eps."""
        return isinstance(self.form, Straight)

    def input_scale(self, t: Tensor) -> Tensor | None:
        """As the form says."""
        return self.form.scale(self.schedule.log_snr(t))

    def to_x(self, prediction: Tensor, given: Tensor, t: Tensor) -> Tensor:
        """The image, by what is predicted; both (B, C, H, W)."""
        return self.form.to_x(prediction, given, self.schedule.log_snr(t))

    def embedded(self, t: Tensor) -> Tensor:
        """What the net reads at t: mostly the reference log-SNR or the raw one, float64."""
        if self.of != "log_snr":
            return read_time(self.of, self._time(t), self.schedule)
        if (read := self.form.read(self.schedule.log_snr(t))) is not None:
            return read
        if self.reference:
            return self.schedule.reference(t)
        return self.schedule.log_snr(t) + self.gain

    def _time(self, t: Tensor) -> Tensor:
        """The time that the net reads: of a flow t of (1 - t) x + t eps, else the schedule's."""
        if self.is_straight:
            return torch.sigmoid(-(self.schedule.log_snr(t) + self.gain) / 2)
        return t.double()


def reading_of(said: Mapping[str, Any]) -> Reading:
    """That of plain values: `schedule` and `form` with their `kind` and arguments, and the rest."""
    schedule, form = dict(said["schedule"]), dict(said["form"])
    return Reading(
        SCHEDULES[schedule.pop("kind")](**schedule),
        FORMS[form.pop("kind")](**form),
        said["reference"],
        said["gain"],
        said["of"],
    )


def read_time(of: str, t: Tensor, schedule: NoiseSchedule) -> Tensor:
    """What a net reads of the time t, (B,) float64, if not a log-SNR."""
    if of == "step" and isinstance(schedule, Discrete):
        return t * len(schedule.table) - 1
    return 1 - t if of == "one_minus_t" else t
