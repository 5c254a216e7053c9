"""The files of a project, and where what one of them names is declared."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from growlang.lsp import tolerant
from growlang.lsp.analysis import Point, covers, kept_rows
from growlang.lsp.names import Declaration, Names, Use
from growlang.lsp.naming import names
from growlang.resolve.files import decoded, read_bytes, real
from growlang.syntax import document as d
from growlang.tools.fix import LINE_END

ENDINGS = (".grow", ".grow.yaml", ".grow.yml")
MOST_FILES = 2000
"""Most files of a project that are looked through."""


@dataclass(frozen=True)
class Source:
    """A file as it is now: its text, what there is of its document, and the names in it."""

    path: Path
    text: str
    reading: tolerant.Reading
    names: Names
    last: d.Document | None = None
    """What a text was, which does not parse now, when it did."""

    @property
    def trees(self) -> tuple[d.Document, ...]:
        """The document, and the statements that stand alone in a text that does not parse."""
        return self.reading.trees

    @cached_property
    def table(self) -> dict[tuple[str, str, str], Declaration]:
        """The first declaration of each name, by kind, name and owner."""
        found = reversed(self.names.declared)
        return {(item.kind, item.name, item.owner): item for item in found}

    def declared(self, kind: str, name: str, owner: str = "") -> Declaration | None:
        """The first declaration of a name."""
        return self.table.get((kind, name, owner))

    @cached_property
    def parent(self) -> Path | None:
        """The file that its model grows from."""
        file = self.reading.parent()
        if file is None and self.last:
            file = tolerant.Reading(self.last).parent()
        return real(self.path.parent / file) if file else None

    @cached_property
    def imports(self) -> dict[str, Path]:
        """The files that it imports, by the names that they get."""
        last = tolerant.Reading(self.last).imports() if self.last else {}
        found = last | self.reading.imports()
        return {name: real(self.path.parent / file) for name, file in found.items()}


@dataclass
class Project:
    """The files in some folders; `contents` are the texts of those that an editor has open."""

    folders: tuple[Path, ...] = ()
    contents: Mapping[Path, str] = field(default_factory=dict)
    documents: Mapping[Path, d.Document] = field(default_factory=dict)
    """Documents of texts without a syntax error, some of which may have changed since."""
    known: dict[Path, Source] = field(default_factory=dict)
    """What was read before, of files that could be read."""
    sources: dict[Path, Source | None] = field(default_factory=dict)
    """What this project has read."""

    def source(self, path: Path) -> Source | None:
        """A file as it is now; None where it cannot be read."""
        if path not in self.sources:
            self.sources[path] = self._read(path)
        return self.sources[path]

    def _read(self, path: Path) -> Source | None:
        text, last, document = self.text(path), self.known.get(path), self.documents.get(path)
        if text is None or (last and last.text == text):
            return last if text is not None else None
        same = document is not None and document.text == text
        reading = tolerant.Reading(document) if document and same else tolerant.read(text, path)
        if reading is None:
            return _left(last, text) if last else None
        whole = not reading.lost and not reading.islands
        self.known[path] = Source(path, text, reading, names(reading), None if whole else document)
        return self.known[path]

    def text(self, path: Path) -> str | None:
        """The text of a file, its lines ended by line feeds; None where it cannot be read."""
        if path in self.contents:
            return "\n".join(LINE_END.split(self.contents[path]))
        try:
            return decoded(read_bytes(path))
        except (OSError, ValueError):
            return None

    def line(self, path: Path) -> Iterator[Source]:
        """A file and its ancestors, the nearest first."""
        seen: set[Path] = set()
        at: Path | None = path
        while at and at not in seen and (found := self.source(at)):
            yield found
            seen.add(at)
            at = found.parent

    def paths(self) -> list[Path]:
        """The specs that are open, lie beside those, or in the folders, without hidden ones."""
        found = dict.fromkeys(self.contents)
        for folder in dict.fromkeys(path.parent for path in self.contents):
            found |= dict.fromkeys(map(real, sorted(folder.glob("*.grow*"))))
        for folder in self.folders:
            for top, folders, files in os.walk(folder):
                folders[:] = sorted(f for f in folders if f[0] != "." and f != "node_modules")
                specs = (Path(top, name) for name in sorted(files) if name.endswith(ENDINGS))
                found |= dict.fromkeys(map(real, specs))
                if len(found) >= MOST_FILES:
                    return list(found)[:MOST_FILES]
        return list(found)

    # --- where a name is declared ----------------------------------------------------------------

    def declaration(self, path: Path, use: Use) -> Declaration | None:
        """The declaration of what a word of a file names; None where the files declare none."""
        if use.kind in TRIED:
            tried = (self.declaration(path, use._replace(kind=kind)) for kind in TRIED[use.kind])
            return next((found for found in tried if found), None)
        if use.kind not in LOOKED_UP or use.name == "stage":
            return None
        if use.kind == "parameter":
            return self._parameter(path, use)
        line = self.line(path)
        own = next(line, None)
        if own is None:
            return None
        if use.owner and (found := own.declared("parameter", use.name, use.owner)):
            return found
        kind, first, others = LOOKED_UP[use.kind]
        library, dot, name = use.name.rpartition(".")
        for source in [*([own] if first else []), *(line if others else [])]:
            if dot and library in source.imports:
                held = self.source(source.imports[library])
                return held.declared(kind, name) if held else None
            if found := source.declared(kind, use.name):
                return found
        return None

    def _parameter(self, path: Path, use: Use) -> Declaration | None:
        """The parameter that a call of a block gives a value."""
        block = self.declaration(path, Use("block", use.owner, use.span))
        held = self.source(Path(block.span.filename)) if block else None
        return held.declared("parameter", use.name, block.name) if held and block else None

    def at(self, path: Path, point: Point) -> Use | Declaration | None:
        """The word at a point that names something."""
        source = self.source(path)
        if source is None:
            return None
        here = [n for n in source.names.all() if covers(n.span, point)]
        # Where two words touch, such as at a dot, the one that begins at the point is meant.
        return max(here, key=lambda n: (n.span.row, n.span.column)) if here else None

    def named(self, path: Path, point: Point) -> Declaration | None:
        """The declaration of what is named at a point."""
        found = self.at(path, point)
        return self.declaration(path, found) if isinstance(found, Use) else found

    def visible(self, path: Path, kind: str) -> list[str]:
        """The names of a kind in scope in a file, those of its imports dotted."""
        line = self.line(path)
        sources = [next(line, None)] if kind == "block" else [*line]
        found: dict[str, None] = {}
        for source in filter(None, sources):
            found |= dict.fromkeys(n.name for n in source.names.declared if n.kind == kind)
            for name, path in source.imports.items() if kind in ("param", "block") else ():
                library = self.source(path)
                names = library.names.declared if library else ()
                found |= dict.fromkeys(f"{name}.{n.name}" for n in names if n.kind == kind)
        return list(found)

    def around(self, path: Path, point: Point) -> list[Declaration]:
        """The parameters of the block around a point."""
        source = self.source(path)
        trees = source.trees if source else ()
        inside = {b.name for tree in trees for b in tree.blocks if covers(b.span, point)}
        names = source.names.declared if source else ()
        return [n for n in names if n.kind == "parameter" and n.owner in inside]

    def uses(self, target: Declaration) -> Iterator[Use]:
        """Every word of the project that names what is declared there."""
        home = Path(target.span.filename)
        for path in dict.fromkeys([home, *self.paths()]):
            known = self.sources.get(path)
            text = known.text if known else self.text(path)
            source = self.source(path) if text and target.name in text else None
            for use in source.names.used if source else ():
                named = use.name.rpartition(".")[2]
                if named == target.name and self.declaration(path, use) == target:
                    yield use


def _left(last: Source, text: str) -> Source:
    """What a file was when it could be read, less the rows that have changed since."""
    kept = kept_rows(last.text, text)
    declared = tuple(n._replace(span=s) for n in last.names.declared if (s := kept(n.span)))
    used = tuple(n._replace(span=s) for n in last.names.used if (s := kept(n.span)))
    return replace(last, text=text, names=Names(declared, used))


LOOKED_UP = {
    "value": ("param", True, True),
    "given": ("param", False, True),
    "import": ("import", True, True),
    "block": ("block", True, False),
    "data": ("data", True, True),
    "input": ("input", True, True),
    "condition": ("condition", True, True),
    "kept condition": ("condition", False, True),
    "slot": ("slot", True, True),
    "kept slot": ("slot", False, True),
    "recipe": ("recipe", False, True),
    "parameter": ("parameter", True, False),
}
"""What each kind of use is declared as, and whether that is looked for in its own file, and in
the ancestors."""
TRIED = {
    "component": ("condition", "slot"),
    "kept": ("kept condition", "kept slot"),
    "any": ("value", "block", "data", "condition", "import"),
}
"""The kinds of use that a word may be."""
