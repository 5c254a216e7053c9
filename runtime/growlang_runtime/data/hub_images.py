"""The images of a dataset of the Hugging Face Hub, read as the files that they are stored as."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growlang.diagnostics import GrowlangError
from growlang.spec.data import HF
from growlang_runtime.data import decoding
from growlang_runtime.data.layout import SIDECAR, TEXTS
from growlang_runtime.data.source import Samples

ROWS = 1000
"""Rows that are read at once to find those without a caption or label."""


@dataclass(frozen=True)
class HubImages(Samples):
    """The rows of a split, in their order; `row.json.NAME` is the column NAME of a row."""

    declared: HF
    columns: Mapping[str, Any]
    """The dataset with the columns of `image`, `caption`, `label` and `json` alone, by these.

    Images are not decoded: {"bytes": ..., "path": ...}.
    """
    fingerprint: str
    faults: Mapping[int, str] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()

    @staticmethod
    def of(declared: HF, dataset: Any, wanted: Collection[str]) -> HubImages:
        """Those of a dataset, with the members that are `wanted` beside them.

        Raises GrowlangError if the column of images holds something else.
        """
        import datasets

        feature = dataset.features[declared.image]
        if not isinstance(feature, datasets.Image):
            raise GrowlangError(
                f"the column `{declared.image}` of the dataset `{declared.name}` holds "
                f"{type(feature).__name__}, not images",
                help=_columns(dataset, datasets.Image),
            )
        plain = dataset.cast_column(declared.image, datasets.Image(decode=False))
        read = {member: getattr(declared, member) for member in TEXTS if member in wanted}
        views = {member: [column] for member, column in read.items() if column is not None}
        if SIDECAR in wanted:
            views[SIDECAR] = [n for n in dataset.column_names if n != declared.image]
        views["image"] = [declared.image]
        columns = {member: plain.select_columns(names) for member, names in views.items()}
        faults = {
            row: f"it has no {member} in its column `{views[member][0]}`"
            for member in TEXTS
            if member in columns
            for row in _missing(columns[member], views[member][0])
        }
        label = dataset.features[declared.label] if declared.label else None
        names = tuple(getattr(label, "names", None) or ())
        return HubImages(declared, columns, str(dataset._fingerprint), faults, names)

    def __len__(self) -> int:
        return len(self.columns["image"])

    def read(self, row: int, member: str) -> bytes | None:
        """Contents of a sample's member, such as `caption`; None where there is none."""
        if member not in self.columns:
            return None
        found: Mapping[str, Any] = self.columns[member][row]
        if member == SIDECAR:
            return json.dumps(found, default=str).encode()
        (value,) = found.values()
        if member == "image":
            return _file(value)
        return None if value is None else str(value).encode("utf-8", "surrogatepass")

    def pixels(self, rows: NDArray[np.intp]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Widths and heights by the images' headers; zeros where one cannot be read."""
        found = np.zeros((len(rows), 2), np.int64)
        for number, row in enumerate(rows):
            try:
                found[number] = decoding.size(io.BytesIO(self.read(int(row), "image") or b""))
            except Exception:  # Pillow raises many types; told when the image is drawn
                continue
        return found[:, 0], found[:, 1]

    def key(self, row: int) -> str:
        """The split and the number of the row, from 0."""
        return f"{self.declared.split}:{row}"

    def shard(self, row: int) -> Path:
        """The dataset."""
        return Path(self.declared.name)

    @property
    def identity(self) -> str:
        """A hash of the dataset's fingerprint and of the columns that are read."""
        said = [self.fingerprint, *(getattr(self.declared, n) for n in ("image", *TEXTS))]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()

    def has(self, member: str) -> bool:
        """Whether a column of it is named."""
        return member in self.columns


def _missing(view: Any, column: str) -> Iterator[int]:
    """The rows of a dataset of one column that have nothing in it."""
    row = 0
    for rows in view.iter(ROWS):
        for value in rows[column]:
            if value is None:
                yield row
            row += 1


def _file(value: Any) -> bytes | None:
    """The bytes of an image as it is stored: in the table, or in a file that it names."""
    if value is None:
        return None
    if value.get("bytes") is not None:
        return bytes(value["bytes"])
    path = Path(value.get("path") or "")
    return path.read_bytes() if path.is_file() else None


def _columns(dataset: Any, kind: type) -> str:
    images = [name for name, feature in dataset.features.items() if isinstance(feature, kind)]
    if images:
        return f'write `image = "{images[0]}"`'
    return f"its columns: {', '.join(dataset.column_names)}"
