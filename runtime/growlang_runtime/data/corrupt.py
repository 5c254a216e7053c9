"""The samples that a run skips because they cannot be used: each is reported once."""

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
    classes: int = 0
    """How many the model would need for its label, where that is too large for it."""

    def as_json(self) -> dict[str, str]:
        """What the metrics record of it."""
        return {"shard": str(self.shard), "key": self.key, "reason": self.reason}

    def __str__(self) -> str:
        return f"`{self.key}` in {self.shard}: {self.reason}"


class Budget:
    """How many samples a run may skip, and which ones it has skipped so far."""

    def __init__(self, most: int, data_root: Path) -> None:
        self.most = most
        self._root = data_root
        self._reported: dict[str, None] = {}
        self._new: dict[str, Corrupt] = {}

    def __len__(self) -> int:
        """Number of samples that were skipped, including those before the run was resumed."""
        return len(self._reported.keys() | self._new.keys())

    @property
    def names(self) -> list[str]:
        """The samples that were reported, by names that do not depend on the data root."""
        return [*self._reported]

    def restore(self, names: Iterable[str]) -> None:
        """Take over what an earlier part of the run reported."""
        self._reported |= dict.fromkeys(names)

    def count(self, found: Iterable[Corrupt]) -> None:
        """Count samples. Raises GrowlangError if they are more than may be skipped."""
        self._add(found)
        self.require([c for name, c in self._new.items() if name not in self._reported])

    def report(self, found: Iterable[Corrupt] = ()) -> list[Corrupt]:
        """Count samples without a limit; returns those that were not reported before."""
        self._add(found)
        new = [c for name, c in self._new.items() if name not in self._reported]
        self._reported |= dict.fromkeys(self._new)
        return new

    def require(self, named: Sequence[Corrupt]) -> None:
        """Raise GrowlangError, which names some, if more were skipped than allowed."""
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
    help = "fix or remove these files, or skip up to N images with --max-corrupt N"
    if classes := max((corrupt.classes for corrupt in named), default=0):
        help += f", or raise the number in `classes(...)` of the model to {classes} or more"
    if total == 1 == len(named):
        return GrowlangError(f"cannot use image {named[0]} (--max-corrupt is {most})", help=help)
    lines = [str(corrupt) for corrupt in named[:LISTED]]
    if more := len(named) - len(lines):
        lines.append(f"and {more} more")
    if before := total - len(named):
        lines.append(f"{'and ' if lines else ''}{before} that were reported before")
    listed = "".join(f"\n  {line}" for line in lines)
    return GrowlangError(
        f"{total} images cannot be used, but --max-corrupt is {most}:{listed}", help=help
    )
