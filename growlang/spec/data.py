"""Sources of training data, and what is done to each image."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, SerializeAsAny, model_validator

from growlang.signatures.canonical import Formerly, Later, Part
from growlang.signatures.signature import Nothing, Signature, argument
from growlang.signatures.tables import CallOf, Table, read_call, table
from growlang.spec.tokenizers import TOKENIZERS, Bytes

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(ge=1)]
Endings = str | Annotated[list[str], Field(min_length=1)]
"""The ending of the files that hold something, or several in the order of preference."""


class Data(Signature):
    """Base of the sources of training data.

    A package declares one as an entry point of the group `growlang.data`.
    """

    runtime: ClassVar[str]
    """`module:function` that opens it, which a run imports: (source,
    `growlang_runtime.data.source.Wanted`, data root, cache folder or None) ->
    `growlang_runtime.data.source.Samples`; of texts, (source, data root, cache folder or None) ->
    `growlang_runtime.data.corpus.Corpus`."""

    @property
    def holds(self) -> Literal["images", "texts"]:
        """What a sample is."""
        return "images"


class WebDataset(Data):
    """Tar shards in the WebDataset layout: images, with the captions and labels that are read."""

    call = "webdataset"
    runtime = "growlang_runtime.data.index:open_webdataset"
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


IMAGES = ("png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff")
"""Endings of files that are images."""


class Folder(Data):
    """A folder of images, and of folders of them, which are read where they lie.

    A caption or label is the text of a file beside the image (`"txt"`), a field of a JSON file
    beside it (`"json:FIELD"`), a column of a table (`"captions.csv:COLUMN"`), or the name of the
    folder that holds the image (`"folder"`).
    """

    call = "folder"
    runtime = "growlang_runtime.data.folders:open_folder"
    path: str = argument("the folder, relative to the data root")
    image: Endings = argument("ending of the images, or a list of endings", lambda: list(IMAGES))
    caption: Annotated[Endings | None, Nothing()] = argument(
        'ending of the captions, "json:FIELD", "TABLE.csv:COLUMN", "folder", or none', "txt"
    )
    label: Annotated[Endings | None, Nothing()] = argument(
        'ending of the class labels, "json:FIELD", "TABLE.csv:COLUMN" or "folder"', None
    )


class Text(Data):
    """Texts, cut into sequences of tokens: JSONL files with a text a line, and plain text files.

    The tokens of all texts stand behind each other, with the tokenizer's end of text between them;
    every sequence is as long as the model's, and begins where the one before it ends. An epoch has
    each sequence once.
    """

    call = "text"
    runtime = "growlang_runtime.data.corpus:open_text"
    path: str = argument(
        "files: a path, or a pattern with {00..99}, * or ~, relative to the data root; "
        "`.jsonl` has a text a line, any other file is one text"
    )
    field: str = argument("field of each line of JSONL that holds its text", "text")
    tokenizer: Annotated[Bytes | str, CallOf(TOKENIZERS), read_call(TOKENIZERS)] = argument(
        "`bytes()`, or the folder or Hugging Face id of a tokenizer", Bytes
    )

    @property
    def holds(self) -> Literal["images", "texts"]:
        """Texts."""
        return "texts"


class HF(Data):
    """Texts or images of a dataset of the Hugging Face Hub, from the cache of the package datasets.

    Texts are cut into sequences as those of `text` are. With `image` it holds images, with the
    captions and labels of other columns.
    """

    call = "hf"
    runtime = "growlang_runtime.data.hub:open_hf"
    name: str = argument("its id, or a folder relative to the data root")
    config: Annotated[str | None, Nothing()] = argument("which of its subsets, by name", None)
    split: str = argument("which of its splits", "train")
    field: str = argument("column that holds the texts", "text")
    tokenizer: Annotated[Bytes | str, CallOf(TOKENIZERS), read_call(TOKENIZERS)] = argument(
        "`bytes()`, or the folder or Hugging Face id of a tokenizer", Bytes
    )
    image: Annotated[str | None, Nothing(), Later()] = argument(
        "column that holds the images; without it the source holds texts", None
    )
    caption: Annotated[str | None, Nothing(), Later()] = argument(
        "of images, the column of their captions", None
    )
    label: Annotated[str | None, Nothing(), Later()] = argument(
        "of images, the column of their class labels: numbers or names", None
    )

    @model_validator(mode="after")
    def is_of_one_kind(self) -> Self:
        """Raise ValueError for columns of texts beside those of images."""
        if self.image is None:
            for name in ("caption", "label"):
                if getattr(self, name) is not None:
                    said = f"`{name}` is of images, and `image` names no column of them"
                    raise ValueError(said, 'add `image = "image"`')
        elif of_texts := [n for n in ("field", "tokenizer") if n in self.model_fields_set]:
            said = "`field` and `tokenizer` are of texts, and `image` of images"
            raise ValueError(said, f"remove `{'` and `'.join(of_texts)}`")
        return self

    @property
    def holds(self) -> Literal["images", "texts"]:
        """Images, where a column of them is named."""
        return "texts" if self.image is None else "images"


DATA = Table(Data, [WebDataset, Folder, Text, HF], group="growlang.data")


class Source(Part):
    """One source of training data, with its share of the draws and the rows that it keeps."""

    name: str
    share: float = 1.0
    data: Annotated[SerializeAsAny[Data], Formerly("webdataset"), CallOf(DATA), read_call(DATA)]
    where: list[Any] | None = None
    """A predicate over a row: nested lists such as [">=", ["row", "width"], 512]."""
    holdout: Annotated[Fraction, Later()] = 0.0
    """The share of its rows, by a hash of the key, that no step draws."""


# --- transforms ----------------------------------------------------------------------------------


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


TRANSFORMS = table(Resize, Crop, Flip)
Transform = Annotated[Resize | Crop | Flip, CallOf(TRANSFORMS), read_call(TRANSFORMS)]
