"""What a signature takes: its arguments by name, and the choices of each."""

from __future__ import annotations

from collections.abc import Mapping
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
    nothing: bool = False
    numbers: bool = False
    """Whether a number may stand there too."""


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
    conditions = nothing = numbers = False
    todo: list[Any] = [info.annotation, *info.metadata]
    while todo:
        part = todo.pop()
        if isinstance(part, CallOf):
            calls = part.table
        elif isinstance(part, Conditions):
            conditions = True
        elif isinstance(part, Nothing):
            nothing = True
        elif part in (int, float):
            numbers = True
        elif get_origin(part) is Literal:
            words += [w for w in get_args(part) if isinstance(w, str)]
        elif get_origin(part) is Annotated:
            todo += [get_args(part)[0], *part.__metadata__]
        else:
            todo += get_args(part)
    return Choices(tuple(words), calls, conditions, nothing, numbers)


@cache
def form(signature: type[BaseModel]) -> Form:
    """The arguments of a signature."""
    fields = {info.alias or name: (name, info) for name, info in signature.model_fields.items()}
    return Form(fields, tuple(n for n, (_, info) in fields.items() if info.is_required()))
