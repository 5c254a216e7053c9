"""The training data of a phase: draw p of a mix of sources, as a tensor with its caption."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image

from growlang.diagnostics import GrowlangError
from growlang.net import Shape
from growlang.spec import Source, Transform
from growlang_runtime.draws import counts, permuted, split
from growlang_runtime.predicates import kept, written
from growlang_runtime.shards import Index, open_index
from growlang_runtime.transforms import decode, to_tensor, transformed

AHEAD = 2
"""Batches that `prefetch` prepares while one is used."""


@dataclass(frozen=True)
class Picture:
    """One sample: `image` is (C, H, W) float32 in [-1, 1].

    `key` is the sample's name in its shard. `corrupt` says of each sample that this one stands for
    what could not be decoded.
    """

    image: torch.Tensor
    caption: str | None
    label: int | None
    key: str
    source: str
    corrupt: tuple[str, ...] = ()


@dataclass(frozen=True)
class Batch:
    """Samples in the order of their draws: `images` is (B, C, H, W) float32 in [-1, 1].

    A caption or label is None where the sample's source has none.
    """

    images: torch.Tensor
    captions: tuple[str | None, ...]
    labels: tuple[int | None, ...]


@dataclass(frozen=True)
class _Opened:
    """A source, its index and the rows of it that `where` keeps."""

    source: Source
    index: Index
    rows: NDArray[np.intp]


class Pictures:
    """A mix of sources, of which draw p is a pure function of the arguments and p.

    Each source goes through its pictures in a new order every epoch, whatever its share. A mix
    that starts at draw `first`, after sources gave `given` draws each, goes on where they were.
    Opening reads, or builds, the indexes. Raises GrowlangError for shards that cannot be read, a
    `where` that keeps nothing, and more than `budget` pictures whose header cannot be read.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        transform: Sequence[Transform],
        image: Shape,
        seed: int,
        data_root: Path,
        *,
        budget: int = 0,
        cache: Path | None = None,
        first: int = 0,
        given: Mapping[str, int] | None = None,
    ) -> None:
        self.transform = tuple(transform)
        self.image = image
        self.seed = seed
        self.budget = budget
        self.first = first
        self.corrupt: set[str] = set()
        self._sources = [_open(source, data_root, cache) for source in sources]
        self._shares = [Fraction(repr(source.share)) for source in sources]
        self._given = dict(given or {})
        for opened in self._sources:
            index = opened.index
            unreadable = opened.rows[index.rows["width"][opened.rows] == 0]
            self._count([_undecodable(index, int(row)) for row in unreadable[: budget + 1]])

    def __len__(self) -> int:
        """Number of pictures that the sources keep: the length of an epoch."""
        return sum(len(opened.rows) for opened in self._sources)

    def given(self, end: int) -> dict[str, int]:
        """How many draws each source has given when the mix ends before draw `end`."""
        drawn = counts(self._shares, end - self.first)
        return self._given | {
            opened.source.name: self._given.get(opened.source.name, 0) + count
            for opened, count in zip(self._sources, drawn, strict=True)
        }

    def draw(self, p: int) -> Picture:
        """The picture of draw `p`. Raises GrowlangError beyond the budget of corrupt ones."""
        return self._counted(self._read(p))

    def batch(self, draws: Sequence[int]) -> Batch:
        """The pictures of some draws, in their order."""
        return _batch([self.draw(p) for p in draws])

    def _read(self, p: int) -> Picture:
        """As `draw`, without counting, so that threads may call it in any order."""
        number, own = split(self._shares, p - self.first)
        opened = self._sources[number]
        source, index, rows = opened.source, opened.index, opened.rows
        own += self._given.get(source.name, 0)
        start = permuted(self.seed, own, len(rows), source.name)
        corrupt: list[str] = []
        for step in range(len(rows)):
            row = int(rows[(start + step) % len(rows)])
            data = index.read(row, "image") or b""
            try:
                image = decode(data, self.image.width, self.transform)
                caption = _text(index, row)
            except (GrowlangError, MemoryError):
                raise
            except UnicodeDecodeError as error:
                corrupt.append(_not_utf8(index, row, error))
                continue
            except Exception:  # Pillow's decoders raise many types on broken files
                corrupt.append(_undecodable(index, row))
                continue
            tensor = self._tensor(image, p, index.place(row))
            label = _label(index, row)
            return Picture(tensor, caption, label, index.key(row), source.name, tuple(corrupt))
        raise GrowlangError(
            f"source `{source.name}` has no picture that can be decoded: {corrupt[0]}"
        )

    def _tensor(self, image: Image, p: int, place: str) -> torch.Tensor:
        try:
            image = transformed(image, self.transform, seed=self.seed, p=p)
            return to_tensor(image, self.image)
        except GrowlangError as error:
            raise GrowlangError(f"{place}: {error.message}", help=error.help) from error

    def _counted(self, picture: Picture) -> Picture:
        self._count(picture.corrupt)
        return picture

    def _count(self, corrupt: Sequence[str]) -> None:
        self.corrupt.update(corrupt)
        if corrupt and len(self.corrupt) > self.budget:
            raise GrowlangError(
                f"{corrupt[0]}; at most {self.budget} may be corrupt",
                help="write its shard again without it, or allow more with --corrupt N",
            )


