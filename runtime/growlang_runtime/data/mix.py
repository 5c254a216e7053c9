"""A mix of sources of data, of which draw p is a function of p, and the batches made of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction

import torch

from growlang.spec.data import Source
from growlang_runtime.data.corrupt import Corrupt
from growlang_runtime.data.draws import counts, split
from growlang_runtime.data.identity import Identity

AHEAD = 2
"""Batches that `prefetch` prepares while one is used."""


@dataclass(frozen=True)
class Example:
    """One sample: `image` is (C, H, W) float32 in [-1, 1], or (length + 1,) ids of tokens.

    `key` is the sample's name in its shard. `corrupt` are the samples that this one stands for,
    because they could not be used.
    """

    image: torch.Tensor
    caption: str | None
    label: int | None
    key: str
    source: str
    corrupt: tuple[Corrupt, ...] = ()
    numbers: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Those that each condition reads, by its name."""


@dataclass(frozen=True)
class Batch:
    """Samples in the order of their draws: `images` is (B, C, H, W) float32 in [-1, 1].

    Of texts they are sequences of tokens, (B, length + 1) int64. A caption or label is
    None where no condition reads it, or the sample's source has none.
    """

    images: torch.Tensor
    captions: tuple[str | None, ...]
    labels: tuple[int | None, ...]
    corrupt: tuple[Corrupt, ...] = ()
    numbers: tuple[Mapping[str, Sequence[float]], ...] = ()
    """Of each sample those that conditions read, by their names."""


class Mix(ABC):
    """A mix of sources, of which draw p is a pure function of what it is made with and p.

    Each source goes through its samples in a new order every epoch, whatever its share. A mix
    that starts at draw `first`, after sources gave `given` draws each, goes on where they were.
    """

    warnings: list[str]
    """What is to be said of its sources at the start of a run."""

    def __init__(
        self, sources: Sequence[Source], first: int = 0, given: Mapping[str, int] | None = None
    ) -> None:
        self.first = first
        self.sources = tuple(sources)
        self.warnings = []
        self._names = [source.name for source in sources]
        self._shares = [Fraction(repr(source.share)) for source in sources]
        self._given = dict(given or {})

    @abstractmethod
    def __len__(self) -> int:
        """Number of samples that the sources keep: the length of an epoch."""

    def once(self, most: int) -> Sequence[int]:
        """Draws in which each sample comes once, at most so many, where there is one source."""
        return range(min(most, len(self)))

    @property
    @abstractmethod
    def identity(self) -> dict[str, Identity]:
        """What the data is, by the source's name."""

    @abstractmethod
    def empty(self, count: int) -> torch.Tensor:
        """Room for some samples, (count, ...)."""

    @abstractmethod
    def draw(self, p: int, out: torch.Tensor | None = None) -> Example:
        """The sample of draw `p`, in `out` if that is given. Threads may call it in any order."""

    def given(self, end: int) -> dict[str, int]:
        """How many draws each source has given when the mix ends before draw `end`."""
        drawn = counts(self._shares, end - self.first)
        return self._given | {
            name: self._given.get(name, 0) + count
            for name, count in zip(self._names, drawn, strict=True)
        }

    def own(self, p: int) -> tuple[int, int]:
        """The number of the source of draw `p`, and which of that source's draws it is."""
        number, own = split(self._shares, p - self.first)
        return number, own + self._given.get(self._names[number], 0)

    def batch(self, draws: Sequence[int]) -> Batch:
        """The samples of some draws, in their order."""
        room = self.empty(len(draws))
        return _batch(room, [self.draw(p, out) for p, out in zip(draws, room, strict=True)])


def prefetch(mix: Mix, ranges: Iterable[Sequence[int]], workers: int) -> Generator[Batch]:
    """The batch of each range of draws, in order, prepared by threads some batches ahead.

    The result does not depend on the number of workers: everything is a function of the draw.
    Close the generator to stop early.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="images")
    pending: deque[tuple[torch.Tensor, list[Future[Example]]]] = deque()
    try:
        for draws in ranges:
            room = mix.empty(len(draws))
            pairs = zip(draws, room, strict=True)
            pending.append((room, [pool.submit(mix.draw, p, out) for p, out in pairs]))
            if len(pending) > AHEAD:
                yield _collect(*pending.popleft())
        while pending:
            yield _collect(*pending.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _collect(images: torch.Tensor, futures: Iterable[Future[Example]]) -> Batch:
    return _batch(images, [future.result() for future in futures])


def _batch(images: torch.Tensor, examples: Sequence[Example]) -> Batch:
    return Batch(
        images,
        tuple(example.caption for example in examples),
        tuple(example.label for example in examples),
        tuple(corrupt for example in examples for corrupt in example.corrupt),
        tuple(example.numbers for example in examples),
    )
