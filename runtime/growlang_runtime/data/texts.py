"""The caption and the label of a sample: a string or a number, from its own file or from JSON."""

from __future__ import annotations

import re
from typing import Any

from growlang.spec.labels import ANY, Labels
from growlang_runtime.data.layout import SIDECAR, value_at
from growlang_runtime.data.source import Samples

SURROGATE = re.compile("[\ud800-\udfff]")
MOST = 40
"""Characters of a value that a message shows."""


class Unusable(Exception):
    """Why a sample cannot be used, in words for the user."""

    def __init__(self, reason: str, classes: int = 0) -> None:
        super().__init__(reason)
        self.classes = classes
        """How many the model would need for its label, where that is too large for it."""


def caption(index: Samples, row: int) -> str | None:
    """The caption; None where none is read. Raises Unusable for one that is not a string."""
    value = _value(index, row, "caption")
    if value is None:
        return None
    if not isinstance(value, str):
        raise Unusable(f"its caption {shown(value)} in JSON is not a string")
    if SURROGATE.search(value):  # which JSON can hold, and UTF-8 cannot
        raise Unusable(f"its caption {shown(ascii(value)[1:-1])} has half a character")
    return value


def written_label(index: Samples, row: int) -> str | int | float | None:
    """The label as it is written, 3.0 as 3; None where none is read.

    Raises Unusable for one that is empty, or neither a name nor a number.
    """
    value = _value(index, row, "label")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Unusable(f"its label {shown(value)} in JSON is not an integer")
    if isinstance(value, str) and not value.strip():
        raise Unusable("its label is empty")
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value.strip() if isinstance(value, str) else value


def label(index: Samples, row: int, classes: Labels = ANY) -> int | None:
    """The class of a sample, by its name or number; None where none is read.

    Raises Unusable for a label that is not one of the classes.
    """
    value = written_label(index, row)
    if value is None:
        return None
    if isinstance(value, str) and (number := classes.named(value)) is not None:
        return number
    try:
        found = int(value)
    except (ValueError, OverflowError):
        found = None
    if found is None or (isinstance(value, float) and value != found):
        if classes.names:
            raise Unusable(f"its label {shown(value)} is no class; {classes.about(str(value))}")
        raise Unusable(f"its label {shown(value)} is not an integer")
    if classes.count is not None and not 0 <= found < classes.count:
        most = f"0 to {classes.count - 1}{', as `names` says' if classes.names else ''}"
        needed = 0 if classes.names else max(0, found + 1)
        raise Unusable(f"its label {found} is out of range ({most})", needed)
    return found


def shown(value: Any) -> str:
    """A value for a message, in quotes of code."""
    text = value.strip() if isinstance(value, str) else repr(value)
    return f"`{text[:MOST]}...`" if len(text) > MOST else f"`{text}`"


def sidecar(index: Samples, row: int, field: str) -> Any:
    """A field of the sample's JSON file, or None. Raises Unusable for invalid JSON."""
    data = index.read(row, SIDECAR)
    return None if data is None else _parsed(data, [field], SIDECAR)


def sidecar_fields(index: Samples, row: int) -> list[str]:
    """The names at the top of the sample's JSON file; none where it has none."""
    tree = sidecar(index, row, "")
    return [*tree] if isinstance(tree, dict) else []


def _value(index: Samples, row: int, member: str) -> Any:
    data = index.read(row, member)
    if data is None:
        return None
    fields = index.fields(row, member)
    if not fields:
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            reason = f"{error.reason} at byte {error.start}"
            raise Unusable(f"its {member} is not UTF-8 ({reason})") from error
    value = _parsed(data, fields, member)
    if value is None:
        named = " or ".join(f"`{field}`" for field in fields)
        raise Unusable(f"it has no {member}: its JSON has no {named}")
    return value


def _parsed(data: bytes, fields: list[str], member: str) -> Any:
    what = "its JSON" if member == SIDECAR else f"the JSON of its {member}"
    try:
        return value_at(data, fields)
    except UnicodeDecodeError as error:
        reason = f"{error.reason} at byte {error.start}"
        raise Unusable(f"{what} is not UTF-8 ({reason})") from error
    except (ValueError, RecursionError) as error:
        raise Unusable(f"{what} is not valid: {error}") from error
