"""Reads a spec and the files that it refers to, each once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from growlang.diagnostics import Findings, GrowlangError, Note, Span
from growlang.resolve.names import Scope
from growlang.syntax import document as d
from growlang.syntax.grow import read

SIZE_LIMIT = 10_000_000
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
    open: list[Path] = field(default_factory=list)
    """Files being resolved, from the child to its ancestors."""

    def load(self, path: Path, asked: Span | None = None) -> d.Document | None:
        """The document of a file; None, with a finding, where it cannot be read or parsed.

        `asked` is the place that refers to the file. Raises GrowlangError if there is none and
        the file cannot be opened.
        """
        key = path.resolve()
        if key in self.documents:
            return self.documents[key]
        try:
            if key.stat().st_size > SIZE_LIMIT:
                raise OSError(f"is larger than {SIZE_LIMIT:,} bytes")
            text = key.read_text(encoding="utf-8")
            if "\0" in text:
                raise ValueError
        except (OSError, ValueError) as error:
            reason = _reason(error)
            if asked is None:
                raise GrowlangError(f"{path}: {reason}") from None
            self.findings.add("G103", f"cannot read `{path}`: {reason}", asked, help=_like(path))
            return None
        self.texts[str(path)] = text
        self.documents[key] = _read(text, path, self.findings)
        return self.documents[key]

    def circle(self, path: Path, asked: Span) -> bool:
        """Whether `path` is being resolved already; if so, with a finding."""
        key = path.resolve()
        if key not in self.open:
            return False
        names = [p.name for p in self.open[self.open.index(key) :]] + [key.name]
        self.findings.add(
            "G104",
            f"a spec grows out of itself: {' -> '.join(names)}",
            asked,
            help="name another parent",
        )
        return True


def _read(text: str, path: Path, findings: Findings) -> d.Document | None:
    """The document of a text in the syntax that the file's name tells."""
    if path.suffix not in YAML:
        return read(text, str(path), findings)
    from growlang.twin.read import read as read_yaml

    return read_yaml(text, str(path), findings)


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 text (byte {error.start})"
    if isinstance(error, ValueError):
        return "it is not text (it has a NUL byte)"
    return error.strerror or str(error)


def _like(path: Path) -> str:
    """The spec files beside a missing one, as a suggestion."""
    near = sorted(p.name for p in path.parent.glob("*.grow*")) if path.parent.is_dir() else []
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
            known = ", ".join(scope.params) or "none"
            findings.add(
                "G203",
                f"`{document.filename}` has no param `{name}`",
                argument.span,
                help=f"its params: {known}",
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
