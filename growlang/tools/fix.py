"""Makes the edits that findings carry: `growlang check --fix`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import unified_diff
from pathlib import Path
from typing import NamedTuple

from growlang.atomic import replace
from growlang.checking import check
from growlang.diagnostics import Diagnostic, Edit, GrowlangError
from growlang.resolve.files import Files, decoded, in_yaml, parsed, read_bytes, real

ROUNDS = 10
"""How often a file is checked again, as one mend can bring the next mistake to light."""
LINE_END = re.compile(r"\r\n|\r|\n")
MARK = "\ufeff"


class Fixed(NamedTuple):
    """A file, its text before and after the edits, those made, and the unsafe ones left."""

    path: Path
    before: str
    after: str
    made: tuple[Edit, ...]
    unsafe: tuple[Edit, ...]

    def diff(self) -> str:
        """The change as a unified difference; empty where there is none."""
        before, after = (text.splitlines(keepends=True) for text in (self.before, self.after))
        lines = unified_diff(before, after, str(self.path), f"{self.path} (fixed)")
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


class _Edited(Files):
    """The files as they would be where they are edited, else as they are on the disk."""

    def __init__(self, texts: Mapping[Path, str]) -> None:
        super().__init__()
        self.edited = texts

    def content(self, path: Path) -> bytes:
        found = self.edited.get(path)
        return super().content(path) if found is None else found.encode()


def fix(paths: Sequence[Path], *, unsafe: bool = False) -> list[Fixed]:
    """What the edits in the files given make of each; nothing is written.

    Only safe edits are made unless `unsafe`, none in other files than these, and only such as
    leave a text that parses. Raises GrowlangError if a file cannot be read.
    """
    texts: dict[Path, str] = {}
    return [_fixed(path, texts, unsafe) for path in paths]


def write(fixed: Fixed) -> None:
    """Replace a file by its edited text. Raises GrowlangError if that fails."""
    replace(fixed.path, fixed.after)


def _fixed(path: Path, texts: dict[Path, str], unsafe: bool) -> Fixed:
    """One file; `texts` are those of the files that were edited before it, and get its own."""
    before = after = texts.get(real(path)) or _read(path)
    made: list[Edit] = []
    left: list[Edit] = []
    for _ in range(ROUNDS):
        texts[real(path)] = after
        edits = _edits(path, check(path, files=_Edited(texts)).diagnostics)
        left = [edit for edit in edits if not edit.safe]
        chosen = [edit for edit in edits if edit.safe or unsafe]
        text = MARK * after.startswith(MARK) + edited(after.removeprefix(MARK), chosen)
        if not chosen or not _parses(path, text):
            break
        after = text
        made += chosen
    return Fixed(path, before, after, tuple(made), () if unsafe else tuple(left))


def _read(path: Path) -> str:
    """The text as it stands in the file: with its line ends and a byte order mark."""
    try:
        content = read_bytes(path)
        decoded(content)
        return content.decode("utf-8")
    except OSError as error:
        raise GrowlangError(f"{path}: {error.strerror or error}") from None
    except ValueError:
        raise GrowlangError(f"{path}: it is not UTF-8 text") from None


def _edits(path: Path, found: Iterable[Diagnostic]) -> list[Edit]:
    """The edits of one file, less those that overlap an earlier one."""
    chosen: list[Edit] = []
    for edit in sorted({e for item in found for e in item.edits}):
        before = chosen[-1].span if chosen else None
        clear = before is None or (before.end_row, before.end_column) <= edit.span[1:3]
        if edit.span.filename == str(path) and clear:
            chosen.append(edit)
    return chosen


def _parses(path: Path, text: str) -> bool:
    found = parsed(decoded(text.encode()), str(path), in_yaml(path)).result
    return found is not None and not found.cut


def edited(text: str, edits: Iterable[Edit]) -> str:
    """The text with the edits made; its line ends stay as they are."""
    starts = [0, *(match.end() for match in LINE_END.finditer(text))]
    by_place: dict[tuple[int, int], str] = {}
    for edit in edits:
        span = edit.span
        start = starts[span.row - 1] + span.column - 1
        by_place[start, starts[span.end_row - 1] + span.end_column - 1] = edit.text
    for (start, end), new in sorted(by_place.items(), reverse=True):
        text = text[:start] + new + text[end:]
    return text
