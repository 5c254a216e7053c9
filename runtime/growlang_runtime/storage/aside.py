"""Makes room for a new run: the old one is moved aside, and never deleted."""

from __future__ import annotations

import os
import re
from itertools import count
from pathlib import Path

from growlang_runtime.storage.run import locked

ASIDE = re.compile(r"(.+)\.old-[0-9]+")
"""The name of a run that was moved aside."""


def is_aside(run: Path) -> bool:
    """Whether a run's folder has the name of one that was moved aside."""
    return ASIDE.fullmatch(run.name) is not None


def aside_of(run: Path) -> Path:
    """The first name beside a run that is free: `main.old-1`, `main.old-2`, ..."""
    names = (run.with_name(f"{run.name}.old-{number}") for number in count(1))
    return next(path for path in names if not (path.is_symlink() or path.exists()))


def move_aside(run: Path) -> Path:
    """Move a run's folder aside; returns where it is then.

    Raises GrowlangError if another process is training in it.
    """
    with locked(run):
        aside = aside_of(run)
        os.rename(run, aside)
    return aside
