"""The samples that a run leaves out because they cannot be used: each is named once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from growlang.diagnostics import GrowlangError

LISTED = 8
"""Samples that an error names."""
PATIENCE = 100
"""Samples beyond those that may be left out after which the search for an image is given up."""


class Corrupt(NamedTuple):
    """A sample that cannot be used."""

    shard: Path
    key: str
    reason: str

    def as_json(self) -> dict[str, str]:
        """What the metrics tell of it."""
        return {"shard": str(self.shard), "key": self.key, "reason": self.reason}

    def __str__(self) -> str:
        return f"`{self.key}` of {self.shard}: {self.reason}"


class Budget:
    """How many samples a run may leave out, and which ones it has left out so far."""

    def __init__(self, most: int, data_root: Path) -> None:
        self.most = most
        self._root = data_root
        self._told: dict[str, None] = {}
        self._new: dict[str, Corrupt] = {}

    def __len__(self) -> int:
        """Number of samples that were left out, those before a resumption included."""
        return len(self._told.keys() | self._new.keys())

    @property
    def names(self) -> list[str]:
        """The samples that were told, by names that hold wherever the data root is."""
        return [*self._told]

    def restore(self, names: Iterable[str]) -> None:
        """Take over what an earlier part of the run told."""
        self._told |= dict.fromkeys(names)

    def count(self, found: Iterable[Corrupt]) -> None:
        """Count samples. Raises GrowlangError if they are more than may be left out."""
        self._add(found)
        self.require([c for name, c in self._new.items() if name not in self._told])

    def tell(self, found: Iterable[Corrupt] = ()) -> list[Corrupt]:
        """Count samples without a limit; returns those that were not told, which now are."""
        self._add(found)
        new = [c for name, c in self._new.items() if name not in self._told]
        self._told |= dict.fromkeys(self._new)
        return new

    def require(self, named: Sequence[Corrupt]) -> None:
        """Raise GrowlangError, which names some, if more are left out than may be."""
        if len(self) > self.most:
            raise _refusal(named, len(self), self.most)

    def require_patience(self, found: Sequence[Corrupt]) -> None:
        """Raise GrowlangError if `found`, in one search for an image, are far too many."""
        if len(found) > self.most + PATIENCE:
            raise _refusal(found, len(found), self.most)

    def _add(self, found: Iterable[Corrupt]) -> None:
        for corrupt in found:
            self._new.setdefault(self._name(corrupt), corrupt)

    def _name(self, corrupt: Corrupt) -> str:
        return f"{os.path.relpath(corrupt.shard, self._root)}: {corrupt.key}"


def _refusal(named: Sequence[Corrupt], total: int, most: int) -> GrowlangError:
    help = "mend or remove what is named; --max-corrupt N leaves out up to N images"
    if total == 1 == len(named):
        return GrowlangError(f"{named[0]}; at most {most} images may be left out", help=help)
    lines = [str(corrupt) for corrupt in named[:LISTED]]
    if more := len(named) - len(lines):
        lines.append(f"and {more} more")
    if before := total - len(named):
        lines.append(f"{'besides ' if lines else ''}{before} that were named before")
    listed = "".join(f"\n  {line}" for line in lines)
    return GrowlangError(
        f"{total} images cannot be used, and at most {most} may be left out:{listed}", help=help
    )
