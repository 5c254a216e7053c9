"""Sources of data as the language declares them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from growlang.spec.data import Data
from growlang.syntax.unparse import string


def strings(values: Sequence[str]) -> str:
    """A list of strings, as the language writes it."""
    return f"[{', '.join(map(string, values))}]"


def statement(data: Data) -> str:
    """The call that declares a source; arguments at their default are left out."""
    return f"{data.call}({', '.join(_arguments(data))})"


def _arguments(data: Data) -> Iterator[str]:
    for name, info in type(data).model_fields.items():
        value = getattr(data, name)
        if info.is_required():
            yield _written(value)
        elif value != info.get_default(call_default_factory=True):
            yield f"{name} = {_written(value)}"


def _written(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return strings(value)
    return string(str(value))
