"""Reads a text under edit anew: only the statements on the rows that changed are parsed.

The grammar is free of context, gives a text one tree, and no token crosses a line end. So where
rows that hold whole statements give way to rows with statements that may stand there too, all
other statements keep their trees. Of a text that does not parse, this holds for the statements
that recovery leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from growlang.diagnostics import Findings, Span, stage
from growlang.syntax import document as d
from growlang.syntax.building import comments
from growlang.syntax.grow import misleading, parser, read
from growlang.syntax.recovery import recover

Body = d.Document | d.Model | d.Recipe | d.Phase | d.Section
"""What holds statements."""
STATEMENTS: dict[type, tuple[str, ...]] = {
    d.Document: ("params", "imports", "blocks", "models", "data", "recipes", "sections"),
    d.Model: ("statements",),
    d.Recipe: ("settings", "phases"),
    d.Phase: ("statements",),
    d.Section: ("settings",),
}
"""The fields that hold them."""


class Edit(NamedTuple):
    """The rows from `first` to `last` give way to those of `lines`, which are `more` rows more.

    Where `last` is the row before `first`, rows are inserted. `lines` are those of the new text.
    """

    lines: Sequence[str]
    first: int
    last: int
    more: int

    def around(self, statements: Sequence[Any]) -> Edit:
        """The edit widened to whole statements."""
        first, last = self.first, self.last
        for span in (s.span for s in statements):
            if span.row <= last and first <= span.end_row:
                first, last = min(first, span.row), max(last, span.end_row)
        wider = self._replace(first=first, last=last)
        return self if wider == self else wider.around(statements)

    def splice(self, old: Sequence[Any], new: Sequence[Any]) -> tuple[Any, ...]:
        """The statements before the edit, the new ones, and those behind it at their new rows."""
        before = (s for s in old if s.span.end_row < self.first)
        behind = (moved(s, self.more) for s in old if s.span.row > self.last)
        return (*before, *new, *behind)


@stage
def reread(findings: Findings, before: d.Document, text: str) -> d.Document | None:
    """The document of `text`, as `read_partly` gives it, from one that differs in some statements.

    None where only the whole text can tell. `before` is the document of a text that parses.
    """
    edit = changed(before.text.split("\n"), text.split("\n"))
    return _spliced(before, edit, text) or _spliced_partly(before, edit, text, findings)


def _spliced(before: d.Document, edit: Edit, text: str) -> d.Document | None:
    """The document with the statements of the new rows; None where they do not parse."""
    path: list[Any] = [before]
    old = before.text.split("\n")
    while inner := next((s for s in _statements(path[-1]) if _holds(s, edit, old)), None):
        path.append(inner)
    edit = edit.around(_statements(path[-1]))
    if edit.first <= before.span.end_row:
        return None
    parsed = _parsed(path, edit, before.filename)
    if parsed is None:
        return None
    document, piece = parsed
    found = path.pop()
    new = found._replace(
        **{n: edit.splice(getattr(found, n), getattr(piece, n)) for n in STATEMENTS[type(found)]}
    )
    if isinstance(new, d.Recipe) and _mixed(new):
        return None
    while path:
        found, new = path[-1], _with(path.pop(), found, _taller(new, edit.more), edit.more)
    remarks = edit.splice(before.comments, document.comments)
    whole: d.Document = new._replace(text=text, comments=remarks)
    return whole


def _spliced_partly(
    before: d.Document, edit: Edit, text: str, findings: Findings
) -> d.Document | None:
    """The document of what parses, where all that does not stands on the new rows.

    What recovery leaves out is blanked, and the rest of the rows read.
    """
    if misleading(text, before.filename):
        return None
    tokens, kept, cut = recover(text, before.filename, parser(), findings)
    taken = {id(token) for token in kept}
    lost = [token for token in tokens[:-1] if id(token) not in taken]
    if not lost or len(kept) + len(lost) != len(tokens) - 1:
        return None
    lines = list(edit.lines)
    for token in lost:
        row, column = token.line or 1, token.column or 1
        line = lines[row - 1]
        lines[row - 1] = line[: column - 1] + " " * len(token) + line[column - 1 + len(token) :]
    found = _spliced(before, changed(before.text.split("\n"), lines), text)
    return found._replace(cut=cut, comments=comments(text, before.filename)) if found else None


def changed(old: Sequence[str], new: Sequence[str]) -> Edit:
    """What the change of a text replaces: the rows between its first and its last difference."""
    most = min(len(old), len(new))
    same = next((i for i in range(most) if old[i] != new[i]), most)
    rest = most - same
    behind = next((i for i in range(rest) if old[-1 - i] != new[-1 - i]), rest)
    return Edit(new, same + 1, len(old) - behind, len(new) - len(old))


def _statements(body: Body) -> list[Any]:
    return [s for name in STATEMENTS[type(body)] for s in getattr(body, name)]


def _holds(statement: Any, edit: Edit, old: Sequence[str]) -> bool:
    """Whether an edit replaces nothing but statements inside of a statement."""
    inside = _statements(statement) if type(statement) in STATEMENTS else []
    if not inside:
        return False
    first, last = min(s.span for s in inside), statement.span.end_row
    if old[first.row - 1][: first.column - 1].strip():
        return False
    wider = edit.around(inside)
    return bool(first.row <= wider.first and wider.last < last)


def _parsed(path: Sequence[Any], edit: Edit, filename: str) -> tuple[d.Document, Any] | None:
    """The new rows inside of what `path` leads to: a document of them alone, and the last body."""
    heads = {d.Model: "model m {", d.Recipe: "train {", d.Phase: "phase a for 1 {"}
    opening = [s.kind + " {" if isinstance(s, d.Section) else heads[type(s)] for s in path[1:]]
    rows = edit.lines[edit.first - 1 : edit.last + edit.more]
    before, after = "\n" * (edit.first - 1), "\n" + "}" * len(opening)
    text = " ".join(["grow 1", *opening]) + before + "\n".join(rows) + after
    reading = read(text, filename)
    document = reading.result
    if document is None or not reading.is_sound:
        return None
    body: Any = document
    for _ in opening:
        if len(inside := _statements(body)) != 1:
            return None
        body = inside[0]
    return document, body


def _mixed(recipe: d.Recipe) -> bool:
    """Whether a setting stands behind a phase."""
    settings, phases = recipe.settings, recipe.phases
    return bool(settings and phases) and settings[-1].span > phases[0].span


def _with(body: Any, old: Any, new: Any, more: int) -> Any:
    """The body with another statement, and those behind it at their new rows."""
    return body._replace(
        **{
            name: tuple(
                new if s is old else moved(s, more) if s.span.row > old.span.row else s
                for s in getattr(body, name)
            )
            for name in STATEMENTS[type(body)]
        }
    )


def _taller(statement: Any, more: int) -> Any:
    """The statement with rows more inside."""
    span = statement.span._replace(end_row=statement.span.end_row + more)
    if isinstance(statement, d.Recipe) and statement.name_span == statement.span:
        return statement._replace(span=span, name_span=span)
    return statement._replace(span=span)


def moved(tree: Any, rows: int) -> Any:
    """A tree some rows below."""
    if not rows or not isinstance(tree, tuple):
        return tree
    if isinstance(tree, Span):
        return Span(tree[0], tree[1] + rows, tree[2], tree[3] + rows, tree[4])
    parts = [moved(part, rows) for part in tree]
    return type(tree)(*parts) if hasattr(tree, "_fields") else tuple(parts)
