"""What a signature takes: its arguments by name, and the choices of each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from growlang.signatures.signature import Conditions, Nothing, Signature
from growlang.signatures.tables import CallOf, Table, table

NO_CALLS = table()


class Choices(NamedTuple):
    """What a bare word or a call may stand for in one argument."""

    words: tuple[str, ...] = ()
    calls: Table[Signature] = NO_CALLS
    conditions: bool = False
    itself: bool = False
    """Whether `self` may stand beside conditions."""
    nothing: bool = False
    numbers: bool = False
    """Whether a number may stand there too."""
    text: bool = False
    """Whether a string stands there, which a bare word may be meant to be."""


class Form(NamedTuple):
    """The arguments of a signature by the names that the language gives them, in order."""

    fields: Mapping[str, tuple[str, FieldInfo]]
    """The name and declaration of each argument's field."""
    required: tuple[str, ...]


@cache
def choices(model: type[BaseModel], name: str) -> Choices:
    """The choices of a field of a pydantic model."""
    info = model.model_fields[name]
    words: list[str] = []
    calls = NO_CALLS
    conditions = itself = nothing = text = numbers = False
    todo: list[Any] = [info.annotation, *info.metadata]
    while todo:
        part = todo.pop()
        if isinstance(part, CallOf):
            calls = part.table
        elif isinstance(part, Conditions):
            conditions, itself = True, part.itself
        elif isinstance(part, Nothing):
            nothing = True
        elif part in (int, float):
            numbers = True
        elif part is str:
            text = True
        elif get_origin(part) is Literal:
            words += [w for w in get_args(part) if isinstance(w, str)]
        elif get_origin(part) is Annotated:
            todo += [get_args(part)[0], *part.__metadata__]
        else:
            todo += get_args(part)
    bare = text and not (words or calls)
    return Choices(tuple(words), calls, conditions, itself, nothing, numbers, bare)


@cache
def form(signature: type[BaseModel]) -> Form:
    """The arguments of a signature."""
    fields = {info.alias or name: (name, info) for name, info in signature.model_fields.items()}
    return Form(fields, tuple(n for n, (_, info) in fields.items() if info.is_required()))


def positions(signature: type[Signature], given: Iterable[str]) -> list[str]:
    """The arguments of a signature by position in a call, of which `given` are the names.

    A name is empty where an argument has none. `classes(64, names = ["a", "b"])` gives a width.
    """
    names = [*given]
    spare = _spare(signature, names)
    return [name for name in form(signature).fields if name not in spare]


def missing(signature: type[Signature], given: Collection[str]) -> list[str]:
    """The required arguments that are not among those that are given."""
    spare = _spare(signature, given)
    return [n for n in form(signature).required if n not in given and n not in spare]


def _spare(signature: type[Signature], given: Collection[str]) -> set[str]:
    """The arguments that are left out since others say as much."""
    required = (*form(signature).required, *signature.beside)
    spare = {n for n, other in signature.instead.items() if other in given and n not in given}
    stated = sum(name in required or not name for name in given)
    return spare if stated < len(required) else set()
