"""Objectives of training, and what they say of how trained weights are to be read."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, SerializeAsAny

from growlang.signatures.signature import Signature, argument
from growlang.signatures.tables import CallOf, Table, read_call, table
from growlang.spec.schedules import CalledSchedule, Cosine

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class Objective(Signature):
    """Base of the objectives of training.

    A package declares one as an entry point of the group `growlang.objectives`.
    """

    runtime: ClassVar[str]
    """`module:class` of its computation, which a run imports: (objective, net) ->
    `growlang_runtime.diffusion.objective.Loss`."""
    trains: ClassVar[Literal["images", "tokens"]] = "images"
    """The kind of model that it trains: its input."""

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
    """Weight sigmoid(bias - log-SNR) of the squared error in eps (arXiv 2410.19324)."""

    call: ClassVar[str] = "sigmoid"
    bias: float = argument("bias, in nats of log-SNR", -3.0)


WEIGHTS = table(MinSNR, SNRPlusOne, Sigmoid)
Weight = Annotated[
    Literal["x", "v", "eps"] | MinSNR | SNRPlusOne | Sigmoid | None,
    CallOf(WEIGHTS),
    read_call(WEIGHTS),
]


class Diffusion(Objective):
    """Denoising objective over a noise schedule, with conditions dropped for guidance."""

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

    def dropped(self) -> float | Mapping[str, float]:
        """As `drop` says."""
        return self.drop

    def meaning(self) -> Mapping[str, Any]:
        """The prediction and the noise schedule; the weight of the loss changes neither."""
        return {"prediction": self.predict, "noise schedule": self.schedule}


class NextToken(Objective):
    """Cross-entropy of each next token, in nats: the mean over a sequence (Radford et al. 2019)."""

    call = "next_token"
    runtime = "growlang_runtime.language.next_token:next_token"
    trains = "tokens"


OBJECTIVES = Table(Objective, [Diffusion, NextToken], group="growlang.objectives")
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
        f"{name} = {value}"
        for name, value in ((n, getattr(call, n)) for n in default)
        if value != default[name]
    ]
    return f"{call.call}({', '.join(said)})"
