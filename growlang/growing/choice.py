"""Chooses how every space of a grown net grows, as its rules ask. Stdlib only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from math import gcd, lcm
from typing import Literal, NamedTuple

from growlang.growing import space_growth as sg
from growlang.growing.matching import Match
from growlang.growing.norms import Norm, group_counts, group_obstacle, norms
from growlang.growing.space_growth import Break, Growth, How
from growlang.growing.spaces import Member, Place
from growlang.growth.verdict import Obstacle
from growlang.net.axes import Axes, Role, Rows, Space, Symmetry
from growlang.ops import CONDITIONS, op_in

Widening = Literal["exact", "pad", "copy", "random"]
TRIED = 24
"""Most lengths of a block that are tried for the spaces that norms join."""


class Manner(NamedTuple):
    """How the spaces of a component grow."""

    widen: Widening | None = None
    break_: Break = "shares"
    """What makes copies part."""
    noise: float = 0.0
    """Std of the noise that makes them part, in terms of what is copied."""
    heads: Literal["zero", "copy"] = "zero"
    widens_heads: bool = False
    """Whether a rule speaks of heads."""
    extend: Literal["exact", "random", "mean"] | None = None


@dataclass(frozen=True)
class Choice:
    """The growth of every matched space, and the groups of every norm that keeps another number."""

    growths: Mapping[int, Growth]
    groups: Mapping[str, dict[str, int]]
    """By the path of the node, its numbers of groups."""
    norms: tuple[Norm, ...]
    counts: tuple[int, ...]
    """The groups of each norm."""
    obstacles: tuple[Obstacle, ...] = ()


def choose(match: Match, manners: Mapping[int, Manner]) -> Choice:
    """The growths; `manners` are those of the spaces that grow, by number."""
    heads = _heads(match)
    found: dict[int, Growth] = {}
    obstacles: list[Obstacle] = []
    for number in (*match.of, *match.added):
        if number in match.added:
            found[number] = sg.added(match.child.sizes[number])
            continue
        members = match.child.members.get(number, [])
        asked = _Asked(
            match.parent.sizes[match.of[number]],
            match.child.sizes[number],
            members,
            manners.get(number, Manner()),
            heads.get(number, ""),
        )
        found[number] = _growth(asked, obstacles)
    listed = norms(match)
    found, counts = _with_blocks(listed, found)
    groups: dict[str, dict[str, int]] = {}
    for norm, groups_now in zip(listed, counts, strict=True):
        if norm.kind == "group" and norm.number:
            groups.setdefault(norm.node.path, {})[norm.number] = groups_now
    return Choice(found, groups, tuple(listed), tuple(counts), tuple(obstacles))


class _Asked(NamedTuple):
    """What is known of a space when its growth is chosen."""

    old: int
    new: int
    members: list[Member]
    manner: Manner
    heads: str
    """`heads` or `head` where attention says so."""

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return str(self.members[0].place) if self.members else "a space"

    @property
    def rows(self) -> Rows | None:
        """What ids pick of it, if they do."""
        return next((m.space.rows for m in self.members if m.space.rows), None)

    @property
    def counted(self) -> tuple[int, int]:
        """Its places before and now, as they are declared: without the null."""
        null = self.rows is not None and self.rows.have_null
        return self.old - null, self.new - null

    @property
    def kinds(self) -> set[str]:
        """The norms that read it."""
        return {m.space.norm.kind for m in self.members if m.space.norm}


def _growth(asked: _Asked, obstacles: list[Obstacle]) -> Growth:
    n, m, manner = asked.old, asked.new, asked.manner
    if n == m:
        return sg.same(n)
    if m < n:
        obstacles.append(_smaller(asked))
        return sg.wrap(n, m)
    if (missing := _unruled(asked)) is not None:
        obstacles.append(missing)
    if asked.rows:
        return _ids(asked, asked.rows, obstacles)
    fixed = next((k for k in asked.members if k.space.symmetry is Symmetry.FIXED), None)
    if fixed and asked.heads == "head":
        return sg.append(n, m)  # what is rotated stays so, and what is new is not
    if fixed:
        obstacles.append(_fixed(fixed, n, m))
    if asked.heads == "heads":
        copied = manner.heads == "copy" and m % n == 0
        return sg.repeat(n, m // n, 1, _uneven(manner)) if copied else sg.append(n, m)
    if asked.heads == "head":
        return sg.append(n, m) if m % n else sg.repeat(n, m // n, 1, _uneven(manner))
    match manner.widen:
        case "copy":
            uneven = _uneven(manner)
            return sg.wrap(n, m, uneven) if m % n else sg.repeat(n, m // n, 1, uneven)
        case "random":
            why = (
                f"its {m - n} new channels are drawn where they are written and where they are read"
            )
            obstacles.append(Obstacle("inexact", asked.place, why, "write `widen(exact)`"))
            return sg.draw(n, m)
        case "pad":
            return sg.pad(n, m, scaled=False) if asked.kinds else sg.append(n, m)
    return _exact(asked)


def _exact(asked: _Asked) -> Growth:
    """The growth that the norms allow; their verdict tells whether one does."""
    n, m, kinds = asked.old, asked.new, asked.kinds
    if not kinds:
        return sg.append(n, m)
    if m % n == 0:
        return sg.repeat(n, m // n, 1, _uneven(asked.manner))
    if kinds == {"group"}:
        return sg.append(n, m)
    if "layer" in kinds:
        return sg.tile(n, m)
    return sg.pad(n, m)


def _uneven(manner: Manner) -> float:
    return sg.UNEVEN if manner.break_ == "shares" else 0.0


def _ids(asked: _Asked, rows: Rows, obstacles: list[Obstacle]) -> Growth:
    """Rows of ids or labels: appended; hashed words stay where they are found in whole multiples.

    The last row of a condition is its null, which moves.
    """
    n, m = asked.counted
    if rows.are_hashed:
        if m % n == 0:
            return sg.hashed(asked.old, asked.new)
        multiple = n * max(2, round(m / n))
        obstacles.append(
            Obstacle(
                "inexact",
                asked.place,
                f"a word's row is its hash modulo the vocabulary: from {n} to {m} most "
                "words would move to another's row",
                f"write `vocabulary = {multiple}`, or `extend(random)`",
                "extend",
            )
        )
    how: How = "mean" if asked.manner.extend == "mean" else "append"
    return sg.rows(asked.old, asked.new, rows.have_null, how)


def _unruled(asked: _Asked) -> Obstacle | None:
    """What is wrong where no rule says how a space grows."""
    manner = asked.manner
    was, now = asked.counted
    why = f"it grows from {was} to {now}, and no rule says how"
    if asked.rows:
        mend = "" if manner.extend else "add `extend(exact)`"
    else:
        of_condition = any(m.node.op in CONDITIONS for m in asked.members)
        heads = asked.heads == "heads" and manner.widens_heads
        ruled = manner.widen or heads or (manner.extend and of_condition)
        mend = "" if ruled else "add `widen(exact)`"
    return Obstacle("impossible", asked.place, why, mend) if mend else None


def _smaller(asked: _Asked) -> Obstacle:
    n, m, place = asked.old, asked.new, asked.place
    if asked.heads == "head":
        why = f"more heads at this width would split each head of {n} channels into {m}"
        mend = f"write `head_width = {n}`: more heads then need no more width"
        return Obstacle("impossible", place, why, mend)
    was, now = asked.counted
    return Obstacle(
        "impossible", place, f"it would shrink from {was} to {now}", f"write at least {was}"
    )


def _fixed(member: Member, n: int, m: int) -> Obstacle:
    if op_in(member.node).resized == "positions":
        why = f"sines and cosines depend on the width, {n} -> {m}"
        return Obstacle("inexact", str(member.node.path), why, "write `position = learned`")
    why = f"each of its {n} channels has a meaning of its own, and here are {m}"
    return Obstacle("inexact", str(member.place), why, "keep its width")


def _heads(match: Match) -> dict[int, str]:
    """The spaces of heads and of a head's channels."""
    return {
        number: name
        for path, axes in match.child.axes.items()
        for name, space in heads_of(axes)
        for number in match.child.local[Place(path, space.name)]
    }


