"""From tensors that correspond to `moved` and `drop`, as few as say it. Stdlib only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import wrap

from growlang.net import ComponentName, Net
from growlang.proposing.matching import Pair
from growlang.proposing.runs import NO_NAMES, Part, blocks, parts_of

SHORT = 80
"""Characters of the places in a statement."""
MOST = 0.5
"""Of the parameters of a block, which the rest of it is to learn to go with."""
Steps = tuple[str, ...]
Move = tuple[Steps, Steps]
"""The place that moves, and the place that it moves to."""


def moving(pairs: Iterable[Pair]) -> dict[str, str]:
    """The new name of each tensor of the old net that has a place of the same shape.

    Of a block of which less than MOST has one, nothing moves.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        for old, new in blocks(pair.old, pair.new) if pair.computes_alike else ():
            names: dict[Part, str] = {
                part: tensor.name
                for part, tensor in zip(parts_of(new, pair.new.called), new.tensors, strict=True)
            }
            mine = {
                tensor: names[part]
                for part, tensor in zip(parts_of(old, NO_NAMES), old.tensors, strict=True)
                if part in names
            }
            if pair.is_same or sum(t.parameters for t in mine) >= MOST * old.parameters:
                found |= {tensor.name: name for tensor, name in mine.items()}
    return found


def moves(target: Mapping[str, str], old: Net) -> list[Move]:
    """The fewest places whose moves are those of the tensors, ranges not yet joined."""
    found: list[Move] = []
    for component in old.components:
        names = [tuple(t.name.split(".")) for node in old.of(component.name) for t in node.tensors]
        mapped = {name: tuple(new.split(".")) for name in names if (new := target.get(_dot(name)))}
        if names:
            found += _covered(tuple(component.name.split(".")), names, mapped)
    return found


def _dot(steps: Steps) -> str:
    return ".".join(steps)


def _covered(at: Steps, names: Sequence[Steps], target: Mapping[Steps, Steps]) -> Iterator[Move]:
    """The moves of what is below a place: the place itself, if all of it moves together."""
    depth = len(at)
    goals = {_goal(name, target.get(name), depth) for name in names}
    if len(goals) == 1 and (goal := next(iter(goals))) is not None and goal:
        yield at, goal
        return
    below: dict[str, list[Steps]] = {}
    for name in names:
        if len(name) > depth:
            below.setdefault(name[depth], []).append(name)
    for step, inside in below.items():
        yield from _covered((*at, step), inside, target)


def _goal(name: Steps, new: Steps | None, depth: int) -> Steps | None:
    """Where the place of the first `depth` steps goes, if the rest of the name stays as it is."""
    if new is None:
        return None
    rest = name[depth:]
    if rest and new[-len(rest) :] != rest:
        return None
    return new[: len(new) - len(rest)]


def joined(found: Iterable[Move]) -> list[str]:
    """`moved` statements; places that follow each other on both sides are one range."""
    groups: dict[tuple[Steps, Steps, Steps, Steps], list[tuple[int, int]]] = {}
    order: list[tuple[tuple[Steps, Steps, Steps, Steps], tuple[int, int] | None]] = []
    for old, new in found:
        i, j = _last_number(old), _last_number(new)
        if i is None or j is None:
            order.append(((old, (), new, ()), None))
            continue
        key = (old[:i], old[i + 1 :], new[:j], new[j + 1 :])
        numbers = int(old[i]), int(new[j])
        groups.setdefault(key, []).append(numbers)
        order.append((key, numbers))
    lines, told = [], set()
    for key, single in order:
        if single is None:
            lines.append(f"moved {selector(key[0])} -> {selector(key[2])}")
        elif key not in told:
            told.add(key)
            lines += [_range(key, *span) for span in _spans(groups[key])]
    return lines


def _last_number(steps: Steps) -> int | None:
    """Where the last number stands, but that of a component, which is a resolution."""
    return next((n for n in reversed(range(2, len(steps))) if steps[n].isdigit()), None)


def _spans(numbers: list[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """The stretches over which both numbers rise by one."""
    ordered = sorted(numbers)
    first = last = ordered[0]
    for old, new in [*ordered[1:], (-1, -1)]:
        if (old, new) == (last[0] + 1, last[1] + 1):
            last = old, new
            continue
        yield first, last
        first = last = old, new


def _range(
    key: tuple[Steps, Steps, Steps, Steps], first: tuple[int, int], last: tuple[int, int]
) -> str:
    sides = []
    for (before, behind), a, b in zip((key[:2], key[2:]), first, last, strict=True):
        at = f"[{a}]" if a == b else f"[{a}..{b}]"
        sides.append(f"{selector(before)}{at}{''.join(f'.{s}' for s in [selector(behind)] if s)}")
    return f"moved {sides[0]} -> {sides[1]}"


def selector(steps: Sequence[str]) -> str:
    """Steps of a path as a selector: `stage[16].encode.residual[0]`."""
    return "".join(f"[{s}]" if s.isdigit() else f".{s}" for s in steps).removeprefix(".")


def dropping(
    old: Net, target: Mapping[str, str], taken: Iterable[ComponentName]
) -> list[ComponentName]:
    """The components of which something is left, that nothing else speaks of."""
    done = set(taken)
    found = []
    for component in old.components:
        names = [t.name for node in old.of(component.name) for t in node.tensors]
        if component.name not in done and (not names or any(n not in target for n in names)):
            found.append(component.name)
    return found


def listed(verb: str, places: Iterable[str], behind: str = "") -> list[str]:
    """As many statements as keep their lines short."""
    lines = wrap(", ".join(places), SHORT, break_long_words=False)
    return [f"{verb} {line.removesuffix(',')}{behind}" for line in lines]
