"""Tables of captions and labels: CSV, JSON Lines and Parquet, a row for each image."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from growlang.diagnostics import GrowlangError
from growlang.diagnostics.spelling import nearest
from growlang.ops.number import TABLES

NAMED = {
    "file": ("file_name", "filename", "file", "image", "image_path", "path", "key"),
    "caption": ("caption", "text", "prompt", "description"),
    "label": ("label", "class", "category"),
}
"""The columns that are read where none is named, the first that is there."""


class Table(NamedTuple):
    """A column of a table, and the image that each row names."""

    path: Path
    column: str
    rows: list[tuple[int, str, str | None]]
    """The line, or for Parquet the row, from 1; the file that it names; its value."""
    unit: str = "line"

    def place(self, line: int) -> str:
        """A row for messages."""
        return f"{self.path.name}, {self.unit} {line}"


def read_table(path: Path, member: str, column: str = "") -> Table:
    """A table's column of the captions or labels of images; by default the first of `NAMED`.

    Raises GrowlangError for a table that cannot be read, and for columns that it lacks.
    """
    rows = [*_rows(path)]
    columns = list(dict.fromkeys(name for _, values in rows for name in values))
    if not rows:
        raise GrowlangError(f"{path} has no rows", help="its first line names the columns")
    file = _column(path, columns, "file")
    found = column or _column(path, columns, member)
    if found not in columns:
        close = nearest(found, columns)
        raise GrowlangError(
            f"{path} has no column `{found}`",
            help=f"did you mean `{close[0]}`?" if close else f"its columns: {listed(columns)}",
        )
    unit = "row" if path.suffix.lower() == ".parquet" else "line"
    read = [(line, str(v.get(file) or ""), _text(v.get(found))) for line, v in rows]
    return Table(path, found, read, unit)


def columns_of(path: Path) -> list[str]:
    """The columns of a table, by its first row."""
    return list(next(iter(_rows(path)), (0, {}))[1])


def default_column(columns: Sequence[str], what: str) -> str | None:
    """The column that is read where none is named, of the file, the caption or the label."""
    lower = {name.strip().lower(): name for name in reversed(columns)}
    return next((lower[name] for name in NAMED[what] if name in lower), None)


def _column(path: Path, columns: Sequence[str], what: str) -> str:
    found = default_column(columns, what)
    if found is None:
        means = "names the images" if what == "file" else f"has the {what}s"
        name = f'"{path.name}:COLUMN"'
        raise GrowlangError(
            f"{path}: no column {means}; its columns: {listed(columns)}",
            help=f"call the column `{NAMED[what][0]}`"
            + ("" if what == "file" else f", or name it: {what} = {name}"),
        )
    return found


def listed(columns: Sequence[str]) -> str:
    """Columns for a message."""
    return ", ".join(f"`{name}`" for name in columns[:12]) or "none"


def _text(value: Any) -> str | None:
    """A value as text; None where there is none."""
    if value is None or value != value:  # NaN stands for nothing
        return None
    if isinstance(value, float) and value.is_integer():  # what pandas makes of integers with gaps
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value, default=str)


# --- formats -------------------------------------------------------------------------------------


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The rows of a table by the names of their columns, each with its line."""
    ending = path.suffix.lower().lstrip(".")
    if ending not in TABLES:
        raise GrowlangError(
            f"{path} is not a table",
            help=f"tables end in {', '.join(f'`.{known}`' for known in TABLES)}",
        )
    if ending == "parquet":
        yield from _parquet(path)
        return
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _json_lines(path, file) if ending == "jsonl" else _csv(path, file)
    except OSError as error:
        raise GrowlangError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise GrowlangError(
            f"{path} is not UTF-8: {error.reason} at byte {error.start}",
            help="save it as UTF-8",
        ) from error
    except csv.Error as error:
        raise GrowlangError(f"cannot read {path}: {error}") from error


def _csv(path: Path, lines: Iterator[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """RFC 4180; fields are separated as in the first line, by commas, semicolons or tabs."""
    first = next(lines, "")
    separator = max(",;\t", key=first.count)  # the first of those that are as frequent
    reader = csv.DictReader(chain([first], lines), delimiter=separator, strict=True)
    for row in reader:
        if None in row:
            most = len(reader.fieldnames or ())
            raise GrowlangError(
                f"{path}, line {reader.line_num}: {most + len(row[None])} fields, but there are "
                f"{most} columns",
                help=f'put a field with `{separator}` in double quotes: "a cat, asleep"',
            )
        yield reader.line_num, row


def _json_lines(path: Path, lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise GrowlangError(f"{path}, line {number}: invalid JSON: {error}") from error
        if not isinstance(row, dict):
            raise GrowlangError(
                f"{path}, line {number}: not a JSON object",
                help='each line is one, such as {"file_name": "1.png", "text": "a cat"}',
            )
        yield number, row


def _parquet(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise GrowlangError(
            f"reading {path} needs pyarrow, which is not installed",
            help="pip install pyarrow, or save the table as CSV",
        ) from None
    try:
        rows = parquet.read_table(path).to_pylist()
    except (OSError, ArrowException) as error:
        raise GrowlangError(f"cannot read {path}: {error}") from error
    yield from enumerate(rows, 1)
