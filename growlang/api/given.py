"""What the Python API is given: paths, specs and values of params."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from growlang import checking
from growlang.checking import Checked, SpecWarning
from growlang.diagnostics.literals import literal
from growlang.diagnostics.text import as_texts

StrPath = str | os.PathLike[str]
Params = Mapping[str, object]
API = __name__.rpartition(".")[0]
"""The package of the API."""
EVALUATED = ("G460", "G461")
"""Warnings about `evaluate`, which matter to training and evaluation alone."""


def path_of(path: object) -> Path:
    """A path. Raises TypeError for what is none."""
    if isinstance(path, str | os.PathLike):
        return Path(path)
    raise TypeError(f"expected a path or what growlang.load gave, but got {type(path).__name__}")


def checked_spec(spec: StrPath | Checked) -> Checked:
    """A checked spec, of its path or as it is."""
    return spec if isinstance(spec, Checked) else read_spec(spec, None, quiet=EVALUATED)


def read_spec(path: StrPath, params: Params | None, quiet: Sequence[str] = ()) -> Checked:
    """The checked spec of a file; warnings, but those in `quiet`, are given as `SpecWarning`.

    Raises SpecError for a spec with errors.
    """
    report = checking.check(path_of(path), texts_of(params))
    checked = report.require(path_of(path))
    told = [found for found in report.diagnostics if found.code not in quiet]
    if told:
        warnings.warn(as_texts(told, report.texts), SpecWarning, stacklevel=_level())
    return checked


def _level() -> int:
    """How far above `read_spec` the caller of the API is: a warning stands at its line."""
    level, frame = 0, sys._getframe(1)
    while frame.f_globals["__name__"].startswith(f"{API}.") and frame.f_back is not None:
        level, frame = level + 1, frame.f_back
    return level + 1


def texts_of(params: Params | None) -> dict[str, str]:
    """Values of params as the language writes them. Raises TypeError for what is no mapping."""
    given = {} if params is None else params
    if not isinstance(given, Mapping):
        raise TypeError(f"expected params by name, got {type(given).__name__}; give a dict")
    return {n: value if isinstance(value, str) else literal(value) for n, value in given.items()}
