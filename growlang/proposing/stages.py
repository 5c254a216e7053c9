"""Which stage of one U is which of another, whatever their resolutions. Stdlib only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from growlang.net import ComponentName
from growlang.proposing.runs import Run

Table = Sequence[Sequence[float]]


def aligned(
    table: Table, olds: Sequence[Run], news: Sequence[Run]
) -> dict[ComponentName, ComponentName]:
    """The new stage that each old one is, of the similarities of their runs.

    From the finest to the coarsest, so that their similarities sum to the most (Needleman and
    Wunsch 1970, where what is left out costs nothing).
    """
    ours, theirs = _stages(olds), _stages(news)
    mine, other = list(ours), list(theirs)
    best: list[list[tuple[float, tuple[tuple[int, int], ...]]]]
    best = [[(0.0, ()) for _ in range(len(other) + 1)] for _ in range(len(mine) + 1)]
    for i, old in enumerate(mine):
        for j, new in enumerate(other):
            alike = _similarity(table, ours[old], theirs[new])
            total, pairs = best[i][j]
            both = (total + alike, (*pairs, (i, j))) if alike else (0.0, ())
            best[i + 1][j + 1] = max(both, best[i][j + 1], best[i + 1][j], key=lambda b: b[0])
    return {mine[i]: other[j] for i, j in best[-1][-1][1]}


def _stages(runs: Sequence[Run]) -> Mapping[ComponentName, list[int]]:
    """The numbers of the runs of each stage, from the finest."""
    found: dict[ComponentName, list[int]] = {}
    for number, run in enumerate(runs):
        if run.component.is_stage:
            found.setdefault(run.component, []).append(number)
    return found


def _similarity(table: Table, olds: Sequence[int], news: Sequence[int]) -> float:
    """How alike two stages are: the mean over their runs of the best that each has."""
    return sum(max(table[i][j] for j in news) for i in olds) / max(len(olds), len(news))
