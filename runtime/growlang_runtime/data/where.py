"""The rows of a source that its `where` keeps, and the columns that it reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from growlang.diagnostics import GrowlangError
from growlang.diagnostics.spelling import nearest
from growlang.spec.data import Source
from growlang_runtime.data.corrupt import Corrupt
from growlang_runtime.data.layout import SIDECAR, read_fields
from growlang_runtime.data.predicates import kept, written
from growlang_runtime.data.source import Samples
from growlang_runtime.data.texts import Unusable, caption, shown, sidecar, sidecar_fields

Rows = NDArray[np.intp]
JSON = f"{SIDECAR}."
SEARCHED = 100
"""Rows among which the fields that there are are looked for."""


class Columns:
    """Fields of some rows of a source, such as `width` and `json.score`, by name.

    `corrupt` has what cannot be read, by the place among the rows; `complete` is false for rows
    that lack a field that was asked for.
    """

    def __init__(self, source: Source, index: Samples, rows: Rows) -> None:
        self.source, self.index, self.rows = source, index, rows
        self.corrupt: dict[int, Corrupt] = {}
        self.complete = np.ones(len(rows), np.bool_)

    def __call__(self, name: str) -> NDArray[Any]:
        """The column. Raises GrowlangError for a field that rows do not have."""
        if name in ("width", "height"):
            return np.asarray(self.index.pixels(self.rows)[name == "height"], np.int64)
        if name == "caption" and self.index.has("caption"):
            texts = [self._read(place, caption) for place in range(len(self.rows))]
            return np.array([text or "" for text in texts], dtype=np.str_)
        if name.startswith(JSON):
            return self._json(name.removeprefix(JSON))
        raise GrowlangError(
            f"source `{self.source.name}`: rows have no field `{name}`",
            help="rows have width, height, json.FIELD, and caption if the source sets `caption`",
        )

    def _read(self, place: int, read: Callable[..., Any], *arguments: str) -> Any:
        row = int(self.rows[place])
        try:
            value = read(self.index, row, *arguments)
        except Unusable as error:
            self.corrupt[place] = Corrupt(self.index.shard(row), self.index.key(row), str(error))
            value = None
        self.complete[place] &= value is not None
        return value

    def _json(self, field: str) -> NDArray[Any]:
        values = [self._read(place, sidecar, field) for place in range(len(self.rows))]
        there = {_kind(v): (v, place) for place, v in enumerate(values) if v is not None}
        if not there:
            self._refuse_absent(field)
        if None in there or len(there) > 1:
            found = [f"{shown(v)} for {self._place(place)}" for v, place in there.values()]
            raise GrowlangError(
                f"source `{self.source.name}`: `json.{field}` has mixed types: "
                f"{' and '.join(found)}",
                help="where(...) needs fields that are numbers in all rows, or strings in all rows",
            )
        empty: Any = "" if "text" in there else 0
        return np.array([empty if value is None else value for value in values])

    def _place(self, place: int) -> str:
        return self.index.place(int(self.rows[place]))

    def _refuse_absent(self, field: str) -> NoReturn:
        found = (sidecar_fields(self.index, int(row)) for row in self.rows[:SEARCHED])
        known = next(filter(None, found), [])
        close = nearest(field, known)
        listed = ", ".join(f"`{name}`" for name in known[:8])
        help = f"fields: {listed}" if known else "it is read from KEY.json next to each image"
        raise GrowlangError(
            f"source `{self.source.name}`: none of its {len(self.rows)} images has a field "
            f"`{field}` in a file KEY.json",
            help=f"did you mean `{JSON}{close[0]}`?" if close else help,
        )


def _kind(value: Any) -> str | None:
    if isinstance(value, str):
        return "text"
    return "number" if isinstance(value, int | float) else None


def select(source: Source, index: Samples, rows: Rows) -> tuple[Rows, list[Corrupt], str]:
    """The rows that `where` keeps, those that it cannot read, and a warning or an empty text.

    A row that lacks a field of the condition is not kept. Raises GrowlangError for a condition
    that keeps nothing.
    """
    columns = Columns(source, index, rows)
    places = kept(source.where, len(rows), columns)
    found = rows[places[columns.complete[places]]]
    text = f"source `{source.name}`: where({written(source.where)})"
    lacking = int((~columns.complete).sum()) - len(columns.corrupt)
    if not len(found):
        lack = f"; {lacking} of them lack a field" if lacking else ""
        raise GrowlangError(
            f"{text} matches none of its {len(rows)} images{lack}", help=_sizes(source, index, rows)
        )
    warning = f"{text} drops {lacking} of {len(rows)} images that lack a field"
    return found, [*columns.corrupt.values()], warning if lacking else ""


def _sizes(source: Source, index: Samples, rows: Rows) -> str:
    if not read_fields(source.where) & {"width", "height"}:
        return "relax the condition"
    width, height = index.pixels(rows)
    return (
        f"they are {width.min()} to {width.max()} pixels wide and {height.min()} to "
        f"{height.max()} high: relax the condition"
    )