def heads_of(axes: Axes) -> Iterator[tuple[Literal["heads", "head"], Space]]:
    """The spaces of an op's heads, in order, and of a head's channels: those of its queries."""
    for layer in axes.layers:
        for segment in layer.weight.axes[0]:
            if segment.role is Role.QUERY and len(segment.factors) > 1:
                *counted, head = segment.factors
                yield from (("heads", heads) for heads in counted if isinstance(heads, Space))
                if isinstance(head, Space):
                    yield "head", head


# --- the blocks that GroupNorms allow ------------------------------------------------------------


def _with_blocks(
    listed: list[Norm], growths: dict[int, Growth]
) -> tuple[dict[int, Growth], list[int]]:
    """Repeats in blocks of which every GroupNorm finds its old groups whole, if there are any.

    Spaces that one norm reads together, as a concatenation, are searched together.
    """
    grouped = [n for n in listed if n.kind == "group" and all(p in growths for p in n.parts)]
    for joined in _joined(grouped):
        read = {p for n in joined for p in n.parts}
        repeated = sorted(p for p in read if growths[p].is_whole)
        if not repeated:
            continue
        for block in _blocks(joined, repeated, growths):
            tried = {**growths, **{p: _in_blocks(growths[p], block) for p in repeated}}
            if all(_groups(norm, tried)[1] == "" for norm in joined):
                growths = tried
                break
    counts = [
        _groups(n, growths)[0] if n.kind == "group" and all(p in growths for p in n.parts) else 1
        for n in listed
    ]
    return growths, counts


