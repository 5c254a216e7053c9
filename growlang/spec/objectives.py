"""Objectives of training, and what they say of how trained weights are to be read."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, SerializeAsAny, model_validator

from growlang.signatures.canonical import Later
from growlang.signatures.signature import Conditions, Signature, argument
from growlang.signatures.tables import CallOf, Table, read_call, table
from growlang.spec.levels import CalledLevels, LogNormal, Uniform
from growlang.spec.schedules import CalledSchedule, Cosine

Factor = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class Objective(Signature):
    """Base of the objectives of training.

    A package declares one as an entry point of the group `growlang.objectives`.
    """

    runtime: ClassVar[str]
    """`module:class` of its computation, which a run imports: (objective, net) ->
    `growlang_runtime.diffusion.objective.Loss`."""
    trains: ClassVar[Literal["images", "tokens", "labels"]] = "images"
    """What a model that it trains computes: images, logits of tokens, or those of a label."""
    has_noise: ClassVar[bool] = True
    """Whether it reads noise, which is then drawn for each image."""

    def dropped(self) -> float | Mapping[str, float]:
        """Probability of a null condition: of all together, or of each by its name."""
        return 0.0

    def meaning(self) -> Mapping[str, Any]:
        """What decides how the net's output is read, by what it is called in a message."""
        return {}


class MinSNR(Signature):
    """Weight min(SNR, gamma) of the squared error in x (arXiv 2303.09556)."""

    call: ClassVar[str] = "min_snr"
    gamma: float = argument("maximum weight", 5.0, gt=0)


class SNRPlusOne(Signature):
    """Weight min(SNR + 1, limit) of the squared error in x: the error in v, cut off at low noise.

    SNR + 1 is that of arXiv 2202.00512, section 4.
    """

    call: ClassVar[str] = "snr_plus_one"
    limit: float = argument("maximum weight", 5.0, gt=0)


class Sigmoid(Signature):
    """Weight sigmoid(bias - log-SNR) of the squared error in eps (arXiv 2410.19324).

    It is a weight over the log-SNR, whatever `levels` are drawn.
    """

    call: ClassVar[str] = "sigmoid"
    bias: float = argument("bias, in nats of log-SNR", -3.0)


class Velocity(Signature):
    """Weight min(1 / t^2, limit) of the squared error in x: that in eps - x of (1 - t) x + t eps.

    With limit = 400 it is that of arXiv 2511.13720, which takes t for at least 0.05.
    """

    call: ClassVar[str] = "velocity"
    limit: Annotated[float, Field(gt=0)] | None = argument("maximum weight; default: none", None)


class SoftMinSNR(Signature):
    """Weight SNR gamma / (SNR + gamma) of the squared error in x (arXiv 2401.11605)."""

    call: ClassVar[str] = "soft_min_snr"
    gamma: float = argument("maximum weight", 4.0, gt=0)


class EDMWeight(Signature):
    """Weight SNR + 1 / sigma_data^2 of the squared error in x (arXiv 2206.00364, table 1)."""

    call: ClassVar[str] = "edm"
    sigma_data: float = argument("standard deviation of the data", 0.5, gt=0)


CalledWeight = MinSNR | SNRPlusOne | Sigmoid | Velocity | SoftMinSNR | EDMWeight
WEIGHTS = table(MinSNR, SNRPlusOne, Sigmoid, Velocity, SoftMinSNR, EDMWeight)
AnyWeight = Literal["x", "v", "eps"] | CalledWeight
Weight = Annotated[AnyWeight | None, CallOf(WEIGHTS), read_call(WEIGHTS)]


class Diffusion(Objective):
    """Denoising objective over a noise schedule, with conditions dropped for guidance.

    With `scales` the loss is the sum over f of f times the mean square of the error whose f x f
    pixels are averaged: the multi-scale loss of simple diffusion (arXiv 2301.11093, section 3.2),
    times the size of the image.

    With `variance = learned` the head ends with a second value for each: where the log variance of
    a step lies between those of beta~ and beta, at -1 and 1. It learns by the variational bound,
    which weighs 0.001 (arXiv 2102.09672, eq. 15 and 16); `ddpm` draws with it.
    """

    call = "diffusion"
    runtime = "growlang_runtime.diffusion.objective:denoising"
    predict: Literal["v", "eps", "x"] = argument("what the network predicts", "v")
    schedule: CalledSchedule = argument("log-SNR over time", lambda: Cosine(base=64))
    weight: Weight = argument(
        "space of the squared error, or its weight; default: the space that is predicted", None
    )
    drop: Fraction | dict[str, Fraction] = argument(
        "probability of a null condition: of all together, or [name = p, ...] of each", 0.1
    )
    levels: Annotated[CalledLevels, Later()] = argument(
        "how often each noise level is trained on", Uniform
    )
    scales: Annotated[list[Factor], Field(min_length=1), Later()] = argument(
        "factors by which errors are made smaller before they are squared: the loss is the sum",
        lambda: [1],
    )
    variance: Annotated[Literal["fixed", "learned"], Later()] = argument(
        "variance of the steps of `ddpm`: fixed, or learned over the levels of the schedule",
        "fixed",
    )

    def dropped(self) -> float | Mapping[str, float]:
        """As `drop` says."""
        return self.drop

    def meaning(self) -> Mapping[str, Any]:
        """The prediction and the noise schedule; the weight of the loss changes neither."""
        return {"prediction": self.predict, "noise schedule": self.schedule}


