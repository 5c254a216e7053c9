"""Tables of names: what a library calls the tensors and the settings of a kind of model. Data.

Those of growlang are `growlang/interop/tables/MODEL_TYPE.yaml`; others are given as files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

INDEX = "{i}"
"""What stands for the number of a block, in their names and in ours."""
Names = str | list[str]


class Part(BaseModel):
    """Base of the parts of a table."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Rule(Part):
    """Their tensor and ours, or several that are one here (fused) or there (split).

    Of several, each is a part of the one along `axis`, in their order.
    """

    theirs: Names
    ours: Names
    transpose: bool = False
    """Whether theirs is (inputs, outputs), and ours (outputs, inputs)."""
    axis: int = Field(0, ge=0)
    """Of ours, along which several are parts of one."""
    halves: list[str] = []
    """Of theirs, those whose rows are heads in two halves, of which each pair is turned together
    (`rotate_half`), where ours has the pairs side by side."""
    parts: list[str] = []
    """How long several of theirs are in one of ours, as facts of its node; by default alike."""
    channels_last: bool = False
    """Whether the rows of theirs are pixels of a patch x channels, and ours channels x pixels."""
    batched: bool = False
    """Whether theirs has an axis of length 1 in front, as what is added to a whole batch."""
    copy_of: str = ""
    """Of theirs: where the spec has no such tensor, theirs may be there and equal that one."""

    @model_validator(mode="after")
    def is_one_on_a_side(self) -> Self:
        """Several on one side alone, and a number of a block in all names or in none."""
        sides = names_of(self.theirs), names_of(self.ours)
        if min(map(len, sides)) != 1:
            raise ValueError("one of `theirs` and `ours` must be a single name")
        if lost := [name for name in self.halves if name not in sides[0]]:
            raise ValueError(f"`halves` names `{lost[0]}`, which is none of `theirs`")
        if self.parts and len(self.parts) != len(sides[0]):
            raise ValueError("`parts` must have a fact for each of `theirs`")
        if len({INDEX in name for side in sides for name in side}) > 1:
            raise ValueError(f"`{INDEX}` must be in all names of a rule or in none")
        return self


class Ignored(Part):
    """A tensor of theirs that is no parameter, and what it is."""

    theirs: str
    reason: str


class Repeated(Part):
    """A tensor of theirs that has to equal another one, and what to do where it does not."""

    theirs: str
    copy_of: str
    mend: str


class Setting(Part):
    """A field of their config, and what it is of our nodes."""

    of: Names
    """The paths of the nodes."""
    fact: str
    """What of a node: an argument, `count`, or another of `growlang.interop.facts`."""
    default: Any = None
    """What the library takes where the field is missing."""
    values: dict[str, Any] = {}
    """What their values are called here."""
    absent: tuple[int, str] | None = Field(None, strict=False)
    """What null means: so many times another field."""
    ratio: tuple[str, str] | None = Field(None, strict=False)
    """What null means: the quotient of two fields."""
    former: str = ""
    """The field's name in older files."""
    write: str = ""
    """How a spec says `{value}`."""
    only_written: bool = False
    """Whether an import does not look at it, as shapes say it too."""


class Fixed(Part):
    """A field of which growlang computes one value alone."""

    value: Any
    reason: str


class Required(Part):
    """What the spec's nodes have to be, of which the config says nothing."""

    of: Names
    fact: str
    value: Any = None
    ratio: tuple[str, str] | None = Field(None, strict=False)
    """Two fields, whose quotient is the value."""
    write: str = ""


class NameTable(Part):
    """What a library calls the tensors and the settings of one kind of model."""

    model_type: str
    """That of its config.json; of diffusers the `_class_name`."""
    architecture: str
    """The class that an export names."""
    library: Literal["transformers", "diffusers"] = "transformers"
    """Whose folders they are: how the config names the class, and what the file of weights is."""
    is_exported: bool = True
    """Whether nets are written by it too."""
    prefix: str = ""
    """Of their names, which files of the model without its head leave out."""
    tensors: list[Rule]
    ignored: list[Ignored] = []
    repeated: list[Repeated] = []
    config: dict[str, Setting]
    fixed: dict[str, Fixed] = {}
    required: list[Required] = []
    written: dict[str, Any] = {}
    """Fields that an export writes, and an import does not look at."""
    free: dict[str, str] = {}
    """Fields that change nothing that trained weights compute, each with what it is for."""

    @model_validator(mode="after")
    def names_are_once(self) -> Self:
        """No name twice, and every field that is spoken of is there."""
        theirs = [n for rule in self.tensors for n in names_of(rule.theirs)]
        theirs += [ignored.theirs for ignored in self.ignored]
        ours = [n for rule in self.tensors for n in names_of(rule.ours)]
        for names in (theirs, ours):
            if twice := next((n for n in names if names.count(n) > 1), None):
                raise ValueError(f"`{twice}` is there twice")
        if lost := next((f for f in self._fields() if f not in self.config), None):
            raise ValueError(f"`{lost}` is no field of `config`")
        if lost := next((r.copy_of for r in self.tensors if r.copy_of not in ("", *theirs)), None):
            raise ValueError(f"`copy_of` names `{lost}`, which no rule has")
        return self

    def _fields(self) -> Iterator[str]:
        yield from (s.absent[1] for s in self.config.values() if s.absent)
        yield from (field for s in self.config.values() for field in s.ratio or ())
        yield from (field for r in self.required for field in r.ratio or ())


def names_of(names: Names) -> tuple[str, ...]:
    """One name or several as several."""
    return (names,) if isinstance(names, str) else tuple(names)


def numbered(name: str, number: int) -> str:
    """A name of a table with the number of a block."""
    return name.replace(INDEX, str(number))


def pattern(name: str) -> re.Pattern[str]:
    """What matches the names that a name of a table stands for; its group is the block's number."""
    return re.compile(re.escape(name).replace(re.escape(INDEX), "(0|[1-9][0-9]*)"))
