"""The names in a stored net, of which modules and code are made: no other text may be one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, get_args

from growlang.net.shape import Kind, Shape

NAME = re.compile(r"[a-z_][a-z0-9_]*")
"""Of a model or a condition, as the language has it."""
PATH = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")
"""Of a node, a tensor or an input: names of the language, of modules and numbers, and dots."""


class InvalidNet(ValueError):
    """A stored net has text where a name, a path or a shape of the language has to be."""


def name(text: Any) -> str:
    """The name itself. Raises InvalidNet if it is none."""
    return _matching(NAME, text, "name")


def path(text: Any) -> str:
    """The dotted path itself. Raises InvalidNet if it is none."""
    return _matching(PATH, text, "path")


def shape(kind: Any, dims: Any) -> Shape:
    """A stored shape. Raises InvalidNet if its kind is unknown or its sides are no numbers."""
    if kind not in get_args(Kind):
        raise InvalidNet(f"{kind!r} is no kind of a shape")
    return Shape(kind, sizes(dims))


def sizes(dims: Any) -> tuple[int, ...]:
    """The sides of a stored shape. Raises InvalidNet if they are no numbers."""
    if not all(type(side) is int for side in dims):
        raise InvalidNet(f"{dims!r} are no sides of a shape")
    return tuple(dims)


def by_name(stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """A table of conditions itself. Raises InvalidNet if one has no name of the language."""
    for text in stored:
        name(text)
    return stored


def require_tables(known: Collection[str], taken: Iterable[str]) -> None:
    """Raise InvalidNet if a node takes a table that no node has."""
    for text in taken:
        if text not in known:
            raise InvalidNet(f"{text!r} is no tensor of the net")


def _matching(pattern: re.Pattern[str], text: Any, what: str) -> str:
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise InvalidNet(f"{text!r} is no {what}")
    return text
