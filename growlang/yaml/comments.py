"""Where comments hang: each at an entry of the YAML syntax, told by the places of both in a text.

An entry is a key with its value or an item of a list; its path is that of its keys and indices.
The text may be in either syntax, as long as the nodes have their places in it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from growlang.diagnostics import KeyPath, Span
from growlang.syntax.document import Comment
from growlang.yaml.nodes import NOWHERE, List, Map, Node, Scalar

Role = Literal["above", "behind", "last"]
"""Above an entry, behind its first line, or below the last entry in it."""


class Remark(NamedTuple):
    """A comment that hangs somewhere; `blank` where an empty line comes before it."""

    path: KeyPath
    role: Role
    text: str
    blank: bool


class Place(NamedTuple):
    """An entry that has a place in a text, and those in it in the order of the text."""

    path: KeyPath
    span: Span
    inner: tuple[Place, ...]
    left: int = 0
    """The column of its key or dash."""
    column: int = 0
    """The column of those in it where they are told by it: in a block; otherwise 0."""

    @property
    def start(self) -> tuple[int, int]:
        """Row and column of the first character."""
        return self.span.row, self.span.column

    @property
    def end(self) -> tuple[int, int]:
        """Row and column behind the last character."""
        return self.span.end_row, self.span.end_column


@dataclass
class Held:
    """The comments of one entry."""

    above: list[Remark] = field(default_factory=list)
    behind: Remark | None = None
    last: list[Remark] = field(default_factory=list)

    def add(self, remark: Remark) -> None:
        """Add a comment behind the others; only one has room behind a line."""
        if remark.role == "last":
            self.last.append(remark)
            return
        if self.behind:
            self.above.append(self.behind)
        self.behind = remark if remark.role == "behind" else None
        if remark.role == "above":
            self.above.append(remark)

    def all_above(self) -> Held:
        """The same comments for an entry that has no room behind its first line."""
        return Held([*self.above, *([self.behind] if self.behind else [])], None, self.last)


def held(remarks: Iterable[Remark]) -> dict[KeyPath, Held]:
    """Comments by what they hang at."""
    found: dict[KeyPath, Held] = {}
    for remark in remarks:
        found.setdefault(remark.path, Held()).add(remark)
    return found


# --- places --------------------------------------------------------------------------------------


def entries(node: Node, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Span, Node]]:
    """The entries of a node: their paths, spans and values."""
    match node:
        case Map(items, keys):
            for key, value in items.items():
                yield (*path, key), _hull(keys[key], value.span), value
        case List(values):
            for index, value in enumerate(values):
                yield (*path, index), value.span, value


def places(node: Node) -> Place:
    """The root of the places of a text: everything that has one, below what contains it."""
    return Place((), NOWHERE, _inner(node, ()))


def _inner(node: Node, path: KeyPath) -> tuple[Place, ...]:
    found: list[Place] = []
    for inner, span, value in entries(node, path):
        below = _inner(value, inner)
        if span == NOWHERE:
            found += below
        else:
            block = not isinstance(value, Scalar) and value.block
            left = node.span.column if isinstance(node, List) else span.column
            found.append(Place(inner, span, below, left, value.span.column if block else 0))
    return tuple(sorted(found, key=lambda place: place.start))


def _hull(a: Span, b: Span) -> Span:
    if NOWHERE in (a, b):
        return b if a == NOWHERE else a
    return a._replace(end_row=max(a[3:], b[3:])[0], end_column=max(a[3:], b[3:])[1])


def blanks(root: Place, lines: Sequence[str]) -> set[KeyPath]:
    """The entries that have an empty line above them."""
    found, todo = set(), [*root.inner]
    while todo:
        place = todo.pop()
        todo += place.inner
        row, column = place.start
        opens = not lines[row - 1][: column - 1].strip(" -")
        if opens and row > 1 and not lines[row - 2].strip():
            found.add(place.path)
    return found


# --- comments ------------------------------------------------------------------------------------


def hang(root: Place, comments: Iterable[Comment], lines: Sequence[str]) -> list[Remark]:
    """What each comment of a text hangs at, in the order of the text.

    One behind something on its line stays behind that; one on a line of its own is about what
    comes next in the same brackets or block, and below the last thing there closes it.
    """
    found = []
    last, depth = (0, 0), 0
    for comment in comments:
        row, column = comment.span.row, comment.span.column
        own = not lines[row - 1][: column - 1].strip()
        alone = own and not any(line.strip() for line in lines[last[0] : row - 1])
        depth = 0 if not own else min(depth, column) if alone and depth else column
        path, role = _hook(root, (row, column), depth, last)
        blank = own and row > 1 and not lines[row - 2].strip()
        found.append(Remark(path, role, comment.text.rstrip(), blank))
        last = row, column
    return found


def _hook(
    root: Place, at: tuple[int, int], depth: int, last: tuple[int, int]
) -> tuple[KeyPath, Role]:
    """The entry that a comment hangs at.

    `depth` is its column, or that of one right above it which stands further left; 0 where it is
    behind something on its line. `last` is where the comment before it stands.
    """
    keeper = root
    while True:
        index = bisect_right(keeper.inner, at, key=lambda place: place.start)
        before = keeper.inner[index - 1] if index else None
        after = keeper.inner[index] if index < len(keeper.inner) else None
        if before is None or not (at < before.end or _in_block(before, after, depth)):
            break
        keeper = before
    row = at[0]
    if not depth and before is not None and before.end[0] == row:
        return _behind(before, row, last)
    if not depth and keeper.path and keeper.start[0] == row:
        return keeper.path, "behind"
    if after is not None:
        return after.path, "above"
    return keeper.path, "last" if keeper.inner or not keeper.path else "above"


def _in_block(place: Place, after: Place | None, column: int) -> bool:
    """Whether a line of its own below an entry still belongs to it, told by its column."""
    deeper = column > max(place.left, after.left if after else 0)
    return deeper and 0 < place.column <= column


def _behind(place: Place, row: int, last: tuple[int, int]) -> tuple[KeyPath, Role]:
    """What a comment behind a place hangs at: the largest part that has the line for itself."""
    while place.start[0] < row:
        inner = place.inner[-1] if place.inner else None
        if inner is None or inner.end[0] < row:
            return place.path, "last" if inner and last > place.start else "behind"
        place = inner
    return place.path, "behind"
