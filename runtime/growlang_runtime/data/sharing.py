"""Indexes of many shards: each is made once, by whichever process is at it first, and kept.

Processes share the work through the folder in which the indexes are kept, whether they are ranks of
one run on several machines or the helpers that `Crew` starts on this one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from growlang.diagnostics import GrowlangError
from growlang_runtime.data.cache import claimed, load, save, shard_name
from growlang_runtime.data.indexing import Rows, Shard, index_shard
from growlang_runtime.data.layout import Layout
from growlang_runtime.data.progress import Progress

ALONE = 1.0
"""Seconds after which helpers are started: they take about as long until they are of use."""
POLL = 0.05
"""Seconds between looks at what another process is indexing."""
PATIENCE = 60.0
"""Seconds after which a shard is not waited for: its process may hang."""


class Indexed(NamedTuple):
    """The index of a shard: what is known of it, and its rows or the file that has them."""

    shard: Shard
    place: Rows | Path

    def rows(self) -> Rows:
        """The rows. Raises GrowlangError if their file is gone."""
        if not isinstance(self.place, Path):
            return self.place
        if found := load(self.place):
            return found[0]
        raise GrowlangError(f"{self.place} was removed while it was read", help="start again")


def indexed(shards: Sequence[Path], kept: Kept) -> list[Indexed]:
    """The indexes of shards, in their order, from the cache folder as far as it has them.

    Those that are new or have changed are made, in turns with all other processes that want them.
    Raises GrowlangError for a shard that cannot be indexed.
    """
    found = {path: index for path in dict.fromkeys(shards) if (index := kept.known(path))}
    left = [path for path in dict.fromkeys(shards) if path not in found]
    if left:
        with Crew(left, kept) as crew, Progress(len(left)) as progress:
            for done, (path, index) in enumerate(kept.each(left), 1):
                found[path] = index
                progress.count(index.shard.count)
                crew.call(0 if kept.refused else len(left) - done)
    return [found[path] for path in shards]


class Kept:
    """The indexes of shards in a cache folder, of what a layout reads of them."""

    def __init__(self, layout: Layout, cache: Path) -> None:
        self.layout, self.cache = layout, cache
        self.refused = ""
        """Why an index could not be written; empty where all were."""

    def each(self, shards: Sequence[Path]) -> Iterator[tuple[Path, Indexed]]:
        """The index of each shard: what other processes are at is waited for at the end."""
        taken: list[Path] = []
        for path in shards:
            if index := self.made(path):
                yield path, index
            else:
                taken.append(path)
        for path in taken:
            until = time.monotonic() + PATIENCE
            while (index := self.made(path)) is None and time.monotonic() < until:
                time.sleep(POLL)
            yield path, index or self._new(path)

    def made(self, path: Path) -> Indexed | None:
        """The index of a shard, made unless it is there; None where another process is at it."""
        name = self.name(path)
        if name is None:
            return self._new(path)
        with claimed(self.cache / name) as mine:
            if (index := self.known(path)) or not mine:
                return index
            index = self._new(path)
            if self.name(path) != name:  # it changed while it was read
                return index
            rows, shard = index.rows(), index.shard
            try:
                save(self.cache / name, [rows], len(rows), asdict(shard))
            except OSError as error:
                self.refused = str(error)
                return index
            return Indexed(shard, self.cache / name)

    def known(self, path: Path) -> Indexed | None:
        """The index of a shard, if it is there."""
        name = self.name(path)
        if name is None or (found := load(self.cache / name)) is None:
            return None
        said = found[1]
        by_row = {what: {int(r): v for r, v in said[what].items()} for what in ("faults", "parts")}
        return Indexed(Shard(**(said | by_row)), self.cache / name)

    def name(self, path: Path) -> str | None:
        """The name of the file that has a shard's index; None for one that is not to be kept."""
        try:
            return shard_name(path, self.layout)
        except OSError as error:
            raise GrowlangError(f"cannot read {path}: {error.strerror}") from error

    def _new(self, path: Path) -> Indexed:
        rows, shard = index_shard(path, self.layout)
        return Indexed(shard, rows)


# --- helpers -------------------------------------------------------------------------------------


class Crew:
    """Processes on this machine that index shards too, once it takes long; gone at the end.

    They share nothing with this one but the cache folder, and each loads what indexing needs only.
    """

    def __init__(self, shards: Sequence[Path], kept: Kept) -> None:
        self._task = {
            "shards": [os.path.abspath(path) for path in shards],
            "declared": kept.layout.declared,
            "semantics": kept.layout.semantics,
            "cache": os.path.abspath(kept.cache),
            "parent": os.getpid(),
        }
        self._since = time.monotonic()
        self._started: list[subprocess.Popen[bytes]] | None = None

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *exception: object) -> None:
        for helper in self._started or []:
            helper.kill()
            helper.wait()

    def call(self, left: int) -> None:
        """Start helpers if indexing has taken a while, and shards are left for them."""
        if self._started is not None or left < 2 or time.monotonic() - self._since < ALONE:
            return
        self._started = []
        here = int(os.environ.get("LOCAL_WORLD_SIZE") or 1)
        for _ in range(min(_cores() // here, left) - 1):
            self._started.append(self._start())

    def _start(self) -> subprocess.Popen[bytes]:
        helper = subprocess.Popen(
            [sys.executable, "-m", "growlang_runtime.data.sharing"],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert helper.stdin is not None
        try:
            helper.stdin.write(json.dumps(self._task).encode())
            helper.stdin.close()
        except BrokenPipeError:  # it could not start: this process goes on alone
            pass
        return helper


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def help_index(task: dict[str, Any]) -> None:
    """Index shards until none is left, or the process that asked is gone."""
    declared = tuple((m, tuple((e, f) for e, f in pairs)) for m, pairs in task["declared"])
    kept = Kept(Layout(declared, task["semantics"]), Path(task["cache"]))
    for path in task["shards"]:
        if os.getppid() != task["parent"]:
            return
        kept.made(Path(path))


if __name__ == "__main__":
    help_index(json.load(sys.stdin))