class Flow(Objective):
    """Flow matching on straight paths: x_t = (1 - t) x + t eps (arXiv 2209.03003, 2403.03206).

    A shift s takes the path at s t / (1 + (s - 1) t) for t, in training and sampling, which is
    -2 ln s nats of log-SNR: s is to images what `image.size / base` is to a cosine.
    """

    call = "flow"
    runtime = "growlang_runtime.diffusion.objective:flow"
    predict: Literal["velocity", "x"] = argument(
        "what the network predicts: eps - x, or x", "velocity"
    )
    levels: CalledLevels = argument(
        "how often each noise level is trained on, before the shift", Uniform
    )
    time_shift: float = argument("shift of the time towards noise", 1.0, gt=0)
    weight: Weight = argument(
        "space of the squared error, or its weight; default: the space that is predicted", None
    )
    drop: Fraction | dict[str, Fraction] = argument(
        "probability of a null condition: of all together, or [name = p, ...] of each", 0.1
    )

    def dropped(self) -> float | Mapping[str, float]:
        """As `drop` says."""
        return self.drop

    def meaning(self) -> Mapping[str, Any]:
        """The prediction; the shift changes only which times are trained and sampled."""
        return {"prediction": self.predict}


class EDM(Objective):
    """Denoising with preconditioning, over sigma of x + sigma eps (arXiv 2206.00364, table 1).

    The denoised image is c_skip (x + sigma eps) + c_out F, where F is what the net makes of
    c_in (x + sigma eps) and reads ln(sigma) / 4 of the noise. The error in F is the default weight,
    `edm(sigma_data)`.
    """

    call = "edm"
    runtime = "growlang_runtime.diffusion.objective:edm"
    sigma_data: float = argument("standard deviation of the data", 0.5, gt=0)
    levels: CalledLevels = argument("how often each noise level is trained on", LogNormal)
    weight: Weight = argument("space of the squared error, or its weight; default: that of F", None)
    sigma_min: float = argument("sigma at t = 0, the last that samplers visit", 0.002, gt=0)
    sigma_max: float = argument("sigma at t = 1, where samplers begin", 80.0, gt=0)
    rho: float = argument("sigma to the power 1 / rho is linear in t", 7.0, gt=0)
    drop: Fraction | dict[str, Fraction] = argument(
        "probability of a null condition: of all together, or [name = p, ...] of each", 0.1
    )

    @model_validator(mode="after")
    def fits(self) -> Self:
        """The arguments among themselves."""
        if self.sigma_min >= self.sigma_max:
            raise ValueError("`sigma_min` must be less than `sigma_max`")
        return self

    def dropped(self) -> float | Mapping[str, float]:
        """As `drop` says."""
        return self.drop

    def meaning(self) -> Mapping[str, Any]:
        """The preconditioning; which levels are trained and sampled does not change it."""
        return {"sigma_data": self.sigma_data}


class NextToken(Objective):
    """Cross-entropy of each next token, in nats: the mean over a sequence (Radford et al. 2019)."""

    call = "next_token"
    runtime = "growlang_runtime.language.next_token:next_token"
    trains = "tokens"
    has_noise = False


class Classify(Objective):
    """Cross-entropy of the class of a label, in nats.

    With `label_smoothing` s the target is 1 - s for the class and s for all classes alike (arXiv
    1512.00567, section 7). A validation measures the accuracy too.
    """

    call = "classify"
    runtime = "growlang_runtime.classification.cross_entropy:classify"
    trains = "labels"
    has_noise = False
    label: Annotated[str, Conditions(itself=False)] = argument(
        "label that the head predicts: `classes(n)` without a width"
    )
    label_smoothing: float = argument("share of the target that all classes have", 0.0, ge=0, lt=1)


OBJECTIVES = Table(
    Objective, [Diffusion, Flow, EDM, NextToken, Classify], group="growlang.objectives"
)
CalledObjective = Annotated[SerializeAsAny[Objective], CallOf(OBJECTIVES), read_call(OBJECTIVES)]


def meaning_changes(old: Objective, new: Objective) -> tuple[str, ...]:
    """What changes of how the output of trained weights is to be read."""
    if old.call != new.call:
        return (f"the objective changes from {written(old)} to {written(new)}",)
    was, now = old.meaning(), new.meaning()
    return tuple(
        f"the {what} changes from {_shown(was[what])} to {_shown(now[what])}"
        for what in was
        if was[what] != now[what]
    )


def _shown(value: Any) -> str:
    return written(value) if isinstance(value, Signature) else str(value)


def written(call: Signature) -> str:
    """A call as the language writes it, with the arguments that are not at their default."""
    default = {
        name: info.get_default(call_default_factory=True)
        for name, info in type(call).model_fields.items()
    }
    said = [
        f"{name} = {_shown(value)}"
        for name, value in ((n, getattr(call, n)) for n in default)
        if value != default[name]
    ]
    return f"{call.call}({', '.join(said)})"