def _groups(norm: Norm, growths: Mapping[int, Growth]) -> tuple[int, str]:
    """The number of groups with which a norm computes what it did, and why none does."""
    along = norm.along(growths)
    first = ""
    counts = group_counts(norm, along.old, along.new)
    for groups in counts:
        why = group_obstacle(along, norm.groups, groups)
        if not why:
            return groups, ""
        first = first or why
    return counts[0], first


def _in_blocks(growth: Growth, block: int) -> Growth:
    if growth.old % block:
        block = growth.old
    uneven = sg.UNEVEN if len(growth.shares) > 1 else 0.0
    return sg.repeat(growth.old, growth.new // growth.old, block, uneven)


def _blocks(joined: list[Norm], repeated: list[int], growths: Mapping[int, Growth]) -> list[int]:
    """The lengths of blocks to try: whole groups of all norms first, so that their size is kept."""
    sizes = [norm.along(growths).old // norm.groups for norm in joined]
    whole = lcm(*sizes)
    common = gcd(*(growths[p].old for p in repeated))
    divisors = [b for b in range(1, common + 1) if common % b == 0]
    largest = max(growths[p].old for p in repeated)
    return list(dict.fromkeys([whole, 1, *divisors[:TRIED], largest]))


def _joined(grouped: list[Norm]) -> list[list[Norm]]:
    """The norms by what they read: two that share a space are in one list."""
    owner: dict[int, int] = {}
    lists: dict[int, list[Norm]] = {}
    numbers = count()
    for norm in grouped:
        met = sorted({owner[p] for p in norm.parts if p in owner})
        number = met[0] if met else next(numbers)
        lists.setdefault(number, []).append(norm)
        for other in met[1:]:
            lists[number] += lists.pop(other)
            for space, at in owner.items():
                owner[space] = number if at == other else at
        owner.update(dict.fromkeys(norm.parts, number))
    return list(lists.values())
