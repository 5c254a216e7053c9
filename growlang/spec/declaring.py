"""Sources of data and their classes as the language declares them, and names for them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from growlang.spec.data import Data
from growlang.syntax.unparse import string

NAME = re.compile(r"[a-z_][a-z0-9_]*")
RESERVED = frozenset(
    (
        *("stem", "stage", "core", "head", "encode", "decode", "except"),
        *("and", "or", "not", "true", "false"),
    )
)
"""Words of the language that no data can be called."""


def is_name(text: str) -> bool:
    """Whether data can be called so."""
    return NAME.fullmatch(text) is not None and text not in RESERVED


def name_of(given: str) -> str:
    """A name of the language from that of a folder or of shards; `images` where none is left.

    `birds/`, `birds-{000..017}.tar` and `birds/{000..017}.tar` are all `birds`.
    """
    words = [_word(part) for part in Path(given).parts if part not in ("..", ".", "/")]
    found = next((word for word in reversed(words) if word), "")
    return found if is_name(found) else f"{found}_images".strip("_")


def _word(part: str) -> str:
    """The name within a part of a path: without its ending, numbers and patterns."""
    stem = part
    if part.endswith(".tar"):
        stem = re.sub(r"\{.*\}|[*?]|(^|[-_.])\d+$", "", part.removesuffix(".tar"))
    word = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")
    return re.sub(r"^(?=\d)", "set_", word)


def statement(name: str, data: Data) -> str:
    """The `data` statement of a source; arguments at their default are left out."""
    return f"data {name} = {data.call}({', '.join(_arguments(data))})"


def classes_call(names: Sequence[str], count: int) -> str:
    """The call of the condition that reads labels, with `width` for the token's channels.

    Its classes are named, or else counted; empty where there are none.
    """
    if names:
        return f"classes(width, names = {strings(names)})"
    return f"classes({count}, width)" if count else ""


def strings(values: Sequence[str]) -> str:
    """A list of strings, as the language writes it."""
    return f"[{', '.join(map(string, values))}]"


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
