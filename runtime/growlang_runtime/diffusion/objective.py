"""The loss of a batch: squared errors of the prediction, weighted by noise level."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import Module

from growlang.diagnostics import GrowlangError
from growlang.net import TIME, Net
from growlang.signatures.installed import attribute
from growlang.spec import objectives as declarations
from growlang.spec.objectives import EDM, Diffusion, Flow
from growlang.torch_backend.generations import pooled
from growlang.torch_backend.shards import is_sharded, swap
from growlang_runtime.diffusion.forms import Form, Preconditioned, Preserving, Straight
from growlang_runtime.diffusion.generations import gain
from growlang_runtime.diffusion.levels import nats, trained_at
from growlang_runtime.diffusion.noise import (
    Discrete,
    Line,
    NoiseSchedule,
    Powers,
    evenly,
    noise_schedule,
    noisy,
)
from growlang_runtime.diffusion.reading import Reading
from growlang_runtime.diffusion.variance import bound
from growlang_runtime.diffusion.weights import log_x_weight
from growlang_runtime.distributed.sharding import reshard

Denoiser = Callable[..., Tensor]
"""Maps x_t (B, C, H, W) and what the net reads of the log-SNR (B,) to a prediction.

A net with retained ends is given the log-SNR of x_t itself as a third value, (B,) float64.
"""


class Loss(ABC):
    """What a net is trained to make small."""

    @abstractmethod
    def losses(self, denoise: Denoiser, x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """Loss of each sample, (B,) float32."""

    def of_batch(self, given: Mapping[str, Tensor]) -> Loss:
        """The loss of a batch, of which `given` has the conditions and the labels to predict."""
        return self

    def measured(
        self, denoise: Denoiser, x: Tensor, eps: Tensor, t: Tensor
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The losses, and by its name what else a validation measures of each sample, (B,)."""
        return self.losses(denoise, x, eps, t), {}

    def trained_at(self, u: Tensor) -> Tensor:
        """The times to train at, from numbers u that are uniform in [0, 1): by default u."""
        return u


