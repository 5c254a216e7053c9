"""Ops that embed what an image is conditioned on: words, classes, frozen encoders."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from growlang.net import Scope, Shape, tokens, vector
from growlang.net.axes import Axes, Rows, Space, Symmetry, reads, writes
from growlang.ops.base import Op, OpError
from growlang.ops.kept import FP32, Kept, Widths
from growlang.ops.layers import plain, table
from growlang.signatures.canonical import Later
from growlang.signatures.signature import argument

T5_WIDTHS = {
    f"{family}-{size}": width
    for family in ("google/t5-v1_1", "google/flan-t5", "google/mt5")
    for size, width in (("small", 512), ("base", 768), ("large", 1024), ("xl", 2048), ("xxl", 4096))
} | {
    f"{prefix}t5-{size}": width
    for prefix in ("", "google-t5/")
    for size, width in (("small", 512), ("base", 768), ("large", 1024), ("3b", 1024), ("11b", 1024))
}
"""Width of the encoder's output (`d_model` of its configuration), by id on the Hugging Face hub."""

CLIP_WIDTHS = {
    "openai/clip-vit-base-patch16": 512,
    "openai/clip-vit-base-patch32": 512,
    "openai/clip-vit-large-patch14": 768,
    "openai/clip-vit-large-patch14-336": 768,
    "laion/CLIP-ViT-H-14-laion2B-s32B-b79K": 1024,
    "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k": 1280,
}
"""Width of the text half's last hidden state (`text_config.hidden_size`), by id."""

ENCODER_WIDTHS = {
    **T5_WIDTHS,
    **CLIP_WIDTHS,
    "google-bert/bert-base-uncased": 768,
    "google-bert/bert-large-uncased": 1024,
    "sentence-transformers/all-MiniLM-L6-v2": 384,
    "sentence-transformers/all-mpnet-base-v2": 768,
}
"""Width of the text encoder's last hidden state (`hidden_size`), by id."""

SHOWN = 8
"""Names of classes that a message writes."""

Pool = Annotated[Literal["mean", "first", "attention"], Later()]
"""How tokens become one vector: their mean, the first, or the mean that a learned query weighs."""


def pool() -> Any:
    """The argument `pool` of a condition of several tokens."""
    return argument("how its tokens become one vector where `time` adds it", "mean")


class Condition(Op):
    """Base of the conditions: tokens that a transformer may attend to.

    A package declares one as an entry point of the group `growlang.conditions`, and the module that
    embeds its ids or labels as one of `growlang.modules`.
    """

    role: ClassVar[Literal["ids", "label", "number", "embedding"]]
    """What the net reads of it: ids, each a token, a label or numbers, which are one token, or an
    embedding where a frozen encoder outside the net makes the tokens."""
    field: ClassVar[Literal["caption", "label", "number"]] = "caption"
    """What it reads of a sample."""
    runtime: ClassVar[str]
    """`module:function` of what makes the net's input, which a run imports: (condition,
    `growlang_runtime.conditioning.readers.Setting`) -> `Reader`."""
    called_as = "condition"
    input_kind = "any"
    training_arguments = frozenset(("from",))

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """The channels of a frozen encoder, which are as they are."""
        return Axes((), writes(Space("out", self.output(x, scope).width, Symmetry.FIXED)))

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """Ids or labels, in int64, whose rows of a table are in fp32."""
        return Kept(0, 8 * self.saved_activations(x, scope), FP32)

    @property
    def is_target(self) -> bool:
        """Whether the model predicts it: then the net reads nothing of it."""
        return False

    def as_target(self) -> str:
        """How to declare it as a label to predict; empty where it is none."""
        return ""

    @property
    def members(self) -> frozenset[str]:
        """What is read of a sample beside its image: its caption, its label, or its JSON file."""
        return frozenset((self.field,))

    @property
    def can_be_null(self) -> bool:
        """Whether it is another one where conditions are dropped."""
        return True

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of a sample that it reads numbers of, in order; none where it reads none."""
        return ()

    def usual(self, height: int, width: int) -> tuple[float, ...] | None:
        """The numbers of an image of so many pixels that is drawn; None where it has none."""
        return None

    def given(self, out: Shape) -> Shape:
        """Shape of what the net is given, for one image; `out` is that of the tokens."""
        ids = Shape("ids", out.dims[:1] if self.role == "ids" else ())
        return out if self.role == "embedding" else ids

    def labels(self) -> int | None:
        """The number that labels must be below; None where it reads none."""
        return None

    def label_names(self) -> tuple[str, ...]:
        """The names of the labels, in their order; none where they are numbers alone."""
        return ()


class Words(Condition):
    """Trainable embedding of hashed words (arXiv 0902.2206); row `vocabulary` is the null."""

    call = "words"
    runtime = "growlang_runtime.conditioning.readers:words"
    source = "arXiv 0902.2206"
    role = "ids"
    width: int = argument("channels of a token", ge=1)
    tokens: int = argument("words that are read; the rest of a caption is cut", 32, ge=1)
    vocabulary: int = argument("buckets that words are hashed to", 8192, ge=1)
    from_: str = argument("field of the sample that is read", "caption", alias="from")
    pool: Pool = pool()

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(tokens, width)."""
        return tokens(self.tokens, self.width)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`embedding.weight`, with a row for each bucket, then one for the null."""
        return _embedding(
            Space("vocabulary", self.vocabulary + 1, rows=Rows(are_hashed=True, have_null=True)),
            self.width,
        )

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The ids."""
        return self.tokens


