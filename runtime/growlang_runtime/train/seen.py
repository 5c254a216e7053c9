"""What the data of a run showed, in all of its processes: unusable images, captions cut short."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from growlang_runtime.conditioning.readings import Reading, added
from growlang_runtime.data.corrupt import Budget, Corrupt
from growlang_runtime.distributed.ranks import Ranks, each_once
from growlang_runtime.report.display import Display
from growlang_runtime.report.metrics import Metrics
from growlang_runtime.storage.record import Record
from growlang_runtime.train.tally import Tally


class Seen:
    """Counts and tells what of the data could not be used. All processes call it together."""

    def __init__(
        self,
        budget: Budget,
        ranks: Ranks,
        metrics: Metrics,
        display: Display,
        warn: Callable[[str], None],
    ) -> None:
        self.budget, self.ranks, self.metrics = budget, ranks, metrics
        self.display, self.warn = display, warn
        self.tally = Tally()
        self.unread: dict[str, Reading] = {}
        """What was read of captions and is not in the tally yet."""

    def restore(self, record: Record) -> None:
        """Take over what an earlier part of the run counted."""
        self.tally = Tally(record.readings)
        self.budget.restore(record.corrupt)

    def corrupt(self, found: tuple[Corrupt, ...], step: int) -> None:
        """Report each unusable sample once. Raises GrowlangError if they are too many."""
        new = self.budget.report(each_once(self.ranks.gather_if(bool(found), found)))
        for corrupt in new:
            self.metrics.write(step=step, event="corrupt", **corrupt.as_json())
        self.budget.require(new)
        for corrupt in new:
            self.display.say(f"skipped image {corrupt}")

    def read(self, readings: Mapping[str, Reading], *, all: bool = False) -> None:
        """Count what was read of captions, `all` of it or once a process has lost some."""
        self.unread = added([self.unread, readings])
        lost = any(reading.cut or reading.wordless for reading in self.unread.values())
        if self.ranks.largest(int(all or lost)):
            for line in self.tally.add(added(self.ranks.gather(self.unread))):
                self.warn(line)
            self.unread = {}

    def tell_totals(self, step: int) -> None:
        """Tell at the end how many captions could not be read whole."""
        self.read({}, all=True)
        for name, line, counts in self.tally.totals():
            self.warn(line)
            self.metrics.write(step=step, event="captions", condition=name, **dict(counts))
