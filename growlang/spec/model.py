"""The model part of a spec as pydantic models: inputs, conditions, slots, growth contract."""

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import (
    Field,
    SerializationInfo,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from growlang.net import ComponentName
from growlang.ops import CONDITIONS, DOWN, TIME, UP, Op
from growlang.ops.conditions import Condition
from growlang.ops.generations import DETAILS, UPSAMPLES, Detail, Upsample
from growlang.ops.noise_level import Fourier
from growlang.rules.base import Rule
from growlang.signatures.canonical import Later, Part
from growlang.signatures.signature import Signature, argument
from growlang.signatures.tables import CallOf, Table, read_call, table
from growlang.spec.positions import ROTATED, Rope, Word
from growlang.spec.positions import WORDS as WORDS_OF_POSITION

Skips = Literal["block", "none", "level", "group", "long", "add"]
SKIPS: tuple[str, ...] = get_args(Skips)
WORDS: dict[str, tuple[str, ...]] = {"skips": SKIPS, "detail": DETAILS, "upsample": UPSAMPLES}
"""The bindings of a model that are a word, and the words that each may be."""
RETAINING = ("detail", "upsample")
"""Those of them that a model with retained ends has; elsewhere they may name a condition."""


class Image(Signature):
    """The image: the input of the model, and the shape of its output."""

    call: ClassVar[str] = "image"
    size: Annotated[int, Field(ge=1)] | None = argument("side of a square image, in pixels", None)
    channels: int = argument("colour channels", 3, ge=1)
    height: Annotated[int, Field(ge=1)] | None = argument("height, in pixels", None)
    width: Annotated[int, Field(ge=1)] | None = argument("width, in pixels", None)

    @property
    def extent(self) -> tuple[int, int]:
        """(height, width) of what the model reads."""
        return self.height or self.size or 0, self.width or self.size or 0

    @property
    def pixels(self) -> tuple[int, int]:
        """(height, width) of the images, in pixels."""
        return self.extent


class LatentImage(Image):
    """Latents of an image, which a frozen VAE makes and turns back (arXiv 2112.10752).

    Sizes count latents: the images of the data and those that are drawn have `factor` times as
    many pixels a side, `image.pixels`. The VAE is an AutoencoderKL of diffusers, whose config says
    how its latents are scaled.
    """

    call: ClassVar[str] = "latent"
    size: Annotated[int, Field(ge=1)] | None = argument("side of a square, in latents", None)
    channels: int = argument("channels of the latents", 4, ge=1)
    height: Annotated[int, Field(ge=1)] | None = argument("height, in latents", None)
    width: Annotated[int, Field(ge=1)] | None = argument("width, in latents", None)
    vae: str = argument("folder of an AutoencoderKL of diffusers, or its id")
    factor: int = argument("pixels a side for each latent", 8, ge=1)
    colours: int = argument("colour channels of the images", 3, ge=1)

    @property
    def pixels(self) -> tuple[int, int]:
        """(height, width) of the images, in pixels."""
        height, width = self.extent
        return self.factor * height, self.factor * width


class Tokens(Signature):
    """A sequence of tokens: the input of the model, whose output is a logit for each token."""

    call: ClassVar[str] = "tokens"
    vocabulary: int = argument("number of different tokens", ge=1)
    length: int = argument("tokens of a sequence", ge=1)


INPUTS = {"image": table(Image, LatentImage), "tokens": table(Tokens)}
"""What the bindings of the input may be; a model has one of them."""


class Item(Part):
    """An op of a pipe, repeated."""

    op: SerializeAsAny[Op]
    repeat: int = 1

    @model_serializer(mode="wrap")
    def as_json(
        self, fields: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        """The call, with `repeat` beside it where it is more than once."""
        call = self.op.model_dump(mode="json", by_alias=True, context=info.context)
        return call if self.repeat == 1 else {**call, "repeat": self.repeat}


class Group(Part):
    """A group of a pipe, repeated; `block` names the user block that it comes from."""

    group: list["Group | Item | None"]
    repeat: int = 1
    block: str | None = None


Pipe = list[Group | Item | None]
"""None stands for an element that was refused; a resolved spec without findings has none."""
Position = Annotated[Word | Rope, CallOf(ROTATED), read_call(ROTATED)]
POSITIONS = (*WORDS_OF_POSITION, *ROTATED)


CoreSkips = Literal["long", "none"]
CORE_SKIPS: tuple[str, ...] = get_args(CoreSkips)


class Slot(Part):
    """`stem`, `core` or `head`: a pipe, the core's at a resolution."""

    at: int | None = Field(None, description="height of the grid, in positions")
    position: Position | None = Field(None, description="positional embedding of the core's tokens")
    skips: Annotated[CoreSkips | None, Later()] = Field(
        None, description="whether the first blocks of the core are joined to its last ones"
    )
    prepend: Annotated[list[str], Later()] = Field(
        default_factory=list,
        description="conditions, `time`, `class_token` or `learned`, whose tokens are in front of "
        "the core's",
    )
    prepend_times: Annotated[int, Later()] = Field(1, description="how many times these tokens are")
    prepend_at: Annotated[int, Later()] = Field(
        0, description="before which op on tokens they come, counted from 0"
    )
    pipe: Pipe = Field(description="ops, in order")


class Stage(Part):
    """An encoder side and a decoder side at one resolution, with the changes to the next."""

    at: int = Field(description="height of the grid, in positions")
    down: Annotated[str, CallOf(DOWN)] = Field("down", description="to the next coarser place")
    up: Annotated[str, CallOf(UP)] = Field("up", description="back from the next coarser place")
    down_with: Annotated[dict[str, int | float], Later()] = Field(
        default_factory=dict, description="arguments of `down` that are not at their default"
    )
    up_with: Annotated[dict[str, int | float], Later()] = Field(
        default_factory=dict, description="arguments of `up` that are not at their default"
    )
    encode: Pipe = Field(description="ops on the way down")
    decode: Pipe = Field(description="ops on the way up")

    @property
    def name(self) -> ComponentName:
        """Its name as a component."""
        return ComponentName.of_stage(self.at)


class Grows(Part):
    """The parent and what becomes of its components."""

    parent: str = Field("", description="hash of the parent's spec; filled in where it is hashed")
    keep: list[str] = []
    drop: list[str] = []
    retain: Annotated[list[str], Later()] = []
    moved: list[tuple[str, str]] = []
    init: list[tuple[str, str]] = []
    """Places and what they begin as, in order: where two overlap, the last one holds."""
    grow: Annotated[list[tuple[str, list[SerializeAsAny[Rule]]]], Later()] = []
    """Components that grow, and by which rules, in the order in which they are applied."""


class Model(Part):
    """One model, resolved. Kept components are filled in from the parent.

    It has an image or tokens.
    """

    name: str
    grows: Grows | None = None
    image: SerializeAsAny[Image] | None = None
    tokens: Tokens | None = None
    conditions: dict[str, SerializeAsAny[Condition]] = {}
    time: Fourier | None = None
    skips: Skips = "block"
    retained: Annotated[list[str], Later()] = []
    """The components of the path to smaller images, which former generations left."""
    detail: Annotated[Detail, Later()] = "high"
    upsample: Annotated[Upsample, Later()] = "bicubic"
    stem: Slot
    stages: list[Stage] = []
    core: Slot
    head: Slot

    @property
    def predicted(self) -> tuple[str, ...]:
        """The labels whose class it predicts: those without a width, and what the head names."""
        ops = ops_of(self.head.pipe)
        named = ops[-1].attended if ops and ops[-1].ends_head else None
        targets = [name for name, c in self.conditions.items() if c.is_target]
        return tuple(dict.fromkeys([*(named or ()), *targets]))

    def components(self) -> list[ComponentName]:
        """Names of the components in the order of the data."""
        stages = [s.name for s in self.stages]
        first = [*self.conditions, *(["time"] if self.time else []), *self.retained]
        return list(map(ComponentName, (*first, "stem", *stages, "core", "head")))


BINDINGS: dict[str, Table[Signature]] = {**INPUTS, "time": TIME}
"""What the named bindings of a model may be; any other name is a condition."""

__all__ = [
    "BINDINGS",
    "CONDITIONS",
    "INPUTS",
    "POSITIONS",
    "RETAINING",
    "SKIPS",
    "WORDS",
    "Group",
    "Grows",
    "Image",
    "Item",
    "LatentImage",
    "Model",
    "Pipe",
    "Slot",
    "Stage",
    "Tokens",
]


def ops_of(pipe: Pipe) -> list[Op]:
    """The ops of a pipe, those of its groups with them; without what was refused."""
    found: list[Op] = []
    for item in pipe:
        if isinstance(item, Group):
            found += ops_of(item.group)
        elif item is not None:
            found.append(item.op)
    return found
