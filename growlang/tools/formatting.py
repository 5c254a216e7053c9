"""Formats files: what would change, as a difference, and the writing of it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from growlang.atomic import replace
from growlang.diagnostics import Diagnostic, GrowlangError, Outcome
from growlang.resolve.files import Files, decoded, in_yaml, parsed
from growlang.syntax import document as d
from growlang.syntax.fmt import fmt

_YAML = re.compile(r"""(\s|\#[^\n]*\n)*(---|%|\{|["']?[a-z_]+["']?\s*:)""", re.VERBOSE)
"""How a text in YAML begins, behind comments: with a key and its colon, or a sign of YAML."""


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
    """The canonical layout of a file, or of `content` under its name, in its own syntax.

    A name that does not tell the syntax, such as that of standard input, leaves it to the text.
    Raises GrowlangError if the file cannot be read.
    """
    if content is None:
        return converted(path, in_yaml(path))
    text = _decoded(path, content)
    yaml = in_yaml(path) or (path.suffix != ".grow" and bool(_YAML.match(text)))
    reading = parsed(text, str(path), yaml)
    laid_out = _written(reading, yaml, yaml)
    laid_out = laid_out and _with_line_ends(laid_out, content)
    return Formatted(path, content, laid_out, _by_place(reading), {str(path): text})


def converted(path: Path, yaml: bool, schema: str = "") -> Formatted:
    """A file in YAML or in Grow, in the canonical layout, with its comments.

    A file that was in Grow names its JSON Schema by `schema`, if that is not empty. Raises
    GrowlangError if the file cannot be read, or that syntax cannot say the same.
    """
    files = Files()
    reading = files.load(path)
    text = _written(reading, in_yaml(path), yaml, schema)
    before = path.read_bytes()
    if text is not None and in_yaml(path) == yaml:
        text = _with_line_ends(text, before)
    return Formatted(path, before, text, _by_place(reading), files.texts)


def _by_place(reading: Outcome[d.Document]) -> tuple[Diagnostic, ...]:
    return tuple(sorted(reading.findings, key=lambda item: item.span))


def schema_near(folder: Path) -> str:
    """Where the JSON Schema lies, relative to a folder: in it or above, in its repository.

    Empty where there is none.
    """
    from growlang.yaml.convert import SCHEMA

    folder = folder.resolve()
    for place in (folder, *folder.parents):
        for path in (place / SCHEMA, place / "schema" / SCHEMA, place / "docs" / "schema" / SCHEMA):
            if path.is_file():
                return Path(os.path.relpath(path, folder)).as_posix()
        if (place / ".git").exists():
            break
    return ""


def schema_at(given: str, folder: Path) -> str:
    """A URL as it is, or a path relative to a folder. Raises GrowlangError if no file is there."""
    if "://" in given:
        return given
    if not Path(given).is_file():
        help = f"write it: `growlang schema > {given}`, or give a URL"
        raise GrowlangError(f"no JSON Schema at {given}", help=help)
    return Path(os.path.relpath(Path(given).resolve(), folder.resolve())).as_posix()


def _written(reading: Outcome[d.Document], read: bool, write: bool, schema: str = "") -> str | None:
    """What was read in the canonical layout; whether it was in YAML and is written in it.

    None where something is wrong with it.
    """
    document = reading.result
    if document is None or not reading.is_sound:
        return None
    if not read and not write:
        return fmt(document)
    from growlang.yaml import convert, layout

    if read and write:
        return layout.fmt(document.text, document.filename)
    return convert.to_yaml(document, schema) if write else convert.to_grow(document)


def _with_line_ends(text: str, before: bytes) -> str:
    """The text with the line ends that most lines had before."""
    crlf = before.count(b"\r\n")
    return text.replace("\n", "\r\n") if 2 * crlf > before.count(b"\n") else text


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
    """Replace the file by its canonical text. Raises GrowlangError if that fails."""
    assert result.text is not None
    replace(result.path, result.text)
