"""The form in which a spec enters a hash, so that hashes last from one version to the next.

A hash is taken under the names of the first version that had the words, and a word that came later
is left out where it stands at its default. A new setting or argument is marked `Later()`, a renamed
one `Formerly("old")`; what was stored under the old name is still read.
"""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar, NamedTuple

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)


class Later:
    """Marks a field that an earlier version did not have: at its default it enters no hash."""


class Formerly(NamedTuple):
    """Marks a field that had another name, under which it is hashed and still read."""

    name: str


class Part(BaseModel):
    """Base of all that enters a hash. Instances are immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    gone: ClassVar[dict[str, Any]] = {}
    """Fields of earlier versions, with the one value that each had: they are in hashes still."""

    @model_validator(mode="before")
    @classmethod
    def read_former_names(cls, values: Any) -> Any:
        """Fields by their names of today, where what was stored has former ones or those gone."""
        former, gone = former_names(cls), cls.gone
        if (former or gone) and isinstance(values, dict):
            left = {n: v for n, v in values.items() if n not in gone or v != gone[n]}
            return {former.get(name, name): value for name, value in left.items()}
        return values

    @model_serializer(mode="wrap")
    def as_json(self, fields: SerializerFunctionWrapHandler, info: SerializationInfo) -> Any:
        """The fields; in the form that is hashed where the context asks for it."""
        said = fields(self)
        return in_hash(self, said) if info.context is HASH else said


HASH: dict[str, Any] = {"form": "hash"}
"""The context of serialisation that asks for the form that is hashed."""


def canonical(value: Part) -> Any:
    """The JSON of a value that enters a hash."""
    return value.model_dump(mode="json", by_alias=True, context=HASH)


def in_hash(value: Part, said: dict[str, Any]) -> dict[str, Any]:
    """The serialised fields under former names, without later ones at their default."""
    for name, key, later, former, default in _marked(type(value)):
        if later and getattr(value, name) == default:
            del said[key]
        elif former:
            said[former] = said.pop(key)
    return {**said, **value.gone}


class _Marked(NamedTuple):
    """A marked field."""

    name: str
    key: str
    """Its name in JSON."""
    later: bool
    """Whether it came later."""
    former: str
    """Its former name, or nothing."""
    default: Any


@cache
def _marked(cls: type[Part]) -> tuple[_Marked, ...]:
    """The marked fields of a class."""
    found = []
    for name, info in cls.model_fields.items():
        later = any(isinstance(m, Later) or m is Later for m in info.metadata)
        former = next((m.name for m in info.metadata if isinstance(m, Formerly)), "")
        if later or former:
            key = info.serialization_alias or name
            default = info.get_default(call_default_factory=True)
            found.append(_Marked(name, key, later, former, default))
    return tuple(found)


@cache
def former_names(cls: type[Part]) -> dict[str, str]:
    """The former names of a class's fields, each with the name of today."""
    return {field.former: field.name for field in _marked(cls) if field.former}
