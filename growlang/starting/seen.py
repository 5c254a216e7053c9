"""What a set of images holds, and the project that somebody's wishes make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal, NamedTuple

from growlang.diagnostics import GrowlangError
from growlang.spec.data import Data
from growlang.spec.declaring import classes_call, name_of, statement
from growlang.spec.labels import named_or_counted
from growlang.starting.project import Project, proposed_size, require_size

Condition = Literal["text", "classes", "none"]
"""What images are drawn for: captions, classes, or nothing."""
CONDITIONS: tuple[Condition, ...] = ("text", "classes", "none")
PROMPTS = 8
"""Images of a sample grid."""
HELD_OUT_FROM = 500
"""Images from which on some are held out: of fewer, all are needed."""
LARGEST = {"cpu": 64}
"""The largest side, in pixels, that is proposed on a device."""


@dataclass(frozen=True)
class Seen:
    """What a source of data holds."""

    data: Data
    images: int
    side: int
    """The median of the images' shorter sides, in pixels."""
    captions: Sequence[str]
    """The different captions of the samples that were read; none where there are none."""
    classes: Sequence[str]
    """The names of the classes, or their numbers, in order; none where there are none."""
    tokens: int
    """Words of a caption that a model should read."""
    vocabulary: int
    """Rows of an embedding in which frequent words share none."""

    @property
    def condition(self) -> Condition:
        """What the images can be drawn for."""
        if self.captions:
            return "text"
        return "classes" if len(self.classes) > 1 else "none"

    def size(self, device: str) -> int:
        """The side of grown images, in pixels, that is proposed on a device."""
        return proposed_size(self.side, LARGEST.get(device, 256))

    def call(self, condition: Condition) -> str:
        """The call of a condition, of `words` without its vocabulary; empty for none.

        Raises GrowlangError where the images do not have what it reads.
        """
        if condition == "text":
            if not self.captions:
                raise _lacking("captions", "text", self)
            return f"words(width, tokens = {self.tokens})"
        if condition == "none":
            return ""
        if not self.classes:
            raise _lacking("classes", "classes", self)
        return classes_call(*named_or_counted(self.classes))

    def prompts(self, condition: Condition) -> tuple[str, ...]:
        """Captions or classes, spread over the set, for the sample grids."""
        known = {"text": self.captions, "classes": self.classes, "none": ()}[condition]
        return tuple(known[:: max(1, len(known) // PROMPTS)][:PROMPTS])


def _lacking(what: str, condition: str, seen: Seen) -> GrowlangError:
    return GrowlangError(
        f"--condition {condition}: the images have no {what}",
        help=f"give --condition {seen.condition}, or see `growlang pack --help` for where {what} "
        "are looked for",
    )


def require_condition(given: str) -> Condition:
    """The condition of a name. Raises GrowlangError where there is none."""
    for known in CONDITIONS:
        if given == known:
            return known
    raise GrowlangError(
        f"--condition {given}: images are drawn for text, classes or none of them",
        help=f"give one of {', '.join(CONDITIONS)}",
    )


class Asked(NamedTuple):
    """What somebody wishes; what is None is chosen by what the images are."""

    name: str
    """Of the data, or where it lies."""
    size: int | None
    condition: Condition | None
    minutes: float
    device: str


def project_of(seen: Seen, asked: Asked) -> Project:
    """The project of some images.

    Raises GrowlangError for a size that cannot be made, or conditions that the images lack.
    """
    chosen = require_condition(asked.condition or seen.condition)
    side = asked.size or seen.size(asked.device)
    require_size(side)
    if not (asked.minutes > 0 and isfinite(asked.minutes)):
        raise GrowlangError(
            f"--budget {asked.minutes:g}: a training needs a number of minutes above 0",
            help="such as --budget 10",
        )
    called = name_of(asked.name)
    return Project(
        name=called,
        size=side,
        data=statement(called, seen.data),
        condition=seen.call(chosen),
        prompts=seen.prompts(chosen),
        images=seen.images,
        minutes=asked.minutes,
        device=asked.device,
        vocabulary=seen.vocabulary,
        holdout=seen.images >= HELD_OUT_FROM,
    )
