"""The training data of a phase: draw p of a mix of sources, as a tensor with its caption."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image

from growlang.diagnostics import GrowlangError
from growlang.net import Shape
from growlang.plans.plan import SEMANTICS
from growlang.spec.data import Source, Transform
from growlang.spec.labels import ANY, Labels
from growlang_runtime.data.autoencoder import Autoencoder
from growlang_runtime.data.corpus import Corpus
from growlang_runtime.data.corrupt import Budget, Corrupt
from growlang_runtime.data.decoders import require_decoder
from growlang_runtime.data.decoding import decode, why
from growlang_runtime.data.draws import permuted, place_of
from growlang_runtime.data.holdout import Hashes, hashes_of, parted
from growlang_runtime.data.identity import Identity
from growlang_runtime.data.layout import TEXTS
from growlang_runtime.data.mix import Example, Mix
from growlang_runtime.data.numbers import Fields, numbers_of, stored_numbers
from growlang_runtime.data.source import Samples, Wanted, open_corpus, open_samples, wanted_of
from growlang_runtime.data.texts import Unusable, caption, label
from growlang_runtime.data.transforms import Placed, placed, to_tensor
from growlang_runtime.data.where import select


@dataclass(frozen=True)
class _Opened:
    """A source, its index and the rows of it that `where` keeps."""

    source: Source
    index: Samples
    rows: NDArray[np.intp]


_Key = tuple[str, Wanted]
"""What an index is of: the data, and the members that are wanted."""


class Indexes:
    """The indexes of a run, each opened once, whatever phases and sources share it.

    `reads` are the members, such as caption and label, that conditions read: no others are looked
    for. `vae` makes latents of the images.
    """

    def __init__(
        self,
        data_root: Path,
        reads: Collection[str] = TEXTS,
        *,
        semantics: int = SEMANTICS,
        cache: Path | None = None,
        vae: Autoencoder | None = None,
    ) -> None:
        self.data_root, self.reads, self.semantics, self.vae = data_root, reads, semantics, vae
        self._cache = cache
        self._opened: dict[_Key, Samples] = {}
        self._hashes: dict[_Key, Hashes] = {}
        self._corpora: dict[str, Corpus] = {}

    def of(self, source: Source) -> Samples:
        """The index of a source."""
        key = self._key(source)
        if key not in self._opened:
            self._opened[key] = open_samples(source.data, key[1], self.data_root, self._cache)
        return self._opened[key]

    def corpus(self, source: Source) -> Corpus:
        """The tokens of a source of texts."""
        key = source.data.model_dump_json()
        if key not in self._corpora:
            self._corpora[key] = open_corpus(source.data, self.data_root, self._cache)
        return self._corpora[key]

    def hashes(self, source: Source) -> Hashes:
        """The hashes of its keys, by which it holds a share out."""
        key = self._key(source)
        if key not in self._hashes:
            self._hashes[key] = hashes_of(self.of(source))
        return self._hashes[key]

    def _key(self, source: Source) -> _Key:
        return source.data.model_dump_json(), wanted_of(source, self.reads, self.semantics)


class Images(Mix):
    """A mix of sources of images.

    Labels are those of `classes`, and `numbers` are the fields that conditions read numbers of, by
    their names. Of sources that hold a share out, all but that share is drawn, or that share if
    `held_out`. Samples that the index shows to be unusable count against the budget. Raises
    GrowlangError for shards that cannot be read, a `where` that keeps nothing, a budget that is
    used up, and a decoder that is not installed.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        transform: Sequence[Transform],
        image: Shape,
        seed: int,
        indexes: Indexes,
        budget: Budget | None = None,
        *,
        classes: Labels = ANY,
        first: int = 0,
        given: Mapping[str, int] | None = None,
        held_out: bool = False,
        decoder: str = "pillow",
        numbers: Fields = MappingProxyType({}),
    ) -> None:
        super().__init__(sources, first, given)
        require_decoder(decoder)
        self.transform = tuple(transform)
        self.image = image
        self.seed = seed
        self.classes, self.numbers = classes, numbers
        self.semantics = indexes.semantics
        self.decoder = decoder
        self._held_out = held_out
        self._budget = Budget(0, indexes.data_root) if budget is None else budget
        self._sources = [self._open(source, indexes) for source in sources]

    def __len__(self) -> int:
        """Number of images that the sources keep: the length of an epoch."""
        return sum(len(opened.rows) for opened in self._sources)

    @property
    def identity(self) -> dict[str, Identity]:
        """The identity of each source's index, by the source's name, and of another decoder."""
        behind = "" if self.decoder == "pillow" else f" by {self.decoder}"
        return {o.source.name: Identity(o.index.identity + behind) for o in self._sources}

    def once(self, most: int) -> Sequence[int]:
        """Draws in which each image comes once, at most so many, in their order."""
        sizes = [len(opened.rows) for opened in self._sources]
        if len(sizes) == 1:
            return range(min(most, *sizes))
        places = (
            place_of(self._shares, number, own)
            for number, size in enumerate(sizes)
            for own in range(min(most, size))
        )
        return sorted(places)[:most]

    def empty(self, count: int) -> torch.Tensor:
        """Room for some images, (count, C, H, W)."""
        return torch.empty((count, *self.image.dims))

    def draw(self, p: int, out: torch.Tensor | None = None) -> Example:
        """The image of draw `p`, in `out` if that is given; for one of no use, the next that is.

        Threads may call it in any order. Raises GrowlangError where a source has no other, and
        where it passes over `PATIENCE` more than a run may leave out: where every label of millions
        is wrong, they are not all read before it is told.
        """
        number, own = self.own(p)
        opened = self._sources[number]
        source, index, rows = opened.source, opened.index, opened.rows
        start = permuted(self.seed, own, len(rows), source.name)
        corrupt: list[Corrupt] = []
        for step in range(len(rows)):
            row = int(rows[(start + step) % len(rows)])
            try:
                if row in index.faults:
                    raise Unusable(index.faults[row])
                image = self._decoded(index.read(row, "image") or b"")
                texts = caption(index, row), label(index, row, self.classes)
                stored = stored_numbers(index, row, self.numbers)
            except Unusable as error:
                found = Corrupt(index.shard(row), index.key(row), str(error), error.classes)
                corrupt.append(found)
                self._budget.require_patience(corrupt)
                continue
            tensor, placed = self._tensor(image, p, partial(index.place, row), out)
            numbers = numbers_of(stored, placed, self.numbers)
            return Example(tensor, *texts, index.key(row), source.name, tuple(corrupt), numbers)
        raise _useless(source, corrupt[0])

    def _decoded(self, data: bytes) -> Image:
        try:
            return decode(data, self.image.width, self.transform, self.semantics, self.decoder)
        except (GrowlangError, MemoryError):
            raise
        except Exception as error:  # Pillow's decoders raise many types on broken files
            raise Unusable(why(error, data)) from error

    def _tensor(
        self, image: Image, p: int, place: Callable[[], str], out: torch.Tensor | None
    ) -> tuple[torch.Tensor, Placed]:
        try:
            found = placed(image, self.transform, seed=self.seed, p=p)
            return to_tensor(found.image, self.image, out), found
        except GrowlangError as error:
            raise GrowlangError(f"{place()}: {error.message}", help=error.help) from error

    def _open(self, source: Source, indexes: Indexes) -> _Opened:
        """The rows of a source that can be used, as far as the index shows, and `where` keeps."""
        index = indexes.of(source)
        _require_names(source, index, self.classes)
        faults = index.faults.items()
        self._budget.count(Corrupt(index.shard(row), index.key(row), why) for row, why in faults)
        # Version 0.1 drew an image without a header like any other, and then took the next one.
        rows = np.delete(np.arange(len(index)), [*index.faults] if self.semantics >= 2 else [])
        if not len(rows):
            row, reason = next(iter(index.faults.items()))
            raise _useless(source, Corrupt(index.shard(row), index.key(row), reason))
        if source.where is not None:
            rows, corrupt, warning = select(source, index, rows)
            self._budget.count(corrupt)
            self.warnings += [warning] if warning else []
        if source.holdout:
            rows = parted(source, indexes.hashes(source), rows, self._held_out)
        return _Opened(source, index, rows)


def _require_names(source: Source, index: Samples, classes: Labels) -> None:
    """Raise GrowlangError where labels number other classes than those of the model."""
    theirs = tuple(index.class_names)
    if not classes.names or not theirs or classes.names[: len(theirs)] == theirs:
        return
    raise GrowlangError(
        f"the labels of source `{source.name}` number the classes {', '.join(theirs)}, in this "
        f"order, and those of the model are {', '.join(classes.names)}",
        help=f"write `names = {json.dumps(theirs, ensure_ascii=False)}` in the model",
    )


def _useless(source: Source, first: Corrupt) -> GrowlangError:
    return GrowlangError(
        f"source `{source.name}` has no usable image: {first}",
        help="fix or replace its images, or the captions and labels beside them",
    )
