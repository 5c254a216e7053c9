"""What a net is given at a noise level, and what it predicts of it.

A net is given a x + s eps and predicts c x + d eps, with factors that are functions of the log-SNR
2 ln(a / s) alone. What is given is a multiple of the variance-preserving x_t (`noise.py`), which
samplers hold.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from growlang_runtime.diffusion.noise import (
    Prediction,
    log_x_error,
    noisy,
    over_pixels,
    target,
    to_x,
)


class Form(ABC):
    """The form of an objective: images and noise are (B, C, H, W), log-SNR is (B,) float64."""

    @abstractmethod
    def noisy(self, x: Tensor, eps: Tensor, log_snr: Tensor) -> Tensor:
        """What the net is given."""

    @abstractmethod
    def target(self, x: Tensor, eps: Tensor, log_snr: Tensor) -> Tensor:
        """What the net should predict."""

    @abstractmethod
    def to_x(self, prediction: Tensor, given: Tensor, log_snr: Tensor) -> Tensor:
        """The denoised image that a prediction means."""

    @abstractmethod
    def log_x_error(self, log_snr: Tensor) -> Tensor:
        """Log of the squared error in x over that in the prediction, (B,)."""

    def scale(self, log_snr: Tensor) -> Tensor | None:
        """What the net is given over the variance-preserving x_t, (B,); None where they are one."""
        return None

    def read(self, log_snr: Tensor) -> Tensor | None:
        """What the net reads of the noise, (B,) float64; None where that is a log-SNR."""
        return None


@dataclass(frozen=True)
class Preserving(Form):
    """Given x_t with alpha^2 + sigma^2 = 1, predicts x, v or eps."""

    predict: Prediction

    def noisy(self, x: Tensor, eps: Tensor, log_snr: Tensor) -> Tensor:
        """Alpha x + sigma eps."""
        return noisy(x, eps, log_snr)

    def target(self, x: Tensor, eps: Tensor, log_snr: Tensor) -> Tensor:
        """As `predict` says."""
        return target(x, eps, log_snr, self.predict)

    def to_x(self, prediction: Tensor, given: Tensor, log_snr: Tensor) -> Tensor:
        """By what is predicted."""
        return to_x(prediction, given, log_snr, self.predict)

    def log_x_error(self, log_snr: Tensor) -> Tensor:
        """By what is predicted."""
        return log_x_error(log_snr, self.predict)


class Linear(Form):
    """A form that is told by its factors."""

    @abstractmethod
    def given(self, log_snr: Tensor) -> tuple[Tensor, Tensor]:
        """Factors a of x and s of eps in what the net is given, (B,) float64."""

    @abstractmethod
    def predicted(self, log_snr: Tensor) -> tuple[Tensor, Tensor]:
        """Factors c of x and d of eps in what it predicts, (B,) float64."""

    def noisy(self, x: Tensor, eps: Tensor, log_snr: Tensor) -> Tensor:
        """The sum that the net is given."""
        a, s = (over_pixels(factor, x) for factor in self.given(log_snr))
        return a * x + s * eps

    def target(self, x: Tensor, eps: Tensor, log_snr: Tensor) -> Tensor:
        """The sum that it predicts."""
        c, d = (over_pixels(factor, x) for factor in self.predicted(log_snr))
        return c * x + d * eps

    def to_x(self, prediction: Tensor, given: Tensor, log_snr: Tensor) -> Tensor:
        """The two sums, solved for x."""
        (_, s), (_, d) = self.given(log_snr), self.predicted(log_snr)
        both = self._determinant(log_snr)
        of_given, of_prediction = (over_pixels(f / both, given) for f in (d, -s))
        return of_given * given + of_prediction * prediction

    def log_x_error(self, log_snr: Tensor) -> Tensor:
        """2 ln |s / (a d - s c)|."""
        return 2 * torch.log((self.given(log_snr)[1] / self._determinant(log_snr)).abs())

    def scale(self, log_snr: Tensor) -> Tensor:
        """The root of a^2 + s^2."""
        return torch.hypot(*self.given(log_snr))

    def _determinant(self, log_snr: Tensor) -> Tensor:
        (a, s), (c, d) = self.given(log_snr), self.predicted(log_snr)
        return a * d - s * c


@dataclass(frozen=True)
class Straight(Linear):
    """Given (1 - t) x + t eps, predicts the velocity eps - x (arXiv 2209.03003), or x.

    t = sigmoid(-log-SNR / 2).
    """

    predict: str

    def given(self, log_snr: Tensor) -> tuple[Tensor, Tensor]:
        """1 - t and t."""
        return torch.sigmoid(log_snr / 2), torch.sigmoid(-log_snr / 2)

    def predicted(self, log_snr: Tensor) -> tuple[Tensor, Tensor]:
        """-1 and 1, or 1 and 0."""
        one = torch.ones_like(log_snr)
        return (-one, one) if self.predict == "velocity" else (one, torch.zeros_like(one))

    def log_x_error(self, log_snr: Tensor) -> Tensor:
        """2 ln t of the velocity, 0 of x."""
        if self.predict == "velocity":
            return 2 * logsigmoid(-log_snr / 2)
        return torch.zeros_like(log_snr)

    def to_x(self, prediction: Tensor, given: Tensor, log_snr: Tensor) -> Tensor:
        """What is given less t times the velocity, or the prediction."""
        if self.predict == "x":
            return prediction
        return given - over_pixels(self.given(log_snr)[1], given) * prediction


@dataclass(frozen=True)
class Preconditioned(Linear):
    """Given c_in (x + sigma eps), predicts F = (x - c_skip (x + sigma eps)) / c_out.

    arXiv 2206.00364, table 1, with log-SNR = -2 ln sigma and r^2 = sigma^2 + sigma_data^2:
    c_in = 1 / r, c_skip = sigma_data^2 / r^2, c_out = sigma sigma_data / r.
    """

    sigma_data: float

    def given(self, log_snr: Tensor) -> tuple[Tensor, Tensor]:
        """1 / r and sigma / r."""
        sigma, r = self._levels(log_snr)
        return 1 / r, sigma / r

    def predicted(self, log_snr: Tensor) -> tuple[Tensor, Tensor]:
        """sigma / (sigma_data r) and -sigma_data / r."""
        sigma, r = self._levels(log_snr)
        return sigma / (self.sigma_data * r), -self.sigma_data / r

    def log_x_error(self, log_snr: Tensor) -> Tensor:
        """2 ln c_out."""
        sigma, r = self._levels(log_snr)
        return 2 * torch.log(sigma * self.sigma_data / r)

    def read(self, log_snr: Tensor) -> Tensor:
        """c_noise = ln(sigma) / 4."""
        return -log_snr / 8

    def _levels(self, log_snr: Tensor) -> tuple[Tensor, Tensor]:
        sigma = torch.exp(-log_snr / 2)
        return sigma, torch.hypot(sigma, sigma.new_full((), self.sigma_data))
