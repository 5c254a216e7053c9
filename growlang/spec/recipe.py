"""The language as pydantic models: what a spec may say, apart from the ops of a pipe.

Every class here is a signature or a section. `resolve` builds them from literals, so an instance
never holds an expression; `Plan` carries them to the runtime as JSON.
"""

from functools import cached_property
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field, field_validator

from growlang.net import digest
from growlang.signatures.canonical import Formerly, Later, Part, canonical
from growlang.signatures.signature import Signature, argument
from growlang.signatures.tables import CallOf, read_call, table
from growlang.spec.averages import Averages
from growlang.spec.data import Source, Transform
from growlang.spec.metrics import FID, CalledMetric, Metric
from growlang.spec.model import Model
from growlang.spec.numbers import listed
from growlang.spec.objectives import CalledObjective, Diffusion
from growlang.spec.optimizers import AdamW, CalledOptimizer
from growlang.spec.rates import (
    LENGTHS,
    LR_SCHEDULES,
    Auto,
    Epochs,
    Images,
    LrSchedule,
    read_schedule,
)
from growlang.spec.samplers import DDIM, CalledSampler

Positive = Annotated[int, Field(ge=1)]


# --- optimisation --------------------------------------------------------------------------------


class Carry(Signature):
    """The moments of what a net grows from go on in what it grows into."""

    call: ClassVar[str] = "carry"
    new: Literal["mean", "reset"] = argument(
        "new entries of a tensor that grows begin with the mean of the old second moments, or "
        "with no moments at all",
        "mean",
    )


MOMENTS = table(Carry)


class Settings(Part):
    """The settings of a recipe, or of one of its phases once its changes are applied."""

    model_config = ConfigDict(strict=True)

    data: list[Source] = Field(min_length=1, description="data sources, with their shares")
    transform: list[Transform] = Field(description="applied to each image, in order")
    objective: CalledObjective = Field(
        default_factory=Diffusion, description="the training objective"
    )
    optimizer: CalledOptimizer = Field(
        default_factory=AdamW, description="the optimizer and its settings"
    )
    batch: Positive = Field(description="images in a step, over all processes")
    ema: Averages = Field(
        default=0.9999,
        description="decay of the averaged weights, per step, or `power(0.05)`; a list of several, "
        "of which the first is used unless another is chosen; `auto`: from the run's length",
    )
    precision: Literal["fp32", "bf16"] = Field(
        default="fp32", description="number format of the forward and backward pass"
    )
    decoder: Annotated[Literal["pillow", "simplejpeg"], Later()] = Field(
        default="pillow",
        description="what decodes JPEGs; `simplejpeg` is faster, and rounds in its own way",
    )
    grad_clip: Annotated[float, Field(gt=0), Formerly("clip")] = Field(
        default=1.0, description="maximum norm of the gradient"
    )
    seed: Annotated[int, Field(ge=0)] = Field(default=0, description="seed of all random draws")
    lr_schedule: Annotated[
        LrSchedule | Auto,
        CallOf(LR_SCHEDULES),
        read_call(LR_SCHEDULES, words=("cosine",)),
        AfterValidator(read_schedule),
    ] = Field(
        default="constant",
        description="learning rate over the steps, after the warm-up; `auto`: constant, then "
        "falling at the end",
    )
    warmup: Annotated[
        Annotated[int, Field(ge=0)] | Epochs | Images | Auto, CallOf(LENGTHS), read_call(LENGTHS)
    ] = Field(
        default=0,
        description="steps over which the learning rate rises linearly from zero, or `epochs(N)` "
        "or `images(N)`; `auto`: chosen from the number of steps",
    )


class Start(Part):
    """Where the first weights come from."""

    origin: Literal["scratch", "parent", "path"] = "scratch"
    recipe: str | None = None
    ema: bool = True
    path: str | None = None
    moments: Literal["carry", "reset"] = "reset"
    new_moments: Annotated[Literal["mean", "reset"], Later] = "mean"
    average: Annotated[int, Later] = 0
    """Which of the parent's averages they are, where it has several."""
    bridge: Annotated[int | None, Later] = None
    """Steps over which the parent's function fades; None where it is discarded at once."""
    """What `carry` gives to the new entries of a tensor that grows: `Carry.new`."""


class Phase(Part):
    """A stretch of training with one set of frozen tensors.

    `steps` is None where it depends on the number of images (`for epochs(N)`): the runtime
    computes it from `epochs` before step 0. `own_schedule` tells that warm-up and learning-rate
    schedule restart here and span this phase; otherwise they span the recipe.
    """

    name: str
    steps: int | None
    epochs: float | None = None
    settings: Settings
    auto: Annotated[list[str], Later()] = []
    """The settings that say `auto`, where `settings` has what was chosen for them."""
    own_schedule: bool = False
    warmup_steps: Annotated[int | None, Later()] = None
    """The steps that `warmup = epochs(N)` or `images(N)` is, once they are known."""
    rewarm: Annotated[int, Field(ge=0), Later] = 0
    """Steps over which the learning rate of what is new rises at the phase's start."""
    frozen: list[str] = []
    """What this phase does not train: selectors in a spec, names of tensors in a plan."""
    released: Annotated[list[str], Later()] = []
    """What it trains although retained ends hold it: selectors in a spec, nothing in a plan."""
    lr_scale: dict[str, float] = {}
    """Factors on the learning rate, by selector in a spec and by name of the tensor in a plan."""


# --- sampling and evaluation ---------------------------------------------------------------------


OF_TOKENS = ("temperature", "top_k", "length")
"""Settings of `sample` that a model of tokens has, beside its prompts."""


