"""Images by number, generated or real, in 8 bits as a PNG has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from growlang.net import digest
from growlang_runtime.evaluation.kept import Kept

CHUNK = 64
"""Images that are made, and kept, at once."""


class Chunk(NamedTuple):
    """Some images (N, C, H, W) uint8, with their numbers and a caption each."""

    places: range
    images: Tensor
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Pictures:
    """`count` images from number `first` on, made a chunk at a time whenever they are asked for."""

    identity: str
    """A hash of what they are made from: what is computed of them is kept under it."""
    count: int
    make: Callable[[range], Chunk]
    caption: Callable[[range], tuple[str, ...]]
    """The captions of some, for which no image is made."""
    kept: Kept
    """Where what is computed of them is kept."""
    first: int = 0

    def __len__(self) -> int:
        return self.count

    @property
    def name(self) -> str:
        """A hash of these images."""
        return digest([self.identity, self.first, self.count])

    def places(self) -> Iterator[range]:
        """The numbers of each chunk."""
        end = self.first + self.count
        for start in range(self.first, end, CHUNK):
            yield range(start, min(start + CHUNK, end))

    def chunks(self) -> Iterator[Chunk]:
        """All of them, in order."""
        return map(self.make, self.places())

    def texts(self) -> tuple[str, ...]:
        """The caption of each."""
        return tuple(text for places in self.places() for text in self.caption(places))

    def part(self, first: int, count: int) -> Pictures:
        """Other images of the same source."""
        return Pictures(self.identity, count, self.make, self.caption, self.kept, first)

    def computed(
        self, what: str, compute: Callable[[Chunk], Tensor], *, captioned: bool = False
    ) -> Iterator[Tensor]:
        """What is computed of each chunk, kept under `what` and what the images are made from.

        If it depends on their captions too (`captioned`), then under these as well.
        """
        for places in self.places():
            texts = self.caption(places) if captioned else ()
            name = digest([self.identity, what, places.start, len(places), *texts])
            yield self.kept.tensor(f"{name[:2]}/{name}", lambda p=places: compute(self.make(p)))  # type: ignore[misc]


def to_bytes(x: Tensor) -> Tensor:
    """Images in [-1, 1] as uint8, rounded as they are in a PNG."""
    return ((x.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def to_signed(x: Tensor) -> Tensor:
    """Images of uint8 in [-1, 1]."""
    return x.float() / 127.5 - 1


def coloured(x: Tensor) -> Tensor:
    """Images with three channels: grey ones have the same in each."""
    return x.expand(-1, 3, -1, -1) if x.shape[1] == 1 else x
