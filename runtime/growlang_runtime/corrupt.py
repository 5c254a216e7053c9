"""The samples that a run leaves out because they cannot be used: each is named once."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from growlang.diagnostics import GrowlangError

LISTED = 8
"""Samples that an error names."""


class Corrupt(NamedTuple):
    """A sample that cannot be used."""

    shard: Path
    key: str
    reason: str

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
        """Take over what an earlier part of the run told. Raises GrowlangError as `count` does."""
        self._told |= dict.fromkeys(names)
        self._require()

    def count(self, found: Iterable[Corrupt]) -> None:
        """Count samples. Raises GrowlangError if they are more than may be left out."""
        for corrupt in found:
            self._new.setdefault(self._name(corrupt), corrupt)
        self._require()

    def untold(self) -> list[Corrupt]:
        """Those that were counted and not yet told, which are told from now on."""
        found = [c for name, c in self._new.items() if name not in self._told]
        self._told |= dict.fromkeys(self._new)
        return found

    def _name(self, corrupt: Corrupt) -> str:
        return f"{os.path.relpath(corrupt.shard, self._root)}: {corrupt.key}"

    def _require(self) -> None:
        if len(self) <= self.most:
            return
        raise refusal(self.untold(), len(self), self.most)


def refusal(found: list[Corrupt], total: int, most: int) -> GrowlangError:
    """The error that names samples, of `total`, of which at most `most` may be left out."""
    listed = [str(corrupt) for corrupt in found[:LISTED]]
    if len(found) > LISTED:
        listed.append(f"and {len(found) - LISTED} more")
    help = "mend or remove what is named; --max-corrupt N leaves out up to N"
    if total == 1 == len(found):
        return GrowlangError(f"{listed[0]}; at most {most} images may be left out", help=help)
    lines = "".join(f"\n  {line}" for line in listed)
    before = "" if len(found) == total else f"; besides {total - len(found)} told before"
    return GrowlangError(
        f"{total} images cannot be used, and at most {most} may be left out{before}:{lines}",
        help=help,
    )