class Sample(Part):
    """How images are sampled from the trained model."""

    model_config = ConfigDict(strict=True)
    sampler: CalledSampler = Field(
        default_factory=DDIM, description="the sampler and its number of steps"
    )
    guidance: Annotated[float, Field(ge=0)] = Field(
        default=1.0, description="scale of classifier-free guidance; 1 is none"
    )
    guidance_interval: Annotated[
        list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=2, max_length=2), Later()
    ] = Field(
        default=[0.0, 1.0],
        description="times t between which guidance applies, 1 being noise; elsewhere it is 1, and "
        "the network is evaluated once per image (arXiv 2404.07724)",
    )
    guidance_rescale: Annotated[float, Field(ge=0, le=1), Later()] = Field(
        default=0.0,
        description="how far a guided prediction is given the standard deviation of the one with "
        "the condition: 0 not at all, 0.7 is usual (arXiv 2305.08891, section 3.4)",
    )
    prompts: str | list[str] | None = Field(
        default=None,
        description="captions or classes, or a file with one a line, for the grids of a run and "
        "for `growlang sample`",
    )
    numbers: Annotated[dict[str, float | list[float]] | None, Later()] = Field(
        default=None,
        description="of conditions that read numbers: `[score = 6.5, size = [512, 512]]`; by "
        "default the size of the model's images, or the null",
    )
    temperature: Annotated[Annotated[float, Field(ge=0)], Later()] = Field(
        default=1.0,
        description="of a model of tokens: logits are divided by it; 0 takes the likeliest token",
    )
    top_k: Annotated[Annotated[int, Field(ge=1)] | None, Later()] = Field(
        default=None,
        description="of a model of tokens: only so many of the likeliest tokens are drawn",
    )
    length: Annotated[Positive, Later()] = Field(
        default=256, description="of a model of tokens: tokens that continue a prompt"
    )
    detail_scale: Annotated[float, Field(ge=0, le=1), Later()] = Field(
        default=1.0,
        description="factor on the detail of a sample where ends are retained; 0 leaves the first "
        "generation's image, upsampled",
    )
    detail_temperature: Annotated[float, Field(ge=0, le=1), Later()] = Field(
        default=1.0,
        description="factor on the detail of the noise that a sample begins with, where ends are "
        "retained; 0 gives the detail without chance",
    )

    @field_validator("guidance_interval")
    @classmethod
    def rises(cls, interval: list[float]) -> list[float]:
        """The interval, from the lower time to the higher."""
        if interval[0] >= interval[1]:
            raise ValueError("must be two rising times, such as `[0.1, 0.9]`")
        return interval

    @classmethod
    def of_kind(cls, tokens: bool) -> list[str]:
        """The settings of a model of tokens, or of images."""
        return [n for n in cls.model_fields if n == "prompts" or (n in OF_TOKENS) == tokens]

    @property
    def given_numbers(self) -> dict[str, list[float]]:
        """`numbers`, each as a list."""
        return listed(self.numbers)

    @property
    def says_of_detail(self) -> dict[str, float]:
        """The settings of detail that are not at their defaults, by name."""
        both = {"scale": self.detail_scale, "temperature": self.detail_temperature}
        return {f"detail_{name}": value for name, value in both.items() if value != 1}

    @property
    def says_of_guidance(self) -> dict[str, list[float] | float]:
        """The settings of guidance, besides its scale, that are not at their defaults, by name."""
        found: dict[str, list[float] | float] = {}
        if self.guidance_interval != [0.0, 1.0]:
            found["guidance_interval"] = self.guidance_interval
        if self.guidance_rescale:
            found["guidance_rescale"] = self.guidance_rescale
        return found


class Evaluate(Part):
    """What is measured on generated images."""

    model_config = ConfigDict(strict=True)
    prompts: str | None = Field(
        default=None,
        description="file of captions, one a line; by default the captions of the reference",
    )
    count: Positive = Field(
        default=30_000, description="images to generate, and real ones to compare them with"
    )
    metrics: list[CalledMetric] = Field(
        default_factory=lambda: list[Metric]([FID()]), description="distances and scores"
    )
    every: Annotated[Positive | None, Later()] = Field(
        default=None, description="steps of training between evaluations; by default none"
    )
    reference: Annotated[Literal["training", "held_out"], Later()] = Field(
        default="training",
        description="the real images: those that the recipe trains on, or those that it holds out",
    )
    seed: Annotated[Annotated[int, Field(ge=0)], Later()] = Field(
        default=0, description="seed of the generated images"
    )


class Validation(Part):
    """What a recipe's loss is measured on now and then; no step trains on it."""

    data: list[Source]
    """Sources that are held out as a whole, or the recipe's own, of which a share is."""
    transform: list[Transform]
    """Applied to each image, in order."""
    holdout: float = 0.0
    """The share of the recipe's own data; 0 where whole sources are held out."""


class Recipe(Part):
    """A named way to train the model: where it starts, and its phases in order."""

    name: str
    start: Start
    settings: Settings
    phases: list[Phase]
    validation: Annotated[Validation | None, Later()] = None


class Spec(Part):
    """One spec, resolved: literals only. Both syntaxes give the same instance."""

    grow: int = 1
    model: Model
    recipes: list[Recipe] = []
    sample: Sample = Field(default_factory=Sample)
    evaluate: Evaluate | None = None

    @cached_property
    def spec_hash(self) -> str:
        """SHA-256 of everything that the spec says; a parent enters by its own `spec_hash`.

        Of `lr_scale` the order counts too: where two selectors overlap, the last one holds.
        """
        said = canonical(self)
        for recipe in said["recipes"]:
            for phase in recipe["phases"]:
                phase["lr_scale"] = list(phase["lr_scale"].items())
        return digest(said)
