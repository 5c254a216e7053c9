"""The language as pydantic models: what a spec may say, apart from the ops of a pipe.

Every class here is a signature or a section. `resolve` builds them from literals, so an instance
never holds an expression; `Plan` carries them to the runtime as JSON.
"""

from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from growlang.net import digest
from growlang.signatures.canonical import Formerly, Part, canonical
from growlang.signatures.signature import Nothing, Signature, argument
from growlang.signatures.tables import CallOf, read_call, table
from growlang.spec.model import Model

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(ge=1)]


# --- schedules, weights and objectives -----------------------------------------------------------


class Cosine(Signature):
    """Shifted cosine schedule of simple diffusion (arXiv 2301.11093, eq. 5 and section 3.1).

    log-SNR(t) = -2 ln tan(t_min + t (t_max - t_min)) + shift, with shift = 2 ln(base / image.size).
    """

    call: ClassVar[str] = "cosine"
    base: Positive | None = argument("image size, in pixels, at which the shift is zero", None)
    shift: float | None = argument("shift of the log-SNR, in nats; instead of base", None)
    min: float = argument("log-SNR at t = 1, before the shift", -15.0)
    max: float = argument("log-SNR at t = 0, before the shift", 15.0)

    @model_validator(mode="after")
    def fits(self) -> Self:
        """The arguments among themselves."""
        if self.base is not None and self.shift is not None:
            raise ValueError("`base` and `shift` are mutually exclusive")
        _require_rising(self)
        return self


class Interpolated(Signature):
    """Interpolation of two shifted cosines, t * high + (1 - t) * low (arXiv 2301.11093, 3.1)."""

    call: ClassVar[str] = "interpolated"
    low: Positive = argument("base, in pixels, of the shift that holds at low noise (t = 0)", 32)
    high: Positive = argument("base, in pixels, of the shift that holds at high noise (t = 1)", 64)
    min: float = argument("log-SNR at t = 1, before the shift", -15.0)
    max: float = argument("log-SNR at t = 0, before the shift", 15.0)

    @model_validator(mode="after")
    def fits(self) -> Self:
        """The arguments among themselves."""
        _require_rising(self)
        return self


def _require_rising(schedule: Cosine | Interpolated) -> None:
    if schedule.min >= schedule.max:
        raise ValueError("`min` must be less than `max`")


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


SCHEDULES = table(Cosine, Interpolated)
WEIGHTS = table(MinSNR, SNRPlusOne, Sigmoid)
Schedule = Annotated[Cosine | Interpolated, CallOf(SCHEDULES), read_call(SCHEDULES)]
Weight = Annotated[
    Literal["x", "v", "eps"] | MinSNR | SNRPlusOne | Sigmoid | None,
    CallOf(WEIGHTS),
    read_call(WEIGHTS),
]


class Diffusion(Signature):
    """Denoising objective over a noise schedule, with conditions dropped for guidance."""

    call: ClassVar[str] = "diffusion"
    predict: Literal["v", "eps", "x"] = argument("what the network predicts", "v")
    schedule: Schedule = argument("log-SNR over time", lambda: Cosine(base=64))
    weight: Weight = argument(
        "space of the squared error, or its weight; default: the space that is predicted", None
    )
    drop: Fraction | dict[str, Fraction] = argument(
        "probability of a null condition: of all together, or [name = p, ...] of each", 0.1
    )


OBJECTIVES = table(Diffusion)
Objective = Annotated[Diffusion, CallOf(OBJECTIVES), read_call(OBJECTIVES)]


# --- data and transforms -------------------------------------------------------------------------


Endings = str | Annotated[list[str], Field(min_length=1)]
"""The ending of the files that hold something, or several in the order of preference."""


class WebDataset(Signature):
    """Tar shards in the WebDataset layout: images, with the captions and labels that are read."""

    call: ClassVar[str] = "webdataset"
    urls: str = argument(
        "shards: a path, or a pattern with {00..99}, * or ~, relative to the data root"
    )
    image: Endings = argument("ending of the images, or a list of endings", "jpg")
    caption: Annotated[Endings | None, Nothing()] = argument(
        'ending of the captions, "json:FIELD" for a field of a JSON file, or none', "txt"
    )
    label: Annotated[Endings | None, Nothing()] = argument(
        'ending of the class labels, or "json:FIELD"', None
    )


class Resize(Signature):
    """Antialiased resize."""

    call: ClassVar[str] = "resize"
    size: Positive = argument("target, in pixels")
    side: Literal["short", "long", "both"] = argument("which side is resized to `size`", "short")


class Crop(Signature):
    """Square crop."""

    call: ClassVar[str] = "crop"
    size: Positive = argument("side of the crop, in pixels")
    at: Literal["centre", "random"] = argument("where to crop", "centre")


class Flip(Signature):
    """Random horizontal flip."""

    call: ClassVar[str] = "flip"
    probability: Fraction = argument("probability of a flip", 0.5)


DATA = table(WebDataset)
TRANSFORMS = table(Resize, Crop, Flip)
Transform = Annotated[Resize | Crop | Flip, CallOf(TRANSFORMS), read_call(TRANSFORMS)]


