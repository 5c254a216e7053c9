"""Makes the edits that findings carry: `growlang check --fix`."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

from growlang.check import check
from growlang.diagnostics import Diagnostic, Edit, Findings, GrowlangError
from growlang.resolve.files import in_yaml, parsed

ROUNDS = 10
"""How often a file is checked again, as one mend can bring the next mistake to light."""


def fix(paths: Sequence[Path]) -> list[Edit]:
    """Make the safe edits in the files given, and in no others; those made, in order.

    A file is replaced in one step, and only by a text that parses. Raises GrowlangError if a file
    cannot be read or written.
    """
    made: list[Edit] = []
    for path in paths:
        for _ in range(ROUNDS):
            edits = _edits(path, check(path).diagnostics)
            if not edits or not _rewrite(path, edits):
                break
            made += edits
    return made


def _edits(path: Path, found: Iterable[Diagnostic]) -> list[Edit]:
    """The edits of one file, less those that overlap an earlier one."""
    chosen: list[Edit] = []
    for edit in sorted({e for item in found for e in item.edits}):
        before = chosen[-1].span if chosen else None
        clear = before is None or (before.end_row, before.end_column) <= edit.span[1:3]
        if edit.span.filename == str(path) and clear:
            chosen.append(edit)
    return chosen


def _rewrite(path: Path, edits: Sequence[Edit]) -> bool:
    """Replace the file by its edited text; False if that does not parse: the file stays."""
    target = path.resolve()
    try:
        written = target.read_bytes().decode("utf-8")
        mark = "\ufeff" * written.startswith("\ufeff")
        text = edited(written.removeprefix(mark), edits)
        lines = "\n".join(LINE_END.split(text))
        found = parsed(lines, str(path), in_yaml(path), Findings())
        if found is None or found.cut:
            return False
        with NamedTemporaryFile("wb", dir=target.parent, prefix=".fix-", delete=False) as file:
            file.write((mark + text).encode("utf-8"))
        try:
            shutil.copymode(target, file.name)
            os.replace(file.name, target)
        finally:
            Path(file.name).unlink(missing_ok=True)
    except OSError as error:
        raise GrowlangError(f"cannot mend {path}: {error.strerror or error}") from None
    return True


LINE_END = re.compile(r"\r\n|\r|\n")


def edited(text: str, edits: Iterable[Edit]) -> str:
    """The text with the edits made; its line ends stay as they are."""
    starts = [0, *(match.end() for match in LINE_END.finditer(text))]
    by_place: dict[tuple[int, int], str] = {}
    for span, new, _ in edits:
        start = starts[span.row - 1] + span.column - 1
        by_place[start, starts[span.end_row - 1] + span.end_column - 1] = new
    for (start, end), new in sorted(by_place.items(), reverse=True):
        text = text[:start] + new + text[end:]
    return text
