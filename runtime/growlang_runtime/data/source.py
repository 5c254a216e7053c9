"""What a run reads of a source of data, whatever holds its samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from growlang.signatures.installed import attribute
from growlang.spec.data import Data, Source
from growlang_runtime.data.corpus import Corpus
from growlang_runtime.data.layout import SIDECAR, read_fields


class Wanted(NamedTuple):
    """What is read of each sample beside its image."""

    members: frozenset[str]
    """Of `caption`, `label` and `json`, the file that `row.json` reads; and columns of tables that
    conditions read numbers of, such as `scores.csv:score`."""
    semantics: int
    """How inputs are made: that of the plan."""


class Samples(ABC):
    """The samples of a source, by their rows from 0."""

    faults: Mapping[int, str] = {}
    """Why samples cannot be used, by row, as far as it is known before they are read."""
    class_names: Sequence[str] = ()
    """Names of the classes that labels number, in their order, where the source has them."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of samples."""

    @abstractmethod
    def read(self, row: int, member: str) -> bytes | None:
        """Contents of a sample's `image`, `caption`, `label` or `json`; None where it has none.

        An image is a file that Pillow decodes; captions and labels are UTF-8. Threads call it.
        """

    @abstractmethod
    def pixels(self, rows: NDArray[np.intp]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Widths and heights of images, which `row.width` and `row.height` are in `where`."""

    @abstractmethod
    def key(self, row: int) -> str:
        """The name of a sample."""

    def keys(self) -> Iterator[str]:
        """The names of all samples, in their order."""
        return map(self.key, range(len(self)))

    @abstractmethod
    def shard(self, row: int) -> Path:
        """The file that holds the sample."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """A hash of what the samples are: a run resumes only with the data that it began with."""

    def has(self, member: str) -> bool:
        """Whether samples have the member."""
        return False

    def fields(self, row: int, member: str) -> list[str]:
        """The fields of JSON that hold a caption or label; none where the member itself does."""
        return []

    def place(self, row: int) -> str:
        """The sample and its file, for messages."""
        return f"`{self.key(row)}` in {self.shard(row)}"


def wanted_of(source: Source, reads: Collection[str], semantics: int) -> Wanted:
    """What is read of a source: what conditions read, and what its `where` does."""
    fields = read_fields(source.where)
    sidecar = any(field.startswith(f"{SIDECAR}.") for field in fields)
    members = {*reads, *fields & {"caption"}, *([SIDECAR] if sidecar else [])}
    return Wanted(frozenset(members), semantics)


def open_samples(declared: Data, wanted: Wanted, data_root: Path, cache: Path | None) -> Samples:
    """The samples of a source. Raises GrowlangError for one that cannot be read."""
    samples: Samples = attribute(declared.runtime, declared.call)(
        declared, wanted, data_root, cache
    )
    return samples


def open_corpus(declared: Data, data_root: Path, cache: Path | None) -> Corpus:
    """The tokens of a source of texts. Raises GrowlangError for one that cannot be read."""
    corpus: Corpus = attribute(declared.runtime, declared.call)(declared, data_root, cache)
    return corpus
