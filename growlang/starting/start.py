"""Measures, chooses and writes: from a project to its two specs."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from growlang.atomic import write_text
from growlang.checking import check
from growlang.planning import plan as planned
from growlang.plans.plan import Plan
from growlang.starting.choice import Choice, choose, steps_within
from growlang.starting.project import Project, specs

PROBED = 10
"""Steps that are trained to measure one."""
Measure = Callable[[Plan, Path], float]
"""Seconds of a step of a plan, which is trained into an output root."""


@dataclass(frozen=True)
class Started:
    """The specs that were written."""

    core: Path
    """It trains a core in the budget."""
    grown: Path
    """It grows the core to the full size."""
    choice: Choice
    """The net and the length of the core's training."""

    @property
    def commands(self) -> tuple[str, ...]:
        """What to type next, in order; with as many threads as were the fastest here."""
        words = (
            ("growlang", "train", str(self.core), "--threads", "auto"),
            ("growlang", "train", str(self.grown), "--threads", "auto"),
            ("growlang", "sample", f"runs/{self.grown.stem}/main"),
        )
        return tuple(map(shlex.join, words))


def start(
    project: Project,
    out: Path,
    batch: int,
    measure: Measure,
    say: Callable[[str], None],
) -> Started:
    """Choose what fits the budget of a project, and write its two specs into a folder.

    `say` is told of each measurement. Raises GrowlangError for whatever keeps a step from being
    trained.
    """
    out.mkdir(parents=True, exist_ok=True)  # the data's place is told from here
    with tempfile.TemporaryDirectory(prefix="growlang-init-") as folder:
        probe = _Probe(project, Path(folder), measure, say)
        core = choose(probe.core, project.minutes, batch)
        grown = replace(core, steps=steps_within(project.minutes, probe.grown(core)))
    for name, text in specs(project, core, grown).items():
        write_text(out / name, text)
    first, second = (out / name for name in project.files)
    return Started(first, second, core)


@dataclass(frozen=True)
class _Probe:
    """Trains a few steps of the specs that a choice gives, in a folder of its own."""

    project: Project
    folder: Path
    measure: Measure
    say: Callable[[str], None]

    def core(self, choice: Choice) -> float:
        """Seconds of a step of the core."""
        seconds = self._seconds(choice, self.project.core)
        self.say(f"width {choice.width}, depth {choice.depth}: {seconds:.3g} s a step")
        return seconds

    def grown(self, choice: Choice) -> float:
        """Seconds of a step of the grown model, whose parent has been measured."""
        seconds = self._seconds(choice, self.project.grown)
        self.say(f"grown to {self.project.size} px: {seconds:.3g} s a step")
        return seconds

    def _seconds(self, choice: Choice, model: str) -> float:
        place = self.folder / f"{choice.width}_{choice.depth}_{choice.batch}"
        place.mkdir(exist_ok=True)
        few = replace(choice, steps=PROBED)
        for name, text in specs(self.project, few, few).items():
            write_text(place / name, text)
        path = place / f"{model}.grow"
        return self.measure(planned(check(path).require(path)), place / "runs")
