"""What a growth of spaces does to an axis of a tensor, by role: T, S, constants. Stdlib only.

One index serves with two factors: T for weights and averages, S for first moments (S^2 for second
ones), with T^T S = 1 on what is copied. Of a space with scale s whose places are copied with
shares a, and a head whose d places become d' by r copies and padding, with s_d = sqrt(d' / (r d)):

    role                                         T                      S
    writes, value                                s                      a / s
    reads                                        a / s                  s
    normalised                                   a                      1
    scale of a LayerNorm, RMSNorm, modulation    1 / s                  a s
    scale of a GroupNorm, shift, gate            1                      a
    query, key under QK-norm                     s_d                    a / s_d
    query norm                                   1 / s_d                a s_d
    key norm                                     a sqrt(d' / d) / s_d   s_d / sqrt(d' / d)
    query without QK-norm                        1                      a
    key without QK-norm                          a_d sqrt(d' / d)       a_h / sqrt(d' / d)
    scale of a norm before a tied table          a / s^2                s^2
    shift of a norm before a tied table          a / s                  s

A tied table itself goes as the one that writes the stream: as a head it would be read with a / s,
which goes into the norm before it.

where a_d is the share of a place of the head and a_h that of the head among the heads.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import prod, sqrt
from typing import NamedTuple

from growlang.growing.space_growth import Along, Growth, How
from growlang.growth.axis_map import NEW
from growlang.net.axes import Role


class Side(NamedTuple):
    """A stretch of an axis, entry by entry."""

    indices: tuple[int, ...]
    weight: tuple[float, ...]
    moment: tuple[float, ...]
    fill: tuple[float, ...]
    """What is added where the tensor has no other axis."""
    drawn: tuple[bool, ...]
    means: tuple[tuple[int, int, int, int, float], ...] = ()
    """Start and number of new entries, then of the old ones of whose mean they are a multiple."""
    copies: bool = False
    """Whether it reads copies, on which noise in pairs leaves the function as it is."""
    old: int = 0
    """Old entries."""


class Of(NamedTuple):
    """What a role depends on beside the growth of its spaces."""

    role: Role
    grouped: bool = False
    """Whether a GroupNorm normalises the space."""
    qk_norm: bool = False
    """Whether queries and keys are normalised."""
    kept: bool = False
    """Whether rows of a table are read, which are as if written."""


FactorOf = Callable[["_Entry"], float]


class _Entry(NamedTuple):
    """One place of a segment: its share, that of its innermost space, scale, and head sides."""

    share: float
    inner: float
    scale: float
    stretch: float
    """sqrt(d' / d) of the innermost space."""
    padding: float
    """s_d of the innermost space."""

    @property
    def outer(self) -> float:
        """The share of the outer spaces."""
        return self.share / self.inner


TABLE: dict[str, tuple[FactorOf, FactorOf]] = {
    "writes": (lambda p: p.scale, lambda p: p.share / p.scale),
    "reads": (lambda p: p.share / p.scale, lambda p: p.scale),
    "normalised": (lambda p: p.share, lambda p: 1.0),
    "norm scale": (lambda p: 1 / p.scale, lambda p: p.share * p.scale),
    "plain": (lambda p: 1.0, lambda p: p.share),
    "query or key, normalised": (lambda p: p.padding, lambda p: p.share / p.padding),
    "query norm": (lambda p: 1 / p.padding, lambda p: p.share * p.padding),
    "key norm": (
        lambda p: p.share * p.stretch / p.padding,
        lambda p: p.padding / p.stretch,
    ),
    "tied scale": (lambda p: p.share / p.scale**2, lambda p: p.scale**2),
    "tied shift": (lambda p: p.share / p.scale, lambda p: p.scale),
    "key": (lambda p: p.inner * p.stretch, lambda p: p.outer / p.stretch),
}
"""T and S of a row of the table above."""


def _row(of: Of) -> str:
    match of.role:
        case Role.READS if of.kept:
            return "plain"
        case Role.WRITES | Role.VALUE:
            return "writes"
        case Role.READS:
            return "reads"
        case Role.NORMALISED:
            return "normalised"
        case Role.NORM_SCALE | Role.SCALE if not of.grouped:
            return "norm scale"
        case Role.QUERY | Role.KEY if of.qk_norm:
            return "query or key, normalised"
        case Role.QUERY_NORM:
            return "query norm"
        case Role.KEY_NORM:
            return "key norm"
        case Role.KEY:
            return "key"
        case Role.TIED_SCALE | Role.TIED_SHIFT:
            return of.role.value
        case _:
            return "plain"


@lru_cache(maxsize=4096)
def side(of: Of, factors: tuple[Along, ...]) -> Side:
    """What a segment becomes; `factors` are the growths of its spaces, the outermost first."""
    weight_of, moment_of = TABLE[_row(of)]
    olds = [along.old for along in factors]
    last = factors[-1].parts[-1]
    copies_of_one = max(1, sum(1 for i in last.index.indices if i == 0))
    stretch = sqrt(last.new / last.old) if last.old else 1.0
    padding = sqrt(last.new / (copies_of_one * last.old)) if of.qk_norm and last.old else 1.0
    index, kinds, known = _entries(factors)
    values: dict[int, _Value] = {}
    for kind, entries in known.items():
        parts = [part for _, _, part in entries]
        entry = _Entry(
            prod(share for _, share, _ in entries),
            entries[-1][1],
            prod(part.scale for part in parts),
            stretch,
            padding,
        )
        old = NEW if any(i == NEW for i, _, _ in entries) else 0
        values[kind] = _Value(
            weight_of(entry) if old != NEW else 0.0,
            moment_of(entry) if old != NEW else 0.0,
            _fill(of, old, entry.scale, parts[-1].how),
            old == NEW and _is_drawn(of, entries),
        )
    reads = of.role in (Role.READS, Role.NORMALISED) and not of.kept
    copies = reads and any(p.how == "repeat" for a in factors for p in a.parts)
    written = of.role is Role.WRITES or of.kept
    means = _means(factors[0]) if written and not factors[1:] else ()
    return Side(
        tuple(index),
        tuple([values[kind].weight for kind in kinds]),
        tuple([values[kind].moment for kind in kinds]),
        tuple([values[kind].fill for kind in kinds]),
        tuple([values[kind].drawn for kind in kinds]),
        means,
        copies,
        prod(olds),
    )


class _Value(NamedTuple):
    """What entries of one kind become."""

    weight: float
    moment: float
    fill: float
    drawn: bool


_Places = tuple[tuple[int, float, Growth], ...]


def _entries(factors: tuple[Along, ...]) -> tuple[list[int], list[int], dict[int, _Places]]:
    """Of each entry the old one that it copies and its kind, and one entry of each kind.

    Entries are of one kind where each of their places has the same share, is in the same part, and
    is new or is not: all else that they become is the same.
    """
    index, kinds = [0], [0]
    known: dict[int, _Places] = {0: ()}
    for along in factors:
        codes: dict[tuple[float, int, bool], int] = {}
        column, examples = [], dict[int, tuple[int, float, Growth]]()
        for place in _places(along):
            i, share, part = place
            code = codes.setdefault((share, id(part), i == NEW), len(codes))
            examples.setdefault(code, place)
            column.append((i, code))
        n, count, outer = along.old, len(codes), list(zip(index, kinds, strict=True))
        index = [
            NEW if i == NEW or old == NEW else old * n + i for old, _ in outer for i, _ in column
        ]
        kinds = [kind * count + code for _, kind in outer for _, code in column]
        known = {
            kind * count + code: (*places, place)
            for kind, places in known.items()
            for code, place in examples.items()
        }
    return index, kinds, known


def _means(along: Along) -> tuple[tuple[int, int, int, int, float], ...]:
    """The new entries of parts that are means: of a stream, or of rows, whose null is left out."""
    found, new, old = [], 0, 0
    for part in along.parts:
        indices = part.index.indices
        if part.how in ("tile", "mean") and NEW in indices:
            start, count = indices.index(NEW), indices.count(NEW)
            rows = part.old - (indices[-1] != NEW)
            found.append((new + start, count, old, max(rows, 1), part.scale))
        new, old = new + part.new, old + part.old
    return tuple(found)


def _places(along: Along) -> list[tuple[int, float, Growth]]:
    """Of each new place the old one, its share, and the growth of the part that it is in."""
    found, start = list[tuple[int, float, Growth]](), 0
    for part in along.parts:
        for at, i in enumerate(part.index.indices):
            found.append((NEW if i == NEW else start + i, part.share(at), part))
        start += part.old
    return found


def _fill(of: Of, old: int, scale: float, how: How) -> float:
    """What is added to an entry of a bias or of a norm; a gate that is appended stays closed."""
    if of.role in (Role.NORM_SCALE, Role.TIED_SCALE, Role.QUERY_NORM, Role.KEY_NORM):
        return 1.0 if old == NEW else 0.0
    if of.role is Role.GATE:
        return 1.0 if old == NEW and how != "append" else 0.0
    if of.role is Role.SCALE and not of.grouped and old != NEW:
        return 1 / scale - 1
    return 0.0


def _is_drawn(of: Of, entries: tuple[tuple[int, float, Growth], ...]) -> bool:
    """Whether a new entry is drawn: exactly one of what writes and what reads it is zero."""
    *_, (inner, _, part) = entries
    how = {p.how for i, _, p in entries if i == NEW}
    match of.role:
        case Role.READS if of.kept:
            return "mean" not in how
        case Role.WRITES | Role.VALUE | Role.DEPTHWISE:
            return bool(how & {"append", "draw"})
        case Role.READS:
            return bool(how & {"pad", "draw"}) and not how & {"append"}
        case Role.NORMALISED:
            return bool(how & {"pad", "draw", "tile"}) and not how & {"append"}
        case Role.QUERY | Role.KEY:
            within = all(i != NEW for i, _, _ in entries[:-1]) and inner == NEW
            if within and part.how == "append":
                return of.role is Role.QUERY and not of.qk_norm
            return True
        case _:
            return False