def prefetch(pictures: Pictures, ranges: Iterable[Sequence[int]], workers: int) -> Generator[Batch]:
    """The batch of each range of draws, in order, prepared by threads some batches ahead.

    The result does not depend on the number of workers: everything is a function of the draw, and
    corrupt pictures are counted in the order of the draws. Close the generator to stop early.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="pictures")
    pending: deque[list[Future[Picture]]] = deque()
    try:
        for draws in ranges:
            pending.append([pool.submit(pictures._read, p) for p in draws])
            if len(pending) > AHEAD:
                yield _collect(pictures, pending.popleft())
        while pending:
            yield _collect(pictures, pending.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _collect(pictures: Pictures, futures: list[Future[Picture]]) -> Batch:
    return _batch([pictures._counted(future.result()) for future in futures])


def _batch(pictures: Sequence[Picture]) -> Batch:
    return Batch(
        torch.stack([picture.image for picture in pictures]),
        tuple(picture.caption for picture in pictures),
        tuple(picture.label for picture in pictures),
    )


def _open(source: Source, data_root: Path, cache: Path | None) -> _Opened:
    index = open_index(source.webdataset, data_root, cache)
    if source.where is None:
        return _Opened(source, index, np.arange(len(index)))
    rows = kept(source.where, len(index), _columns(source, index))
    if not len(rows):
        width, height = index.rows["width"], index.rows["height"]
        raise GrowlangError(
            f"source `{source.name}`: where({written(source.where)}) keeps none of its "
            f"{len(index)} pictures",
            help=f"they are {width.min()} to {width.max()} pixels wide and {height.min()} to "
            f"{height.max()} high: loosen the condition",
        )
    return _Opened(source, index, rows)


def _columns(source: Source, index: Index) -> Callable[[str], NDArray[Any]]:
    def column(name: str) -> NDArray[Any]:
        if name in ("width", "height"):
            return np.asarray(index.rows[name], np.int64)
        if name == "caption" and source.webdataset.caption:
            return np.array([_readable(index, row) for row in range(len(index))], dtype=np.str_)
        raise GrowlangError(
            f"source `{source.name}`: its rows have no `{name}`",
            help="row.width, row.height, and row.caption where webdataset(...) names captions",
        )

    return column


def _text(index: Index, row: int) -> str | None:
    data = index.read(row, "caption")
    return None if data is None else data.decode()


def _readable(index: Index, row: int) -> str | None:
    try:
        return _text(index, row)
    except UnicodeDecodeError as error:
        raise GrowlangError(
            _not_utf8(index, row, error), help="write its shard again as UTF-8, or without it"
        ) from error


def _undecodable(index: Index, row: int) -> str:
    return f"the picture {index.place(row)} cannot be decoded"


def _not_utf8(index: Index, row: int, error: UnicodeDecodeError) -> str:
    return f"the caption of {index.place(row)} is not UTF-8 ({error.reason} at byte {error.start})"


def _label(index: Index, row: int) -> int | None:
    data = index.read(row, "label")
    if data is None:
        return None
    try:
        return int(data)
    except ValueError as error:
        said = data[:40].decode(errors="replace").strip()
        raise GrowlangError(
            f"the label of {index.place(row)} is `{said}`, not a whole number",
            help="labels are texts such as 7",
        ) from error
