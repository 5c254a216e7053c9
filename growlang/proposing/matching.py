"""Which run of one net is which of another: an assignment, with confidence.

Where each run has a best partner of its own, these are the optimum. Where two runs have the same
one, networkx finds it; it comes with PyTorch, and without it the most alike go first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from growlang.proposing.conditions import NEW
from growlang.proposing.runs import CONDITION, Run
from growlang.proposing.stages import aligned

LEAST = 0.5
"""Of the similarity of a pair that is proposed."""
CLEAR = 0.25
"""How much better than any other a pair is that nothing else rivals."""
OTHERWISE = 0.6
"""Of the similarity of what is alike but for the function, such as another activation."""
ELSEWHERE = 0.7
"""Of the similarity of blocks in stages that are not the same one."""
WEIGHTS = {
    "shapes": 0.35,
    "kind": 0.2,
    "neighbours": 0.1,
    "level": 0.15,
    "position": 0.1,
    "name": 0.1,
}
"""What the parts of a similarity count; together 1."""


class Pair(NamedTuple):
    """Two runs that correspond."""

    old: Run
    new: Run
    confidence: float
    """From 0 to 1: how alike they are, less where another partner would do as well."""
    is_same: bool
    """Whether their tensors have the same names and shapes."""
    computes_alike: bool = True
    """Whether they compute the same function, whatever their widths; else nothing is stated."""


def similarity(old: Run, new: Run) -> float:
    """How alike two runs are, from 0 to 1; 0 where one could not take the other's weights."""
    if old.op != new.op:
        return 0.0
    if old.kind == CONDITION and new.called.get(new.component, new.component) != old.component:
        return 0.0
    shapes = _shapes(old, new)
    if not shapes:
        return 0.0
    same_kind = (old.kind, old.side) == (new.kind, new.side)
    found = {
        "shapes": shapes,
        "kind": 1.0 if same_kind else 0.5 if old.side == new.side else 0.0,
        "neighbours": ((old.before == new.before) + (old.after == new.after)) / 2,
        "level": (old.positions == new.positions) / 2 + (1.0 - abs(old.level - new.level)) / 2,
        "position": 1.0 - abs(old.position - new.position),
        "name": _names(old.place, new.place),
    }
    whole = sum(WEIGHTS[name] * value for name, value in found.items())
    return whole if _computes_alike(old, new) else OTHERWISE * whole


def _computes_alike(old: Run, new: Run) -> bool:
    """Whether two runs compute the same, whatever their widths; the rest is at its default."""
    return all(
        old.function.get(name, "null") == new.function.get(name, "null")
        for name in {*old.function, *new.function}
    )


def _shapes(old: Run, new: Run) -> float:
    """1 where shapes are equal, less where the new ones are larger; 0 where they do not fit."""
    if set(old.parts) == set(new.parts):
        if old.arguments != new.arguments and _computes_alike(old, new):
            return 0.0  # numbers are not the same, such as those of heads of the same width
        return 1.0 if len(old.nodes) == len(new.nodes) else 0.9
    theirs = {part.name: part.shape for part in new.parts}
    mine = {part.name for part in old.parts}
    if any(NEW not in name for name in theirs.keys() - mine):
        return 0.0  # it has more than what attends to a condition that is new
    ratios = []
    for name, shape in old.parts:
        other = theirs.get(name)
        if other is None or len(shape) != len(other):
            return 0.0
        for n, m in zip(shape, other, strict=True):
            if m < n:
                return 0.0
            ratios.append(n / m)
    alike = 0.4 + 0.5 * sum(ratios) / len(ratios) if ratios else 0.0
    return alike if len(theirs) == len(mine) else 0.9 * alike


def _names(old: str, new: str) -> float:
    """The share of the steps of two paths that are equal."""
    a, b = old.split("."), new.split(".")
    return sum(x == y for x, y in zip(a, b, strict=False)) / max(len(a), len(b))


def matched(olds: Sequence[Run], news: Sequence[Run]) -> list[Pair]:
    """The runs that correspond, in the order of the new ones."""
    table = [[similarity(old, new) for new in news] for old in olds]
    stages = aligned(table, olds, news)
    for i, old in enumerate(olds):
        for j, new in enumerate(news):
            both = old.component.is_stage and new.component.is_stage
            if both and stages.get(old.component) != new.component:
                table[i][j] *= ELSEWHERE
    found = []
    for i, j in sorted(_in_order(_assigned(table), olds, news), key=lambda pair: pair[1]):
        if table[i][j] < LEAST:
            continue
        others = [table[i][k] for k in range(len(news)) if k != j]
        others += [table[k][j] for k in range(len(olds)) if k != i]
        lead = table[i][j] - max(others, default=0.0)
        clear = max(0.0, min(1.0, lead / CLEAR))
        confidence = table[i][j] * (0.5 + 0.5 * clear)
        is_same = set(olds[i].parts) == set(news[j].parts)
        alike = _computes_alike(olds[i], news[j])
        found.append(Pair(olds[i], news[j], confidence, is_same, alike))
    used = {(p.old.component, p.new.component) for p in found if not p.old.is_positions}
    return [
        p for p in found if not p.old.is_positions or (p.old.component, p.new.component) in used
    ]  # positions alone are of no use to other blocks


def _in_order(
    pairs: Iterable[tuple[int, int]], olds: Sequence[Run], news: Sequence[Run]
) -> Iterator[tuple[int, int]]:
    """The pairs; of those that their place alone tells apart, the first one with the first."""
    groups: dict[object, list[tuple[int, int]]] = {}
    for i, j in pairs:
        key = olds[i].told_by_place, news[j].told_by_place
        groups.setdefault(key, []).append((i, j))
    for group in groups.values():
        yield from zip(*(sorted(side) for side in zip(*group, strict=True)), strict=True)


def _assigned(table: list[list[float]]) -> list[tuple[int, int]]:
    """The pairs of rows and columns whose similarities sum to the most."""
    best = {i: max(range(len(row)), key=row.__getitem__) for i, row in enumerate(table) if any(row)}
    if len(set(best.values())) == len(best):
        return list(best.items())  # no sum is larger
    edges = [(v, i, j) for i, row in enumerate(table) for j, v in enumerate(row) if v >= LEAST]
    try:
        from networkx import Graph, max_weight_matching
    except ModuleNotFoundError:
        return _greedy(edges)
    graph = Graph()
    graph.add_weighted_edges_from((("old", i), ("new", j), value) for value, i, j in edges)
    pairs = (sorted(pair, reverse=True) for pair in max_weight_matching(graph))
    return [(old[1], new[1]) for old, new in pairs]


def _greedy(edges: list[tuple[float, int, int]]) -> list[tuple[int, int]]:
    """The most alike first; of those that are as much alike, the first ones."""
    olds, news = set[int](), set[int]()
    found = []
    for _, i, j in sorted(edges, key=lambda edge: (-edge[0], edge[1], edge[2])):
        if i not in olds and j not in news:
            olds.add(i)
            news.add(j)
            found.append((i, j))
    return found
