"""What a string means in each field of the YAML syntax: a name, or a text."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from pydantic import BaseModel

from growlang.ops import OPS
from growlang.signatures.signature import Signature
from growlang.signatures.tables import Table
from growlang.spec.changes import DOWNS, UPS
from growlang.spec.data import DATA
from growlang.spec.forms import NO_CALLS, choices, positions
from growlang.spec.model import BINDINGS, CONDITIONS
from growlang.spec.positions import ROTATED
from growlang.spec.recipe import MOMENTS, Evaluate, Sample, Settings


class Field(NamedTuple):
    """What may stand in a field: calls by name, and whether a string is a name there."""

    calls: Table[Signature] = NO_CALLS
    names: bool = False
    nothing: bool = False
    """Whether null stands for nothing there."""
    words: bool = False
    """Whether a resolved string is a word or a condition there, and no text."""
    own: Collection[str] = ()
    """Names that may be called there and are no signature's, such as blocks."""

    def argument(self, call: str, name: str) -> Field:
        """The field of an argument of a call that stands here."""
        signature = self._signature(call)
        if signature is not None:
            for field, info in signature.model_fields.items():
                if (info.alias or field) == name:
                    return _field(signature, field)
        return Field()

    def order(self, call: str, given: Iterable[str] = ()) -> list[str] | None:
        """The names of a call's arguments by position; None where the call is not known.

        `given` are the names that its arguments have, empty where they have none.
        """
        signature = self._signature(call)
        return None if signature is None else positions(signature, given)

    def _signature(self, call: str) -> type[Signature] | None:
        return None if call in self.own else self.calls.find(call)


def _field(model: type[BaseModel], name: str) -> Field:
    allowed = choices(model, name)
    words = bool(allowed.words or allowed.conditions)
    return Field(allowed.calls, words or bool(allowed.calls), allowed.nothing, words)


SECTIONS: dict[str, type[BaseModel]] = {"sample": Sample, "evaluate": Evaluate}
PIPE = Field(OPS, names=True)
WORD = Field(names=True)
SOURCE = Field(DATA, names=True, own=("mix",))
OPTIONS = {
    "down": Field(DOWNS, names=True),
    "up": Field(UPS, names=True),
    "position": Field(ROTATED, names=True),
    "skips": WORD,
    "prepend": Field(names=True, words=True),
    "prepend_times": Field(),
    "prepend_at": Field(),
}


def binding(name: str) -> Field:
    """The field of a model's binding."""
    return Field(BINDINGS.get(name, CONDITIONS), names=True)


def setting(section: str, name: str) -> Field:
    """The field of a setting in `train`, a phase, `sample` or `evaluate`."""
    if name in ("data", "validate"):
        return SOURCE
    if name == "moments":
        return Field(MOMENTS, names=True)
    if name == "transition":
        return WORD
    model = SECTIONS.get(section, Settings)
    return _field(model, name) if name in model.model_fields else Field()