class Source(Part):
    """One source of training data, with its share of the draws and the rows that it keeps."""

    name: str
    share: float = 1.0
    webdataset: Annotated[WebDataset, read_call(DATA)]
    where: list[Any] | None = None
    """A predicate over a row: nested lists such as [">=", ["row", "width"], 512]."""


# --- optimisation --------------------------------------------------------------------------------


class AdamW(Signature):
    """Adam with decoupled weight decay (arXiv 1711.05101)."""

    call: ClassVar[str] = "adamw"
    lr: float = argument("learning rate", 1e-4, gt=0)
    betas: Annotated[
        list[Annotated[float, Field(ge=0, lt=1)]], Field(min_length=2, max_length=2)
    ] = argument("decay rates of the two moments", [0.9, 0.99])
    eps: float = argument("added to the root of the second moment", 1e-8, gt=0)
    weight_decay: float = argument("per step, times the learning rate", 0.01, ge=0)


OPTIMIZERS = table(AdamW)
Optimizer = Annotated[AdamW, CallOf(OPTIMIZERS), read_call(OPTIMIZERS)]


class Settings(Part):
    """The settings of a recipe, or of one of its phases once its changes are applied."""

    model_config = ConfigDict(strict=True)

    data: list[Source] = Field(min_length=1, description="data sources, with their shares")
    transform: list[Transform] = Field(description="applied to each image, in order")
    objective: Objective = Field(default_factory=Diffusion, description="the training objective")
    optimizer: Optimizer = Field(
        default_factory=AdamW, description="the optimizer and its settings"
    )
    batch: Positive = Field(description="images in a step, over all processes")
    ema: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.9999, description="decay of the averaged weights, per step"
    )
    precision: Literal["fp32", "bf16"] = Field(
        default="fp32", description="number format of the forward and backward pass"
    )
    grad_clip: Annotated[float, Field(gt=0), Formerly("clip")] = Field(
        default=1.0, description="maximum norm of the gradient"
    )
    seed: Annotated[int, Field(ge=0)] = Field(default=0, description="seed of all random draws")
    lr_schedule: Literal["constant", "cosine", "inverse_sqrt"] = Field(
        default="constant", description="learning rate over the steps, after the warm-up"
    )
    warmup: Annotated[int, Field(ge=0)] = Field(
        default=0, description="steps over which the learning rate rises linearly from zero"
    )


class Start(Part):
    """Where the first weights come from."""

    origin: Literal["scratch", "parent", "path"] = "scratch"
    recipe: str | None = None
    ema: bool = True
    path: str | None = None
    moments: Literal["carry", "reset"] = "reset"


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
    own_schedule: bool = False
    frozen: list[str] = []
    """What this phase does not train: selectors in a spec, names of tensors in a plan."""
    lr_scale: dict[str, float] = {}
    """Factors on the learning rate, by selector in a spec and by name of the tensor in a plan."""


# --- sampling and evaluation ---------------------------------------------------------------------


class DDIM(Signature):
    """Deterministic or partly stochastic sampler (arXiv 2010.02502)."""

    call: ClassVar[str] = "ddim"
    steps: Positive = argument("number of network evaluations", 256)
    eta: Fraction = argument("share of the ancestral noise", 0.0)


class DDPM(Signature):
    """Ancestral sampler (arXiv 2006.11239)."""

    call: ClassVar[str] = "ddpm"
    steps: Positive = argument("number of network evaluations", 256)


class DPMSolver(Signature):
    """DPM-Solver++ multistep sampler (arXiv 2211.01095)."""

    call: ClassVar[str] = "dpm_solver"
    steps: Positive = argument("number of network evaluations", 50)
    order: Annotated[int, Field(ge=1, le=3)] = argument("order of the solver", 2)


SAMPLERS = table(DDIM, DDPM, DPMSolver)
Sampler = Annotated[DDIM | DDPM | DPMSolver, CallOf(SAMPLERS), read_call(SAMPLERS)]


class Sample(Part):
    """How images are sampled from the trained model."""

    model_config = ConfigDict(strict=True)
    sampler: Sampler = Field(
        default_factory=DDIM, description="the sampler and its number of steps"
    )
    guidance: Annotated[float, Field(ge=0)] = Field(
        default=1.0, description="scale of classifier-free guidance; 1 is none"
    )
    prompts: str | list[str] | None = Field(
        default=None, description="captions, or a file with one a line, for the sample grids"
    )


class Evaluate(Part):
    """What is measured on generated images."""

    model_config = ConfigDict(strict=True)
    prompts: str | None = Field(default=None, description="file of captions, one a line")
    count: Positive = Field(default=30_000, description="images to generate")
    metrics: list[Literal["fid", "fd_dino", "cmmd", "clip_score"]] = Field(
        default=["fid"], description="distances and scores"
    )


class Recipe(Part):
    """A named way to train the model: where it starts, and its phases in order."""

    name: str
    start: Start
    settings: Settings
    phases: list[Phase]


class Spec(Part):
    """One spec, resolved: literals only. The twin syntaxes give the same instance."""

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