class Classes(Condition):
    """Trainable embedding of a class label as one token; row `n` is the null, if there is one.

    With `null = false` labels cannot be dropped: recipes say `drop = 0`, and sampling no guidance.
    `classes(1000)`, without a width, embeds nothing: the label is what `classify` predicts.

    `classes(width, names = ["circle", "square"])` counts its names: the first is label 0. Labels
    of samples and prompts may then be names or numbers.
    """

    call = "classes"
    runtime = "growlang_runtime.conditioning.readers:classes"
    source = "arXiv 2207.12598"
    role = "label"
    field = "label"
    instead: ClassVar[dict[str, str]] = {"n": "names"}
    beside: ClassVar[tuple[str, ...]] = ("width",)
    names_argument = "names"
    n: int = argument("number of classes; `names` may be given instead", ge=1)
    width: Annotated[int, Field(ge=1)] | None = argument(
        "channels of the token; without it the label is not read, but predicted", None
    )
    from_: str = argument("field of the sample that is read", "label", alias="from")
    names: Annotated[list[str] | None, Later()] = argument(
        "names of the classes, in the order of their labels", None, min_length=1
    )
    null: Annotated[bool, Later()] = argument("whether a last row stands for no label", True)

    @model_validator(mode="before")
    @classmethod
    def count_names(cls, values: Any) -> Any:
        """As many classes as there are names, where their number is not given."""
        if isinstance(values, dict) and isinstance(values.get("names"), list) and "n" not in values:
            return {"n": max(1, len(values["names"])), **values}
        return values

    @model_validator(mode="after")
    def require_names(self) -> Self:
        """Raise ValueError unless names tell the classes apart, and are as many as these."""
        names = self.names or []
        if self.names is not None and len(names) != self.n:
            width = "" if self.width is None else f"{self.width}, "
            written = f"classes({width}{self._named(len(names))})"
            raise ValueError(f"`n` is {self.n}, but `names` has {len(names)}", f"write `{written}`")
        for number, name in enumerate(names):
            if name != name.strip() or not name:
                raise ValueError(
                    f'the name "{name}" of class {number} is empty or has spaces around'
                )
            if name in names[:number]:
                raise ValueError(f'`names` has "{name}" twice')
        return self

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(1, width); of a label to predict (classes,)."""
        return vector(self.n) if self.width is None else tokens(1, self.width)

    @property
    def is_target(self) -> bool:
        """Whether it has no width."""
        return self.width is None

    def as_target(self) -> str:
        """Its call without the width."""
        classes = self._named(SHOWN) if self.names else str(self.n)
        field = f", from = {json.dumps(self.from_)}" if self.from_ != "label" else ""
        return f"classes({classes}{field})"

    def _named(self, most: int) -> str:
        """`names` as they are written, or only that they are there where they are more."""
        names = self.names or []
        said = json.dumps(names, ensure_ascii=False) if len(names) <= most else "[...]"
        return f"names = {said}"

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`embedding.weight`, with a row for each class, then one for the null, if there is one."""
        rows = Rows(have_null=self.null)
        if self.width is None:
            return Axes((), writes(Space("out", self.n, Symmetry.FIXED)))
        return _embedding(Space("classes", self.n + self.null, rows=rows), self.width)

    def labels(self) -> int | None:
        """`n`."""
        return self.n

    def label_names(self) -> tuple[str, ...]:
        """`names`."""
        return tuple(self.names or ())

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The label."""
        return 1


class FrozenEncoder(Condition):
    """Base of the frozen encoders of captions, which run outside the net."""

    role = "embedding"
    runtime = "growlang_runtime.conditioning.readers:encoder"
    has_tensors = False
    widths: ClassVar[Mapping[str, int]]
    """Width of the encoder's output by the ids that are known."""
    id: str = argument("id on the Hugging Face hub, or a folder")
    tokens: int = argument("tokens that are read; the rest of a caption is cut", 77, ge=1)
    width: int | None = argument("channels of a token; known ids may leave it out", None, ge=1)
    from_: str = argument("field of the sample that is read", "caption", alias="from")
    pool: Pool = pool()

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(tokens, width)."""
        return tokens(self.tokens, _encoder_width(self.id, self.width, self.widths))


class T5(FrozenEncoder):
    """Frozen T5 encoder (arXiv 1910.10683), run outside the net."""

    call = "t5"
    source = "arXiv 1910.10683"
    widths = T5_WIDTHS
    tokens: int = argument("tokens that are read; the rest of a caption is cut", 128, ge=1)


class CLIP(FrozenEncoder):
    """Frozen text half of CLIP (arXiv 2103.00020), run outside the net."""

    call = "clip"
    source = "arXiv 2103.00020"
    widths = CLIP_WIDTHS
    tokens: int = argument("tokens that are read; the rest of a caption is cut", 77, ge=1, le=77)


class Encoder(FrozenEncoder):
    """Frozen text encoder of the transformers library, run outside the net."""

    call = "encoder"
    source = "arXiv 1910.03771"
    widths = ENCODER_WIDTHS
    behind: ClassVar[dict[str, str]] = {"tokens": "width"}


def _embedding(rows: Space, width: int) -> Axes:
    out = plain("out", width)
    weight = table("embedding.weight", reads(rows), writes(out), "embedding")
    return Axes((reads(rows),), writes(out), (weight,))


def _encoder_width(id: str, stated: int | None, known: Mapping[str, int]) -> int:
    width = known.get(id)
    if stated is None and width is None:
        raise OpError(
            f'the width of "{id}" is not in the built-in table',
            argument="width",
            help="add `width = N`, the hidden size in the encoder's config.json",
        )
    if stated is not None and width is not None and stated != width:
        raise OpError(f'`width` is {stated}, but "{id}" gives tokens of {width}', argument="width")
    return stated or width or 0
