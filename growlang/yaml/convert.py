"""Translates between the two syntaxes: the same tree, the same hash, every comment.

A comment hangs at an entry of the YAML syntax (`growlang.yaml.comments`), also in a text in Grow:
its tree, in the shape of YAML, has its places. What Grow has no place for, such as a comment above
`name:`, goes to the statement above.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Literal, NamedTuple

from growlang.diagnostics import Findings, GrowlangError, KeyPath, Outcome
from growlang.syntax import document as d
from growlang.syntax import grow
from growlang.syntax.fmt import fmt_text
from growlang.syntax.unparse import unparse
from growlang.yaml.comments import Held, Place, Remark, blanks, hang, held, places
from growlang.yaml.layout import flat, layout
from growlang.yaml.nodes import compose
from growlang.yaml.read import read
from growlang.yaml.write import nodes

MODELINE = "# yaml-language-server:"
SCHEMA = "grow-1.json"
"""The name of the file with the JSON Schema, which `growlang schema` prints."""
_OURS = re.compile(rf"{MODELINE} \$schema=(?!\w+://)(\S*/)?{re.escape(SCHEMA)}")
"""The line by which a file in YAML names that file; relative to itself."""
GROUP = -1
"""What is left of the place of several statements, which have no line of their own together."""
_UNPRINTABLE = re.compile(
    "[^\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
"""What YAML allows in no comment, or ends a line at."""


def to_yaml(document: d.Document, schema: str = "") -> str:
    """A document that was read from Grow as YAML.

    `schema` is where editors find the JSON Schema: a URL, or a path relative to the file; where it
    is empty, the text does not name it. Raises GrowlangError where YAML cannot say the same.
    """
    for comment in document.comments:
        if odd := _UNPRINTABLE.search(comment.text):
            sign = f"U+{ord(odd[0]):04X}"
            raise GrowlangError(
                f"{comment.span}: YAML allows no {sign} in a comment", help="remove it"
            )
    written, lines = nodes(document), document.text.split("\n")
    root = places(written)
    comments = held(hang(root, document.comments, lines))
    spaced = {p for p in blanks(root, lines) if p in comments and comments[p].above}
    named = any(c.text.startswith(MODELINE) for c in document.comments)
    line = f"{MODELINE} $schema={schema}\n" if schema and not named else ""
    text = line + layout(written, comments, spaced)
    _same(document, read(text, document.filename))
    return text


def to_grow(document: d.Document) -> str:
    """A document that was read from YAML in Grow; the line that names our JSON Schema stays out.

    Raises GrowlangError where Grow cannot say the same.
    """
    composed = compose(document.text, document.filename, Findings())
    assert composed is not None, "the document was read from this text"
    lines = document.text.split("\n")
    root = places(composed.node)
    remarks = [r for r in hang(root, composed.comments, lines) if not names_schema(r.text)]
    text = _commented(unparse(document), remarks, blanks(root, lines))
    _same(document, grow.read(text, document.filename))
    return text


def with_changes(document: d.Document, changed: d.Document) -> str:
    """The text of a document that was read from YAML as that of `changed`, with its comments.

    Where an entry is gone, its comments are. Raises GrowlangError where YAML cannot say it.
    """
    composed = compose(document.text, document.filename, Findings())
    assert composed is not None, "the document was read from this text"
    lines, root, written = document.text.split("\n"), places(composed.node), nodes(changed)
    comments = held(hang(root, composed.comments, lines))
    spaced = {p for p in blanks(root, lines) if p in comments and comments[p].above}
    text = layout(written, comments, spaced)
    _same(changed, read(text, document.filename))
    return text


def names_schema(comment: str) -> bool:
    """Whether a comment is the line that `convert` writes where it finds the JSON Schema."""
    return _OURS.fullmatch(comment) is not None


def _same(document: d.Document, written: Outcome[d.Document]) -> None:
    """Raise GrowlangError unless what was written says the same."""
    found = written.result
    if found is None or flat(nodes(found)) != flat(nodes(document)):
        reason = "" if written.is_sound else f": {written.findings[0].message}"
        raise GrowlangError(f"{document.filename} cannot be written in the other syntax{reason}")


# --- comments into Grow --------------------------------------------------------------------------


def _commented(text: str, remarks: Sequence[Remark], spaced: Set[KeyPath]) -> str:
    """A text in Grow, in the canonical layout, with comments in it."""
    document = grow.read(text, "").result
    assert document is not None, "unparse writes what can be read"
    spots = _spots(places(nodes(document)))
    moved = [_moved(remark, spots) for remark in remarks]
    gaps = {
        new.path
        for new, old in zip(moved, remarks, strict=True)
        if old.role == "above" and old.path in spaced
    }
    opened = {remark.path[:end] for remark in moved for end in range(len(remark.path))}
    page, inserts = _Page(text), list[_Insert]()
    for path, comments in held(moved).items():
        place = spots[path]
        if path in opened and place.start[0] == place.end[0]:
            comments = comments.all_above()
        inserts += page.inserts(place, comments, path in gaps)
    formatted = fmt_text(_woven(text, inserts), "")
    assert formatted.result is not None, formatted.findings
    return formatted.result


def _short(path: KeyPath) -> KeyPath:
    """A path without `pipe`, which a slot without options may leave out."""
    return tuple(key for key in path if key != "pipe")


def _spots(root: Place) -> dict[KeyPath, Place]:
    """The places of a text in Grow by their paths, and those of what several statements make."""
    found: dict[KeyPath, Place] = {}
    groups: dict[KeyPath, list[Place]] = {}
    todo = [root]
    while todo:
        place = todo.pop()
        path = _short(place.path)
        found[path] = place
        todo += reversed(place.inner)
        end = len(path) - 1
        while path[: max(end, 0)] not in found:
            groups.setdefault(path[:end], []).append(place)
            end -= 1
    for path, inner in groups.items():
        found[path] = Place(path, inner[0].span, tuple(inner), GROUP)
    return found


def _moved(remark: Remark, spots: Mapping[KeyPath, Place]) -> Remark:
    """The comment where Grow has a place for it, or at the statement above."""
    path, role = _short(remark.path), remark.role
    exact = path in spots
    while path not in spots:
        path = path[:-1]
    place = spots[path]
    behind = role == "behind" and path and place.left != GROUP
    last = role == "last" and exact and (place.inner or not path)
    return remark._replace(path=path, role="behind" if behind else "last" if last else "above")


class _Insert(NamedTuple):
    """A comment behind what ends at an offset, or lines there; at one, they go in this order."""

    offset: int
    rank: Literal[0, 1, 2]
    """Behind something, below it, or above something."""
    depth: int
    text: str


def _woven(text: str, inserts: Iterable[_Insert]) -> str:
    """The text with comments in it, and the line ends around them that are not there yet."""
    written: list[str] = []
    at, begun = 0, False
    for insert in sorted(inserts):
        between = text[at : insert.offset]
        written.append(_behind_comment(between) if written else between)
        if between.strip(" "):
            begun = between.rstrip(" ")[-1] != "\n"
        written.append(" " if begun and insert.rank == 0 and between else "\n" * begun)
        written.append(insert.text)
        at, begun = insert.offset, True
    return "".join(written) + _behind_comment(text[at:])


def _behind_comment(text: str) -> str:
    """A text on a new line, unless its line begins anew or ends there."""
    return text if text.lstrip(" ")[:1] in ("", "\n") else f"\n{text}"


class _Page:
    """Finds where comments go in a text in Grow."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def inserts(self, place: Place, comments: Held, gap: bool) -> Iterator[_Insert]:
        """The comments of one place, with what puts them on lines of their own."""
        depth = len(place.path)
        if comments.behind:
            end = self.offset(place.end)
            if place.start[0] < place.end[0]:
                end = self.starts[place.start[0]] - 1
            yield _Insert(end, 0, -depth, comments.behind.text)
        if comments.last:
            ends = [self.offset(inner.end) for inner in place.inner]
            end = max(ends) if place.path else len(self.text)
            yield _Insert(end, 1, -depth, _rows(comments.last))
        if comments.above:
            rows = _rows(comments.above) + "\n" * gap
            yield _Insert(self.above(place), 2, depth, rows)

    def offset(self, at: tuple[int, int]) -> int:
        """The offset of a row and column."""
        return self.starts[at[0] - 1] + at[1] - 1

    def above(self, place: Place) -> int:
        """Where comments above a place go: above its line where it cannot begin one."""
        if not place.path:
            return 0
        line, offset = self.starts[place.start[0] - 1], self.offset(place.start)
        before = self.text[line:offset].rstrip()
        indent = len(before) - len(before.lstrip())
        if before.endswith("|"):
            return line + len(before) - 1
        opened = before.endswith(("(", "[", "{", ","))
        if opened or (place.path[-1] != 0 and not before.endswith("=")):
            return offset
        return line + indent if before else offset


def _rows(remarks: Iterable[Remark]) -> str:
    return "\n".join("\n" * remark.blank + remark.text for remark in remarks)
