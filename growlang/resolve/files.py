"""Reads a spec and the files that it refers to, each once."""

from __future__ import annotations

from dataclasses import dataclass, field
from os.path import realpath
from pathlib import Path
from stat import S_ISREG

from growlang.diagnostics import Diagnostic, GrowlangError, Outcome, Span
from growlang.diagnostics.spelling import nearest
from growlang.syntax import document as d
from growlang.syntax.grow import read_partly

SIZE_LIMIT = 2_000_000
"""Largest spec file, in bytes."""
YAML = (".yaml", ".yml")
"""Endings of the names of files in the YAML syntax; all others are in Grow."""


@dataclass
class Files:
    """The documents of one run by path, each read once."""

    documents: dict[Path, d.Document | None] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    """The text of each file that was read, by the name that spans give it."""

    def load(self, path: Path, asked: Span | None = None) -> Outcome[d.Document]:
        """The document of a file, with its findings where it is read for the first time.

        `asked` is the place that refers to the file. Where there is none, a file that does not
        parse gives what does, and GrowlangError is raised if it cannot be opened.
        """
        key = real(path)
        if key in self.documents:
            return Outcome(self.documents[key])
        try:
            text = decoded(self.content(key))
        except (OSError, ValueError) as error:
            reason = _reason(error)
            if asked is None:
                raise GrowlangError(f"{path}: {reason}") from None
            message, help = f"cannot read `{path}`: {reason}", _like(path, asked)
            return Outcome(None, (Diagnostic("G103", message, asked, help),))
        name = self.name(path)
        self.texts[name] = text
        reading = self.read(text, name, path)
        found = reading.result
        self.documents[key] = None if found and found.cut and asked else found
        return reading._replace(result=self.documents[key])

    def content(self, path: Path) -> bytes:
        """The bytes of a file. Raises OSError where it cannot be read or is too large."""
        return read_bytes(path)

    def read(self, text: str, name: str, path: Path) -> Outcome[d.Document]:
        """The document of a text in the syntax that the file's name tells."""
        return parsed(text, name, in_yaml(path))

    def name(self, path: Path) -> str:
        """What spans call a file."""
        return str(path)


def real(path: Path) -> Path:
    """The path without links; where they lead in a circle, or it is none, opening it says so."""
    try:
        return Path(realpath(path))
    except ValueError:  # a NUL, which no path has
        return path


def read_bytes(path: Path) -> bytes:
    """The bytes of a spec file. Raises OSError if it is no regular file or is too large."""
    status = path.stat()
    if not S_ISREG(status.st_mode):
        raise OSError("it is a folder" if path.is_dir() else "it is not a regular file")
    if status.st_size > SIZE_LIMIT:
        raise OSError(f"it is larger than {SIZE_LIMIT:,} bytes")
    return path.read_bytes()


def decoded(content: bytes) -> str:
    """The text of a spec, without a byte order mark, its lines ended by line feeds.

    Raises ValueError if it is not UTF-8 text.
    """
    text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise ValueError
    return text


def in_yaml(path: Path) -> bool:
    """Whether a file is in the YAML syntax, as its name tells."""
    return path.suffix in YAML


def parsed(text: str, name: str, yaml: bool) -> Outcome[d.Document]:
    """The document of a text in one of the syntaxes; with findings, what there is of it."""
    if not yaml:
        return read_partly(text, name)
    from growlang.yaml.read import read as read_yaml

    return read_yaml(text, name)


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 text (byte {error.start})"
    if isinstance(error, ValueError):
        return "it is not text (it has a NUL byte)"
    return error.strerror or str(error)


def _like(path: Path, asked: Span) -> str:
    """The spec files beside a missing one, but for the one that asks, as a suggestion."""
    own = real(Path(asked.filename))
    try:
        near = sorted(p.name for p in path.parent.glob("*.grow*") if real(p) != own)
    except OSError:
        near = []
    if not near:
        return f"the path is relative to this file; `{path.parent}` has no specs"
    close = nearest(path.name, near, n=3, cutoff=0.4) or near[:3]
    return f"the path is relative to this file; found: {', '.join(close)}"
