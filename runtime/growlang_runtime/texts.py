"""The caption and the label of a sample: a text or a number, from its own file or from JSON."""

from __future__ import annotations

import re
from typing import Any

from growlang_runtime.layout import SIDECAR, value_at
from growlang_runtime.shards import Index

SURROGATE = re.compile("[\ud800-\udfff]")
MOST = 40
"""Characters of a value that a message shows."""


class Unusable(Exception):
    """Why a sample cannot be used, in words for the user."""


def caption(index: Index, row: int) -> str | None:
    """The caption; None where none is read. Raises Unusable for one that is no text."""
    value = _value(index, row, "caption")
    if value is None:
        return None
    if not isinstance(value, str):
        raise Unusable(f"its caption {shown(value)} in JSON is not a text")
    if SURROGATE.search(value):  # which JSON can hold, and UTF-8 cannot
        raise Unusable(f"its caption {shown(ascii(value)[1:-1])} has half a character")
    return value


def label(index: Index, row: int, classes: int | None = None) -> int | None:
    """The label; None where none is read. Raises Unusable for one that is no class.

    Of `classes`, labels count from 0; without, whatever is a whole number is taken.
    """
    value = _value(index, row, "label")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Unusable(f"its label {shown(value)} in JSON is not a whole number")
    try:
        found = int(value)
    except (ValueError, OverflowError):
        found = None
    if isinstance(value, str) and not value.strip():
        raise Unusable("its label is empty")
    if found is None or (isinstance(value, float) and value != found):
        raise Unusable(f"its label {shown(value)} is not a whole number")
    if classes is not None and not 0 <= found < classes:
        raise Unusable(f"its label {found} is none of the {classes} classes, 0 to {classes - 1}")
    return found


def shown(value: Any) -> str:
    """A value for a message, in quotes of code."""
    text = value.strip() if isinstance(value, str) else repr(value)
    return f"`{text[:MOST]}...`" if len(text) > MOST else f"`{text}`"


def sidecar(index: Index, row: int, field: str) -> Any:
    """A field of the sample's JSON file; None where there is none. Raises Unusable for no JSON."""
    data = index.read(row, SIDECAR)
    return None if data is None else _parsed(data, [field], SIDECAR)


def sidecar_fields(index: Index, row: int) -> list[str]:
    """The names at the top of the sample's JSON file; none where it has none."""
    tree = sidecar(index, row, "")
    return [*tree] if isinstance(tree, dict) else []


def _value(index: Index, row: int, member: str) -> Any:
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
        raise Unusable(f"it has no {member}: its JSON lacks {named}")
    return value


def _parsed(data: bytes, fields: list[str], member: str) -> Any:
    of = "its JSON" if member == SIDECAR else f"the JSON of its {member}"
    try:
        return value_at(data, fields)
    except UnicodeDecodeError as error:
        reason = f"{error.reason} at byte {error.start}"
        raise Unusable(f"{of} is not UTF-8 ({reason})") from error
    except (ValueError, RecursionError) as error:
        raise Unusable(f"{of} cannot be read: {error}") from error
