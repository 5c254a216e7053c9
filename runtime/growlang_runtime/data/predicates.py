"""The `where` of a data source: an expression over the columns of an index of images."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growlang.diagnostics import GrowlangError

Column = NDArray[Any]

OPERATORS: dict[str, Callable[..., Column]] = {
    "+": np.add,
    "-": lambda *values: np.negative(*values) if len(values) == 1 else np.subtract(*values),
    "*": np.multiply,
    "/": np.true_divide,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
    "not": np.logical_not,
    "and": lambda *values: reduce(np.logical_and, values),
    "or": lambda *values: reduce(np.logical_or, values),
    "min": lambda *values: reduce(np.minimum, values),
    "max": lambda *values: reduce(np.maximum, values),
}

COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")


def kept(where: Any, rows: int, column: Callable[[str], Column]) -> NDArray[np.intp]:
    """Numbers of the rows for which a predicate holds, in order.

    `where` is nested sequences such as (">=", ("min", ("row", "width"), ("row", "height")), 512);
    `column` gives a field of the rows by its name. Raises GrowlangError for anything else.
    """
    with np.errstate(all="ignore"):  # a height of zero is no reason to warn
        value = np.broadcast_to(_value(where, column), (rows,))
    if value.dtype != np.bool_:
        raise GrowlangError(
            f"where({written(where)}) gives numbers, not true or false",
            help="add a comparison, such as where(row.width >= 512)",
        )
    return np.flatnonzero(value)


def written(where: Any) -> str:
    """The predicate as the language writes it."""
    if not isinstance(where, list | tuple):
        return f'"{where}"' if isinstance(where, str) else str(where)
    name, *arguments = where
    if name == "row":
        return _row(arguments[0])
    texts = [
        f"({written(a)})" if isinstance(a, list | tuple) and a[0] in _LOOSE else written(a)
        for a in arguments
    ]
    if name in ("min", "max"):
        return f"{name}({', '.join(map(written, arguments))})"
    return f"{name} {texts[0]}" if len(texts) == 1 else f" {name} ".join(texts)


def _row(field: str) -> str:
    """A field of a row: one of JSON that is not a valid name is quoted."""
    if PLAIN.fullmatch(field):
        return f"row.{field}"
    return f'row.json("{field.removeprefix("json.")}")'


PLAIN = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*")

_LOOSE = frozenset(OPERATORS) - {"min", "max"}


def _value(where: Any, column: Callable[[str], Column]) -> Any:
    if not isinstance(where, list | tuple):
        return where
    name, *arguments = where
    if name == "row":
        return column(arguments[0])
    if name not in OPERATORS:
        raise GrowlangError(
            f"`{name}` is not supported in where(...)", help="supported: " + ", ".join(OPERATORS)
        )
    values = [_value(argument, column) for argument in arguments]
    _require_alike(where, values)
    return OPERATORS[name](*values)


def _require_alike(where: Any, values: Sequence[Any]) -> None:
    """Raise GrowlangError for strings that are compared with numbers, or computed with."""
    are_texts = [np.asarray(value).dtype.kind == "U" for value in values]
    if not any(are_texts) or (all(are_texts) and where[0] in COMPARISONS):
        return
    texts = [written(a) for a, is_text in zip(where[1:], are_texts, strict=True) if is_text]
    others = [written(a) for a, is_text in zip(where[1:], are_texts, strict=True) if not is_text]
    rest = f", but not {' and '.join(others)}" if others else ""
    raise GrowlangError(
        f"cannot evaluate where({written(where)}): {' and '.join(texts)} is a string{rest}",
        help='strings are compared with strings: where(row.json.license == "CC0")',
    )
