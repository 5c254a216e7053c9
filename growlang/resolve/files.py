"""Reads a spec and the files that it refers to, each once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from os.path import realpath
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

from growlang.diagnostics import Findings, GrowlangError, Note, Span
from growlang.resolve.names import Scope, suggestion
from growlang.syntax import document as d
from growlang.syntax.grow import read

if TYPE_CHECKING:
    from growlang.resolve.spec import Resolved

SIZE_LIMIT = 2_000_000
"""Largest spec file, in bytes."""
YAML = (".yaml", ".yml")
"""Endings of the names of files in the YAML syntax; all others are in Grow."""


@dataclass
class Files:
    """The documents of one run by path, and the findings about all of them."""

    findings: Findings = field(default_factory=Findings)
    documents: dict[Path, d.Document | None] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    """The text of each file that was read, by the name that spans give it."""
    libraries: dict[Path, Resolved | None] = field(default_factory=dict)
    """The imported files, resolved."""
    open: list[Path] = field(default_factory=list)
    """Files being resolved, from the child to its ancestors."""

    def load(self, path: Path, asked: Span | None = None) -> d.Document | None:
        """The document of a file; None, with a finding, where it cannot be read or parsed.

        `asked` is the place that refers to the file. Raises GrowlangError if there is none and
        the file cannot be opened.
        """
        key = real(path)
        if key in self.documents:
            return self.documents[key]
        try:
            text = decoded(self.content(key))
        except (OSError, ValueError) as error:
            self._unreadable(path, _reason(error), asked)
            return None
        name = self.name(path)
        self.texts[name] = text
        self.documents[key] = parsed(text, name, in_yaml(path), self.findings)
        return self.documents[key]

    def content(self, path: Path) -> bytes:
        """The bytes of a file. Raises OSError where it cannot be read or is too large."""
        return read_bytes(path)

    def name(self, path: Path) -> str:
        """What spans call a file."""
        return str(path)

    def _unreadable(self, path: Path, reason: str, asked: Span | None) -> None:
        if asked is None:
            raise GrowlangError(f"{path}: {reason}") from None
        self.findings.add("G103", f"cannot read `{path}`: {reason}", asked, help=_like(path))

    def circle(self, path: Path, asked: Span, imported: bool = False) -> bool:
        """Whether `path` is being resolved already; if so, with a finding."""
        key = real(path)
        if key not in self.open:
            return False
        names = [p.name for p in self.open[self.open.index(key) :]] + [key.name]
        circle = " -> ".join(names)
        message, help = f"a spec grows out of itself: {circle}", "name another parent"
        if imported:
            message = f"a file imports itself: {circle}"
            help = "move what both need into a file that imports neither"
        self.findings.add("G104", message, asked, help=help)
        return True


def real(path: Path) -> Path:
    """The path without links; where they lead in a circle, opening it says so."""
    return Path(realpath(path))


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


def parsed(text: str, name: str, yaml: bool, findings: Findings) -> d.Document | None:
    """The document of a text in one of the syntaxes; None, with findings, where there is none."""
    if not yaml:
        return read(text, name, findings)
    from growlang.twin.read import read as read_yaml

    return read_yaml(text, name, findings)


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 text (byte {error.start})"
    if isinstance(error, ValueError):
        return "it is not text (it has a NUL byte)"
    return error.strerror or str(error)


def _like(path: Path) -> str:
    """The spec files beside a missing one, as a suggestion."""
    try:
        near = sorted(p.name for p in path.parent.glob("*.grow*"))
    except OSError:
        near = []
    if not near:
        return f"there are no specs in `{path.parent}`; the path is relative to this file"
    close = get_close_matches(path.name, near, n=3, cutoff=0.4) or near[:3]
    verb = "are" if close[1:] else "is"
    return f"the path is relative to this file; there {verb} {', '.join(close)}"


def bind_names(
    document: d.Document, scope: Scope, findings: Findings, given: Mapping[str, d.Argument]
) -> None:
    """Refuse double params, blocks, data and recipes, and values for params that are not there."""
    for kind, found in (
        ("import", [(i.name, i.span) for i in document.imports]),
        ("param", [(b.name, b.name_span) for b in document.params]),
        ("data", [(b.name, b.name_span) for b in document.data]),
        ("block", [(b.name, b.name_span) for b in document.blocks]),
        ("recipe", [(r.name, r.name_span) for r in document.recipes]),
        ("section", [(s.kind, s.span) for s in document.sections]),
        ("model", [("model", m.name_span) for m in document.models]),
    ):
        refuse_double(kind, found, findings)
    for name, argument in given.items():
        if name not in scope.params:
            params = f"its params: {', '.join(scope.params) or 'none'}"
            findings.add(
                "G203",
                f"`{document.filename}` has no param `{name}`",
                argument.span,
                help=suggestion(name, scope.params) or params,
            )


def refuse_double(kind: str, found: list[tuple[str, Span]], findings: Findings) -> None:
    """A finding for each name that stands a second time."""
    first: dict[str, Span] = {}
    for name, span in found:
        if name in first:
            message = (
                "a file holds one model" if kind == "model" else f"{kind} `{name}` is there twice"
            )
            findings.add(
                "G102",
                message,
                span,
                help="remove or rename one",
                notes=[Note("the first is here", first[name])],
            )
        first.setdefault(name, span)
