"""The folder of a run: `OUT/MODEL/RECIPE`, written by one process at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from growlang.diagnostics import GrowlangError
from growlang.plan import Plan
from growlang.stored import CHECKPOINTS, MODEL, PLAN
from growlang_runtime.checkpoint import disk_full, write_text

METRICS, LOCK = "metrics.jsonl", ".lock"
OUT = Path("runs")
"""The root of the run folders unless `--out` names another."""


def run_folder(out: Path, model: str, recipe: str) -> Path:
    """Where the run of a model's recipe is kept under the output root."""
    return out / model / recipe


class Run:
    """A run folder that this process holds the lock of. Use it as a context manager."""

    def __init__(self, path: Path, plan: Plan) -> None:
        self.path = path
        self.plan = plan
        self._lock = _lock(path)

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / CHECKPOINTS

    @property
    def samples(self) -> Path:
        """Folder of the sample grids."""
        return self.path / "samples"

    @property
    def metrics(self) -> Path:
        """File of the metrics, one JSON object a line."""
        return self.path / METRICS

    @property
    def model(self) -> Path:
        """File of the averaged weights, written at the end."""
        return self.path / MODEL

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._lock)

    @staticmethod
    def create(path: Path, plan: Plan) -> Run:
        """A new run: its folder with the spec and the plan. Raises GrowlangError if it exists."""
        with disk_full(path):
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                raise exists(path) from None
            try:
                run = Run(path, plan)
                suffix = ".grow.yaml" if plan.spec.endswith((".yaml", ".yml")) else ".grow"
                write_text(path / f"spec{suffix}", plan.source)
                write_text(path / PLAN, plan.model_dump_json(indent=1))
                run.checkpoints.mkdir()
                run.samples.mkdir()
            except OSError:
                shutil.rmtree(path)
                raise
        return run

    @staticmethod
    def reopen(path: Path, plan: Plan) -> Run:
        """The run at `path`, to go on with `plan`.

        Raises GrowlangError if another process holds it or if it was begun with another plan.
        """
        recorded = recorded_plan(path)
        if recorded.plan_hash != plan.plan_hash:
            found = list(_leaves_that_differ(_compared(recorded), _compared(plan)))
            listed = "".join(f"\n  {line}" for line in found[:8])
            more = f"\n  and {len(found) - 8} more" if len(found) > 8 else ""
            raise GrowlangError(
                f"{path} was begun with another plan (plan_hash {recorded.plan_hash[:12]}, now "
                f"{plan.plan_hash[:12]}). It had, and now is:{listed}{more}",
                help="undo the change to resume this run, or train into another output root "
                "with --out",
            )
        return Run(path, recorded)

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path)


def exists(path: Path) -> GrowlangError:
    """The refusal to train into a folder that is there already."""
    return GrowlangError(
        f"the run {path} exists already",
        help="add --resume to go on with it, or choose another output root with --out",
    )


def recorded_plan(path: Path) -> Plan:
    """The plan that the run at `path` was begun with."""
    try:
        return Plan.model_validate_json((path / PLAN).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise GrowlangError(
            f"{path} is no run that can be resumed: {PLAN} is missing or cannot be read",
            help="move the folder away, or choose another output root with --out",
        ) from error


def _lock(path: Path) -> int:
    """Lock the run; the system gives it back when the process ends, however it ends."""
    descriptor = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 32).decode().strip()
        os.close(descriptor)
        raise GrowlangError(
            f"process {holder} is training in {path}",
            help="wait for it or stop it, or choose another output root with --out",
        ) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def _compared(plan: Plan) -> dict[str, Any]:
    """What of a plan is shown when two of them differ."""
    data = plan.model_dump(mode="json")
    parent = data["parent"] or {}
    data["parent"] = {k: parent.get(k) for k in ("model", "net_hash", "spec_hash", "weights_hash")}
    for name in ("spec", "source", "net", "format_version"):
        del data[name]
    data["phases"] = {p.pop("name"): p for p in data["phases"]}
    kept = [entry for entry in plan.mapping if entry.category != "dropped"]
    data["mapping"] = {e.name: [e.category, e.source, e.rule] for e in kept}
    data["dropped"] = {e.name: e.rule for e in plan.mapping if e.category == "dropped"}
    for phase in data["phases"].values():
        phase["steps"] = None if phase["epochs"] else phase["steps"]
    return data


def _leaves_that_differ(old: Any, new: Any, path: str = "") -> Iterator[str]:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(k for k in new if k not in old)]:
            place = f"{path}.{key}" if path else str(key)
            yield from _leaves_that_differ(old.get(key), new.get(key), place)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from _leaves_that_differ(a, b, f"{path}[{index}]")
    else:
        yield f"{path}: {_shown(old)} -> {_shown(new)}"


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:12]}..."
