"""What there is to report of one run, read from its folder; what it does not say is left out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from growlang.plans.plan import Plan
from growlang.plans.weights_header import CHECKPOINTS, EVALUATIONS, PLAN, RECORD, checkpoints_of
from growlang_runtime.report.history import lines_of
from growlang_runtime.report.page.thinning import number
from growlang_runtime.report.runs import RunSummary, status_of
from growlang_runtime.report.seconds import PARTS
from growlang_runtime.report.side_by_side import Grid, grids_of
from growlang_runtime.storage.record import Record
from growlang_runtime.storage.run import recorded_plan

Line = dict[str, Any]


class Stretch(NamedTuple):
    """The steps of a run that a phase covers, as far as they are known."""

    name: str
    first: int
    end: int


class Proof(NamedTuple):
    """The hashes of a phase's frozen tensors; the second is None until the phase is over."""

    phase: str
    tensors: int
    start: str | None
    end: str | None


class Ancestor(NamedTuple):
    """A run, or a net, that this one's weights come from."""

    title: str
    how: str
    """What was taken from it."""
    hashes: dict[str, str]


@dataclass(frozen=True)
class Facts:
    """A run, up to a step if there is one."""

    path: Path
    name: str
    """What it is called on the page."""
    summary: RunSummary
    plan: Plan
    lines: tuple[Line, ...]
    until: int | None = None

    @cached_property
    def rows(self) -> list[Line]:
        """The lines of steps, the first first."""
        return [line for line in self.lines if "event" not in line]

    def events(self, kind: str) -> list[Line]:
        """The lines of one kind of event."""
        return [line for line in self.lines if line.get("event") == kind]

    @property
    def last(self) -> int:
        """The last step that is reported."""
        return max((line["step"] for line in self.lines), default=0)

    @cached_property
    def stretches(self) -> list[Stretch]:
        """The phases that have begun; a resumed one begins once."""
        found: dict[str, Stretch] = {}
        for line in self.events("phase"):
            name, until = str(line.get("phase")), number(line.get("until"))
            first = found[name].first if name in found else line["step"]
            found[name] = Stretch(name, first, int(until) if until else self.last)
        return list(found.values())

    @property
    def resumes(self) -> list[int]:
        """The steps at which it was resumed, or went on from another run."""
        return [x["step"] for x in self.lines if x.get("event") in ("resumed", "branched")]

    @cached_property
    def seconds(self) -> dict[str, float]:
        """Seconds by part, of the steps that are kept; empty for runs of 0.1."""
        found: dict[str, float] = {}
        for line in [*self.rows, *self.events("seconds")]:
            told = line.get("seconds")
            for part, spent in told.items() if isinstance(told, dict) else ():
                found[part] = found.get(part, 0.0) + (number(spent) or 0.0)
        known = [*PARTS, *(part for part in found if part not in PARTS)]
        return {part: found[part] for part in known if found.get(part)}

    @property
    def proofs(self) -> list[Proof]:
        """The hashes of frozen tensors, by phase."""
        found: dict[str, Proof] = {}
        for line in self.events("frozen"):
            phase, digest = str(line.get("phase")), str(line.get("sha256"))
            proof = found.get(phase, Proof(phase, line.get("tensors", 0), None, None))
            if line.get("at") == "end":
                found[phase] = proof._replace(end=digest)
            elif proof.start is None:
                found[phase] = proof._replace(start=digest)
        return list(found.values())

    @cached_property
    def grids(self) -> list[Grid]:
        """The sample grids, the oldest first."""
        return grids_of(self.path, self.until)

    @cached_property
    def record(self) -> Record | None:
        """What the newest checkpoint whose record can be read says."""
        for folder in reversed(checkpoints_of(self.path / CHECKPOINTS)):
            try:
                text = (folder / RECORD).read_text(encoding="utf-8")
                return Record.model_validate_json(text)
            except (OSError, ValueError):
                continue
        return None

    def environment(self) -> Iterator[tuple[str, str]]:
        """What it computes with, by name."""
        if self.record is not None:
            for name, value in self.record.environment:
                if value is not None:
                    yield name.replace("_", " "), f"{value:,}" if type(value) is int else str(value)
        if (status := self.summary.status) is not None:
            yield "host", status.host
            yield "process", str(status.pid)
            yield "started", f"{status.started:%Y-%m-%d %H:%M:%S} UTC"
            yield "updated", f"{status.updated:%Y-%m-%d %H:%M:%S} UTC"
        memory = [n for row in self.rows if (n := number(row.get("memory"))) is not None]
        if memory:
            yield "largest memory", f"{max(memory) / 2**30:.2f} GiB"

    def lineage(self) -> list[Ancestor]:
        """The ancestors, the oldest first."""
        found: list[Ancestor] = []
        plan, path = self.plan, self.path
        for _ in range(DEEPEST):
            if plan.branch is not None:
                hashes = {"checkpoint": plan.branch.sha256, "run": plan.branch.run_hash}
                how = "went on from its checkpoint"
                found.append(Ancestor(str(plan.branch), how, _known(hashes)))
            if plan.parent is None:
                break
            parent, run = plan.parent, plan.parent.run
            hashes = {
                "net": parent.net_hash,
                "spec": run.spec_hash if run else parent.spec_hash,
                "weights": parent.weights_hash or "",
            }
            how = f"grown, moments = {plan.start.moments}"
            if run is not None and run.weights:
                how += f", from {run.weights}"
            if plan.start.origin == "scratch":
                how = "its net grows; no weights of it"
            where = f": {run.path}" if run else ""
            found.append(Ancestor(f"{parent.model}/{parent.recipe}{where}", how, _known(hashes)))
            above = _folder(path, run.path if run else f"{parent.model}/{parent.recipe}")
            if above is None:
                break
            path, plan = above, recorded_plan(above)
        return found[::-1]

    def evaluations(self) -> list[tuple[str, Any]]:
        """What `growlang evaluate` left in the folder: each file's name, and what it says."""
        found = []
        for path in sorted((self.path / EVALUATIONS).glob("*.json")):
            try:
                found.append((path.stem, json.loads(path.read_text(encoding="utf-8"))))
            except (OSError, ValueError):
                continue
        return found


DEEPEST = 20
"""Generations that are looked at."""


def facts_of(path: Path, name: str, until: int | None = None) -> Facts:
    """What a run says. Raises GrowlangError if there is none, or its plan cannot be read."""
    summary = status_of(path)
    said = (line for line in lines_of(path) if until is None or line["step"] <= until)
    return Facts(path, name, summary, recorded_plan(path), tuple(said), until)


def names_of(paths: Sequence[Path]) -> list[str]:
    """What runs are called: the last parts of their paths, as many as tell all of them apart."""
    parts = [path.resolve().parts for path in paths]
    longest = max(map(len, parts), default=0)
    for count in range(2, longest + 1):
        names = ["/".join(part[-count:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]


def _folder(run: Path, written: str) -> Path | None:
    """The folder of a parent's run: as it was written, or beside this run under the same root."""
    own = Path(written)
    beside = run.resolve().parents[1] / own.parent.name / own.name
    return next((p for p in (own, beside) if (p / PLAN).exists() and p != run), None)


def _known(hashes: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in hashes.items() if value}