class Objective(Loss):
    """An objective of images for a net; times t are (B,) float64 in [0, 1], on the CPU."""

    def noisy(self, x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """What the net is given: alpha x + sigma eps of images and noise (B, C, H, W)."""
        return noisy(x, eps, self.log_snr(t))

    def input_scale(self, t: Tensor) -> Tensor | None:
        """What the net is given at t over the variance-preserving x_t, (B,) float64.

        None, the default, where they are one: then `noisy` has to be as it is above.
        """
        return None

    def sampled_at(self, steps: int) -> Tensor:
        """The times at which samplers evaluate the net, rising to 1, float64: n / steps."""
        return evenly(steps)

    @property
    def is_straight(self) -> bool:
        """Whether the net is given (1 - t) x + t eps, in which solvers take their steps then."""
        return False

    @property
    def learns_variance(self) -> bool:
        """Whether the net gives, behind the channels of its prediction, as many of a variance.

        They say where the log variance of a step lies between those of beta~ and beta, -1 and 1.
        """
        return False

    @abstractmethod
    def losses(self, denoise: Denoiser, x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """Loss of each image, (B,) float32; `x` and `eps` are (B, C, H, W), `x` in [-1, 1]."""

    @abstractmethod
    def log_snr(self, t: Tensor) -> Tensor:
        """Log-SNR of what the net is given at t, float64."""

    @abstractmethod
    def embedded(self, t: Tensor) -> Tensor:
        """What the net reads of the noise level at t, float64."""

    @abstractmethod
    def to_x(self, prediction: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """The denoised image that a prediction means, (B, C, H, W)."""


@dataclass(frozen=True)
class Denoising(Objective):
    """The squared error of a prediction, for images of one size."""

    declared: Diffusion | Flow | EDM
    schedule: NoiseSchedule
    reference: bool
    """Whether the net reads the log-SNR without the shift (`embed = reference`)."""
    gain: float = 0.0
    """What the image of the first retained ends has more in log-SNR; 0 where none are."""
    of: str = "log_snr"
    """What of the noise level the net reads, as its `time` says."""

    @cached_property
    def form(self) -> Form:
        """What the net is given, and what it predicts."""
        if isinstance(self.declared, Flow):
            return Straight(self.declared.predict)
        if isinstance(self.declared, EDM):
            return Preconditioned(self.declared.sigma_data)
        return Preserving(self.declared.predict)

    @cached_property
    def reading(self) -> Reading:
        """The same and what the net reads of the noise level."""
        return Reading(self.schedule, self.form, self.reference, self.gain, self.of)

    def log_snr(self, t: Tensor) -> Tensor:
        """That of the schedule."""
        return self.schedule.log_snr(t)

    def trained_at(self, u: Tensor) -> Tensor:
        """As `levels` says."""
        return self.schedule.nearest(trained_at(self.declared.levels, self.schedule, u))

    def sampled_at(self, steps: int) -> Tensor:
        """As the schedule says."""
        return self.schedule.sampled_at(steps)

    def noisy(self, x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """What the net is given of images and noise (B, C, H, W)."""
        return self.form.noisy(x, eps, self.log_snr(t))

    def input_scale(self, t: Tensor) -> Tensor | None:
        """As the form says."""
        return self.reading.input_scale(t)

    @property
    def learns_variance(self) -> bool:
        """As `variance` says."""
        return getattr(self.declared, "variance", "fixed") == "learned"

    @property
    def is_straight(self) -> bool:
        """Whether it is a flow."""
        return self.reading.is_straight

    def to_x(self, prediction: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """The image, by what is predicted."""
        return self.reading.to_x(prediction, x_t, t)

    def embedded(self, t: Tensor) -> Tensor:
        """What the net reads at t: mostly the reference log-SNR or the raw one, float64."""
        return self.reading.embedded(t)

    def weight(self, t: Tensor) -> Tensor:
        """Weight (B,) of the squared error in the predicted space at t, float64.

        Weights are declared as those of the error in another space. The ratio of the two errors
        is applied in the log domain, since each factor alone may leave the range of float32.
        """
        log_snr = self.schedule.log_snr(t)
        weight = self.declared.weight
        if weight is None or weight == getattr(self.declared, "predict", None):
            return torch.ones_like(log_snr)
        covered = partial(nats, self.declared.levels, self.schedule, t)
        return torch.exp(log_x_weight(weight, log_snr, covered) + self.form.log_x_error(log_snr))

    def target(self, x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """What the net should predict of x_t, (B, C, H, W), such as x, eps or v."""
        return self.form.target(x, eps, self.log_snr(t))

    def losses(self, denoise: Denoiser, x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """Weighted mean squared error of each image, (B,) float32."""
        log_snr = self.schedule.log_snr(t)
        read = self.embedded(t).to(device=x.device, dtype=torch.float32)
        level = [log_snr.to(x.device)] if self.gain else []
        given = self.form.noisy(x, eps, log_snr)
        prediction = denoise(given, read, *level)
        place = prediction[:, x.shape[1] :] if self.learns_variance else None
        if place is not None:
            prediction = prediction[:, : x.shape[1]]
        wanted = self.form.target(x, eps, log_snr)
        error = prediction.float() - wanted.float()
        scales = self.declared.scales if isinstance(self.declared, Diffusion) else [1]
        errors = over_scales(error, scales)
        losses = errors * self.weight(t).to(device=x.device, dtype=torch.float32)
        if place is None or not isinstance(self.schedule, Discrete):
            return losses
        x_hat = self.form.to_x(prediction.detach().float(), given, log_snr)
        return losses + bound(self.schedule, x, x_hat, place.float(), t)


def over_scales(error: Tensor, scales: Sequence[int]) -> Tensor:
    """The sum of f times the mean square of the error at 1 / f of its size, (B,)."""
    found = [f * (pooled(error, f) if f > 1 else error).square().flatten(1).mean(1) for f in scales]
    return torch.stack(found).sum(0) if len(found) > 1 else found[0]


def denoiser(module: Callable[..., Tensor], net: Net, conditions: Mapping[str, Tensor]) -> Denoiser:
    """The lowered `module` of `net` under conditions: values of the net's other inputs by name.

    That of a net of tokens takes ids alone, and gives logits.
    Of masks those may be missing under which all tokens are valid.
    """
    none = {i.name: None for i in net.inputs if i.role == "mask"}

    def denoise(x_t: Tensor, log_snr: Tensor | None = None, level: Tensor | None = None) -> Tensor:
        given = {
            "image": x_t,
            "tokens": x_t,
            "log_snr": log_snr,
            "level": level,
            **none,
            **conditions,
        }
        return module(*(given[i.name] for i in net.inputs))

    return denoise


def with_weights(module: Module, weights: Mapping[str, Tensor]) -> Callable[..., Tensor]:
    """The module as a function that computes with `weights` in place of its own.

    A module that is sharded gathers its own weights: they are exchanged for the time of a pass.
    """
    given = dict(weights)
    own = dict(module.named_parameters())
    if any(map(is_sharded, given.values())):
        return partial(_exchanged, module, [(own[name], given[name]) for name in given])

    def computed(*inputs: Tensor) -> Tensor:
        out: Tensor = functional_call(module, given, inputs)
        return out

    return computed


@torch.no_grad()
def _exchanged(module: Module, pairs: Sequence[tuple[Tensor, Tensor]], *inputs: Tensor) -> Tensor:
    """What a sharded module computes while the two tensors of each pair are exchanged."""
    reshard(module)
    for first, second in pairs:
        swap(first, second)
    try:
        out: Tensor = module(*inputs)
        return out
    finally:
        reshard(module)
        for first, second in pairs:
            swap(first, second)


def loss_of(declared: declarations.Objective, net: Net) -> Loss:
    """What a recipe's objective trains a net for."""
    found: Loss = attribute(declared.runtime, declared.call)(declared, net)
    return found


def objective_of(declared: declarations.Objective, net: Net) -> Objective:
    """The objective of a recipe for a net of images. Raises GrowlangError for another net."""
    found = loss_of(declared, net)
    if not isinstance(found, Objective):
        raise GrowlangError(
            f"`{declared.call}` has no noise levels: it trains models of {declared.trains}",
            help="compute its loss from the module's result: see "
            f"docs/{'classification' if declared.trains == 'labels' else 'text'}.md",
        )
    return found


def flow(declared: Flow, net: Net) -> Denoising:
    """The path from an image to noise, at any size; embedding from the net's `time`."""
    return _denoising(declared, Line(declared.time_shift), net)


def edm(declared: EDM, net: Net) -> Denoising:
    """Over sigma, at any size; the net reads ln(sigma) / 4."""
    schedule = Powers(declared.sigma_min, declared.sigma_max, declared.rho)
    return _denoising(declared, schedule, net)


def denoising(declared: Diffusion, net: Net) -> Denoising:
    """Shift from the net's image size, embedding from its `time`."""
    size = min(net.image.dims[1:])
    schedule = noise_schedule(declared.schedule, size)
    return _denoising(declared, schedule, net)


def _denoising(declared: Diffusion | Flow | EDM, schedule: NoiseSchedule, net: Net) -> Denoising:
    """The objective over a schedule. Raises GrowlangError where a net reads a step of none."""
    of = read_of(net)
    if of == "step" and not isinstance(schedule, Discrete):
        raise GrowlangError(
            f"`time` embeds the step of a noise level, and those of `{declared.call}` have none",
            help="write `schedule = linear_beta()`, or `of = t`",
        )
    found = Denoising(declared, schedule, reads_reference(net), gain(net), of)
    if found.learns_variance:
        _require_variance(schedule, net)
    return found


def _require_variance(schedule: NoiseSchedule, net: Net) -> None:
    """Raise GrowlangError where a variance cannot be learned."""
    if not isinstance(schedule, Discrete):
        raise GrowlangError(
            "`variance = learned` is of steps between noise levels, and the schedule has none",
            help="write `schedule = linear_beta()`, or `variance = fixed`",
        )
    channels, ends = net.image.width, net.result.width
    if ends != 2 * channels:
        raise GrowlangError(
            f"`variance = learned` needs a head of {2 * channels} channels, but it has {ends}",
            help=f"write `unpatch(2, channels = {2 * channels})`, or `variance = fixed`",
        )


def read_of(net: Net) -> str:
    """What of the noise level the net reads (`of`): a log-SNR where it does not say."""
    time = next(iter(net.of(TIME)), None)
    return str(time.args.get("of", "log_snr")) if time else "log_snr"


def reads_reference(net: Net) -> bool:
    """Whether the net reads the log-SNR of the base resolution (`embed = reference`)."""
    time = next(iter(net.of(TIME)), None)
    return time is not None and time.args.get("embed", "reference") == "reference"
