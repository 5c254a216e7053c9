"""From the files of an experiment to its rows: the scores of all samples that exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from arms import DRAWINGS, PATH, Arm
from cells import Cell
from compute import flops
from finished import losses, speeds
from metrics import Scores, downsampled, scores, without_detail
from perceived import Judge
from results import Results, Row
from samples import CORE, captions_of, images_of, path_of, read
from sets import read_shard, shard, unseen_places
from torch import Tensor


def measured(cells: Iterable[Cell], out: Path) -> Results:
    """The scores of the samples of cells; those that are not drawn yet are left out."""
    some = list(cells)
    rows: list[Row] = []
    floors = {}
    for side in sorted({cell.side for cell in some}):
        truth = Truth(out / "data", side)
        rows += [row for cell in some if cell.side == side for row in truth.rows(cell, out)]
        floors[side] = truth.judge.floor()
    return Results(tuple(rows), floors)


class Truth:
    """The true images of a set, at one resolution."""

    def __init__(self, data: Path, side: int) -> None:
        self.real = images_of(data / shard("reference", side))
        others = list(read_shard(data / shard("others", side)))
        captions = captions_of(data)
        known = images_of(data / shard("others", side))
        self.judge = Judge(self.real, captions, known, [caption for caption, _ in others])
        self.unseen = unseen_places(data, side)
        self.seen = sorted({*range(len(captions))}.difference(self.unseen))

    def rows(self, cell: Cell, out: Path) -> Iterator[Row]:
        """Those of a cell: one for each of its drawings."""
        for drawing in DRAWINGS[cell.arm]:
            if not (path := path_of(cell, drawing.name, out)).exists():
                continue
            drawn = read(path, len(self.real))
            yield self._row(cell, drawing.name, drawn, out)
            if drawing.name == Arm.retain:
                yield self._row(cell, PATH, without_detail(drawn), out)

    def _row(self, cell: Cell, name: str, drawn: Tensor, out: Path) -> Row:
        plain = name == cell.arm
        run = cell.run(out)
        return Row(
            arm=name,
            seed=cell.seed,
            side=cell.side,
            variant=cell.variant,
            params=dict(cell.params),
            unseen=scores(drawn[self.unseen], self.real, self.unseen),
            seen=scores(drawn[self.seen], self.real, self.seen),
            perceived=self.judge.perceived(drawn),
            core=self._core(cell, out) if plain else None,
            losses=losses(run) if plain and cell.arm is not Arm.core else (),
            speeds=speeds(run) if plain else (),
            flops=flops(cell) if plain else 0,
        )

    def _core(self, cell: Cell, out: Path) -> Scores | None:
        """What the core's model draws at 32 px with what a cell made of the core."""
        name = str(cell.arm) if cell.arm is Arm.core else f"{cell.arm}{CORE}"
        if not (path := path_of(cell, name, out)).exists():
            return None
        return scores(read(path, len(self.real)), downsampled(self.real), range(len(self.real)))
