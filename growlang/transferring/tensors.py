"""What is done for each tensor of a child, as data: bytes copied, converted, drawn or computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from math import prod
from typing import Literal, NamedTuple

from growlang.growth import mapping as growth
from growlang.growth.mapping import Entry
from growlang.growth.transforms import Compute, Expand, Initialise, Stages, values_of
from growlang.plans.tensor_file import BITS
from growlang.plans.tensor_index import Located


class Copied(NamedTuple):
    """The bytes of one of the parent's tensors."""

    source: Located
    crc: int | None = None
    """Their CRC-32, where the parent's file says."""
    kind: Literal["copied"] = "copied"


class Converted(NamedTuple):
    """The values of one of the parent's tensors in another dtype."""

    source: Located
    crc: int | None = None
    kind: Literal["converted"] = "converted"


class Drawn(NamedTuple):
    """A new tensor, by a row of the initialisers."""

    init: str
    seed: int
    kind: Literal["drawn"] = "drawn"


class Computed(NamedTuple):
    """A tensor that grows from one of the parent's, or a new one that follows from no tensor."""

    transform: Expand | Stages | Compute
    source: Located | None
    seed: int
    crc: int | None = None
    kind: Literal["computed"] = "computed"


Work = Copied | Converted | Drawn | Computed


class Made(NamedTuple):
    """One tensor of the child, and how its bytes come about."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    work: Work

    @property
    def bytes(self) -> int:
        """The number of its bytes."""
        return prod(self.shape) * BITS[self.dtype] // 8


def made(
    mapping: growth.Mapping,
    parent: Mapping[str, Located],
    sums: Mapping[str, int],
    seed: int,
    dtype: str | None,
    zeros: Collection[str] = (),
) -> list[Made]:
    """What is done for each tensor, in the order of the mapping; those of `zeros` begin at zero.

    Tensors keep the parent's dtype, and new ones have the one of most of its bytes, unless `dtype`
    says another for all.
    """
    usual = dtype or _usual(parent)
    found = [_made(entry, parent, sums, seed, dtype, usual) for entry in mapping.of_child]
    zero = Drawn("zeros", seed)
    return [made._replace(work=zero) if made.name in zeros else made for made in found]


def _usual(parent: Mapping[str, Located]) -> str:
    votes = Counter[str]()
    for located in parent.values():
        votes[located.dtype] += located.bytes
    return min(votes, key=lambda dtype: (-votes[dtype], dtype)) if votes else "F32"


def _made(
    entry: Entry,
    parent: Mapping[str, Located],
    sums: Mapping[str, int],
    seed: int,
    dtype: str | None,
    usual: str,
) -> Made:
    name = values_of(entry.transform, entry.name)
    source, crc = (parent[name], sums.get(name)) if name else (None, None)
    own = dtype or (source.dtype if source else usual)
    work: Work
    match entry.transform:
        case Initialise(init):
            work = Drawn(init, seed)
        case Expand() | Stages() | Compute() as transform:
            work = Computed(transform, source, seed, crc)
        case _:
            assert source is not None
            work = Copied(source, crc) if own == source.dtype else Converted(source, crc)
    return Made(entry.name, own, entry.shape, work)
