"""Schedules of noise: what log-SNR an image is trained at over time."""

from math import log
from typing import Annotated, ClassVar, Self

from pydantic import Field, SerializeAsAny, model_validator

from growlang.signatures.signature import Signature, argument
from growlang.signatures.tables import CallOf, Table, read_call

Positive = Annotated[int, Field(ge=1)]


class Schedule(Signature):
    """Base of the schedules of noise.

    A package declares one as an entry point of the group `growlang.schedules`.
    """

    runtime: ClassVar[str]
    """`module:function` of its computation, which a run imports: (schedule, shorter side of the
    images in pixels) -> `growlang_runtime.diffusion.noise.NoiseSchedule`."""

    def shifts(self, size: int) -> tuple[float, float] | None:
        """What images of a size add to the reference log-SNR, in nats, at t = 0 and at t = 1.

        Linear in t between them. None where nothing is known of it.
        """
        return None

    def levels(self) -> int | None:
        """The number of discrete levels; None where they are continuous."""
        return None


class Cosine(Schedule):
    """Shifted cosine schedule of simple diffusion (arXiv 2301.11093, eq. 5 and section 3.1).

    log-SNR(t) = -2 ln tan(t_min + t (t_max - t_min)) + shift, with shift = 2 ln(base / image.size).
    """

    call = "cosine"
    runtime = "growlang_runtime.diffusion.noise:cosine"
    base: Positive | None = argument("image size, in pixels, at which the shift is zero", None)
    shift: float | None = argument("shift of the log-SNR, in nats; instead of base", None)
    min: float = argument("log-SNR at t = 1, before the shift", -15.0)
    max: float = argument("log-SNR at t = 0, before the shift", 15.0)

    def shifts(self, size: int) -> tuple[float, float]:
        """The shift, or 2 ln(base / size), at both ends."""
        shift = self.shift
        if shift is None:
            shift = 2 * log(self.base / size) if self.base else 0.0
        return shift, shift

    @model_validator(mode="after")
    def fits(self) -> Self:
        """The arguments among themselves."""
        if self.base is not None and self.shift is not None:
            raise ValueError("`base` and `shift` are mutually exclusive")
        _require_rising(self)
        return self


class Interpolated(Schedule):
    """Interpolation of two shifted cosines, t * high + (1 - t) * low (arXiv 2301.11093, 3.1)."""

    call = "interpolated"
    runtime = "growlang_runtime.diffusion.noise:interpolated"
    low: Positive = argument("base, in pixels, of the shift that holds at low noise (t = 0)", 32)
    high: Positive = argument("base, in pixels, of the shift that holds at high noise (t = 1)", 64)
    min: float = argument("log-SNR at t = 1, before the shift", -15.0)
    max: float = argument("log-SNR at t = 0, before the shift", 15.0)

    def shifts(self, size: int) -> tuple[float, float]:
        """Those of the two bases."""
        return 2 * log(self.low / size), 2 * log(self.high / size)

    @model_validator(mode="after")
    def fits(self) -> Self:
        """The arguments among themselves."""
        _require_rising(self)
        return self


class LinearBeta(Schedule):
    """Betas in equal steps from `start` to `end`: the discrete levels of DDPM (arXiv 2006.11239).

    After n steps alpha^2 is the product of 1 - beta over the first n. A net is trained and sampled
    at these levels alone, at t = n / steps; between them the log-SNR is interpolated. No size of
    images shifts it.
    """

    call = "linear_beta"
    runtime = "growlang_runtime.diffusion.noise:linear_beta"
    start: float = argument("beta of the first step", 1e-4, gt=0, lt=1)
    end: float = argument("beta of the last step", 0.02, gt=0, lt=1)
    steps: Annotated[int, Field(ge=2)] = argument("number of levels", 1000)

    def shifts(self, size: int) -> tuple[float, float]:
        """None at any size."""
        return 0.0, 0.0

    def levels(self) -> int:
        """As many as steps."""
        return self.steps


class CosineBeta(Schedule):
    """The discrete levels of improved DDPM and ADM, of a cosine (arXiv 2102.09672, eq. 17).

    After n steps alpha is cos((n / steps + offset) / (1 + offset) pi / 2) over the same at n = 0,
    but no beta is larger than `most`. A net is trained and sampled at these levels alone, at
    t = n / steps; between them the log-SNR is interpolated. No size of images shifts it.
    """

    call = "cosine_beta"
    runtime = "growlang_runtime.diffusion.noise:cosine_beta"
    steps: Annotated[int, Field(ge=2)] = argument("number of levels", 1000)
    offset: float = argument("time at which the cosine begins", 0.008, gt=0)
    most: float = argument("largest beta of a step", 0.999, gt=0, lt=1)

    def shifts(self, size: int) -> tuple[float, float]:
        """None at any size."""
        return 0.0, 0.0

    def levels(self) -> int:
        """As many as steps."""
        return self.steps


def _require_rising(schedule: Cosine | Interpolated) -> None:
    if schedule.min >= schedule.max:
        raise ValueError("`min` must be less than `max`")


SCHEDULES = Table(
    Schedule, [Cosine, Interpolated, LinearBeta, CosineBeta], group="growlang.schedules"
)
CalledSchedule = Annotated[SerializeAsAny[Schedule], CallOf(SCHEDULES), read_call(SCHEDULES)]
