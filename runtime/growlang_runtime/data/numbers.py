"""The numbers of a sample that conditions read: fields of JSON, columns of tables, sizes, crops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

import numpy as np

from growlang.diagnostics import GrowlangError
from growlang.ops.number import CROPS, JSON, SIZES
from growlang_runtime.data.source import Samples
from growlang_runtime.data.texts import Unusable, shown, sidecar, sidecar_fields
from growlang_runtime.data.transforms import Placed

Fields = Mapping[str, Sequence[str]]
"""The fields that each condition reads, by its name."""
LISTED = 8
"""Fields of a JSON file that a message names."""


def stored_numbers(index: Samples, row: int, fields: Fields) -> dict[str, float]:
    """What a sample has of the fields, by the field; crops are known once it is transformed.

    Raises Unusable for what is missing or no number, and GrowlangError for a column of a table
    where the source has no tables.
    """
    wanted = dict.fromkeys(field for several in fields.values() for field in several)
    return {field: _stored(index, row, field) for field in wanted if field not in CROPS}


def numbers_of(
    stored: Mapping[str, float], placed: Placed, fields: Fields
) -> dict[str, tuple[float, ...]]:
    """The numbers that each condition reads, by its name."""
    known = {**stored, CROPS[0]: float(placed.top), CROPS[1]: float(placed.left)}
    return {name: tuple(known[field] for field in read) for name, read in fields.items()}


def _stored(index: Samples, row: int, field: str) -> float:
    if field in SIZES:
        width, height = index.pixels(np.array([row]))
        return float((height if field == "height" else width)[0])
    if field.startswith(JSON):
        return _number(sidecar(index, row, field.removeprefix(JSON)), index, row, field)
    if not index.has(field):
        raise GrowlangError(
            f"a condition reads the column `{field}`, and {index.shard(row)} is of no folder: "
            "folders alone have tables",
            help=f'write `from = "{JSON}{field.rpartition(":")[2]}"` for a field of the JSON files',
        )
    text = index.read(row, field)
    return _number(None if text is None else text.decode(errors="replace"), index, row, field)


def _number(value: object, index: Samples, row: int, field: str) -> float:
    if value is None:
        raise Unusable(f"it has no `{field}`{_instead(index, row, field)}")
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            found = float(value)
        except (ValueError, OverflowError):
            found = float("nan")
        if isfinite(found):
            return found
    raise Unusable(f"its `{field}` is {shown(value)}, which is no number")


def _instead(index: Samples, row: int, field: str) -> str:
    """What the JSON file of a sample has instead."""
    if not field.startswith(JSON):
        return ""
    known = sidecar_fields(index, row)
    if not known:
        return ": there is no JSON file with it"
    return f": its JSON has {', '.join(f'`{name}`' for name in known[:LISTED])}"
