"""The files of a folder of images, grouped into samples by their names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from growlang.diagnostics import GrowlangError
from growlang_runtime.data.layout import Layout
from growlang_runtime.data.plain_tars import Member
from growlang_runtime.data.samples import Sample


def files(folder: Path) -> list[tuple[str, int]]:
    """The files of a folder and of those in it: names relative to it, in order, and their sizes.

    Links are followed, hidden files left out. Raises GrowlangError if there is no such folder.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise GrowlangError(f"the folder of images {folder} {what}")
    try:
        return sorted(_below(folder, "", (os.path.realpath(folder),)))
    except OSError as error:
        raise GrowlangError(f"cannot read {error.filename or folder}: {error.strerror}") from error


def _below(folder: Path, prefix: str, above: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    with os.scandir(folder / prefix) as entries:
        for entry in entries:
            if entry.name.startswith((".", "__MACOSX")):
                continue
            name = prefix + entry.name
            if entry.is_dir():
                real = os.path.realpath(entry.path)
                if real not in above:  # a link that leads back to a folder around it
                    yield from _below(folder, f"{name}/", (*above, real))
            elif entry.is_file():
                yield name, entry.stat().st_size


def grouped(found: Iterable[tuple[str, int]], layout: Layout) -> list[Sample]:
    """Samples in the order of their keys, of the files whose endings the layout declares.

    The key is the name without the ending.
    """
    declared = {e for member, _ in layout.declared for e in layout.endings(member)}
    samples: dict[str, Sample] = {}
    for name, size in found:
        stem, ending = split(name, declared)
        if ending in declared:
            sample = samples.setdefault(stem, Sample(stem, {}))
            # `1.png` and `1.PNG` are two files of one ending: the second has its own spelling.
            known = ending if ending not in sample.members else name[len(stem) + 1 :]
            sample.members[known] = Member(name, 0, size)
    return [samples[key] for key in sorted(samples)]


def split(name: str, declared: Iterable[str] = ()) -> tuple[str, str]:
    """A file's name without its ending, and the ending in lower case.

    The ending is the longest of the declared that it has, else what is behind the last dot.
    """
    lower = name.lower()
    fitting = max((e for e in declared if lower.endswith(f".{e}")), key=len, default="")
    if fitting:
        return name[: -len(fitting) - 1], fitting
    stem, ending = os.path.splitext(name)
    return stem, ending.lstrip(".").lower()
