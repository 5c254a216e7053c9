"""Formats files: what would change, as a difference, and the writing of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from growlang.diagnostics import Diagnostic, Findings, GrowlangError
from growlang.resolve.files import Files, decoded
from growlang.syntax.fmt import fmt
from growlang.syntax.grow import read


@dataclass(frozen=True)
class Formatted:
    """A file and its canonical text; `text` is None, with findings, where it does not parse."""

    path: Path
    before: bytes
    text: str | None
    diagnostics: tuple[Diagnostic, ...]
    texts: Mapping[str, str]

    @property
    def changed(self) -> bool:
        """Whether the file is laid out otherwise."""
        return self.text is not None and self.text.encode() != self.before


def formatted(path: Path, content: bytes | None = None) -> Formatted:
    """The canonical layout of a file, or of `content` under its name.

    Raises GrowlangError if the file cannot be read.
    """
    if content is None:
        files = Files()
        document = files.load(path)
        findings, texts, content = files.findings, files.texts, path.read_bytes()
    else:
        findings, text = Findings(), _decoded(path, content)
        texts = {str(path): text}
        document = read(text, str(path), findings)
    found = tuple(sorted(findings.items, key=lambda item: item.span))
    return Formatted(path, content, fmt(document) if document and not found else None, found, texts)


def _decoded(path: Path, content: bytes) -> str:
    try:
        return decoded(content)
    except ValueError:
        raise GrowlangError(f"{path}: it is not UTF-8 text") from None


def diff(result: Formatted) -> str:
    """The change as a unified difference; empty where there is none."""
    if result.text is None:
        return ""
    before = result.before.decode("utf-8", errors="replace").splitlines(keepends=True)
    after = result.text.splitlines(keepends=True)
    return "".join(unified_diff(before, after, str(result.path), f"{result.path} (formatted)"))


def write(result: Formatted) -> None:
    """Replace the file by its canonical text, whole or not at all; its permissions stay."""
    assert result.text is not None
    target = result.path.resolve()
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(result.text.encode())
        os.chmod(name, target.stat().st_mode & 0o7777)
        os.replace(name, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise
