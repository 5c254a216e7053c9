"""Which place of a spec is to blame for a change of its net: the text that is another now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from growlang.checking import Checked
from growlang.diagnostics import Note, Span
from growlang.net import ComponentName
from growlang.resolve.model import Resolution
from growlang.resolve.names import Names, origins
from growlang.resolve.spec import Resolved
from growlang.syntax import document as d

Texts = Mapping[str, str]


class Place(NamedTuple):
    """Where the change was made, and what it was before, if that is another place."""

    span: Span
    notes: tuple[Note, ...] = ()


class Setting(NamedTuple):
    """A setting as it is written, and the names that it sees."""

    binding: d.Binding
    scope: Names


class Side(NamedTuple):
    """A spec as it was or is, and the texts of its files."""

    checked: Checked
    texts: Texts

    @property
    def resolution(self) -> Resolution:
        """The resolved model."""
        assert self.checked.resolved.resolution is not None
        return self.checked.resolved.resolution

    def written(self, span: Span) -> str:
        """The text of a span."""
        rows = self.texts.get(span.filename, "").split("\n")[span.row - 1 : span.end_row]
        if not rows:
            return ""
        rows[-1] = rows[-1][: span.end_column - 1]
        return "\n".join([rows[0][span.column - 1 :], *rows[1:]])


def changed_place(component: ComponentName, past: Side, now: Side) -> Place | None:
    """The place that made a component another one: its own text, a value that it reads, a block.

    Where nothing of its own has changed, what else the model declares is looked at, such as the
    image. None where the file says the same as before: its parent does not.
    """
    declared = now.resolution.declared
    names = [component, *(name for name in declared if name != component)]
    for name in names:
        if name in declared and (place := _of_component(name, component, past, now)):
            return place
    return None


def changed_setting(before: Setting | None, after: Setting, past: Side, now: Side) -> Place:
    """The place that made a setting another one: its own text, or a value that it reads."""
    span = after.binding.value.span
    if before is None or past.written(before.binding.value.span) != now.written(span):
        return Place(span)
    was, is_now = (origins(one.binding.value, one.scope) for one in (before, after))
    cause = _cause(was, is_now, past, now)
    if cause is None:
        return Place(span)
    return Place(cause.span, (*cause.notes, Note("the objective reads it", span)))


def _of_component(name: str, component: ComponentName, past: Side, now: Side) -> Place | None:
    before, after = past.resolution.declared.get(name), now.resolution.declared[name]
    span = now.resolution.spans.get((name,), after)
    was = past.resolution.spans.get((name,), before)
    if before is None or was is None or past.written(was) != now.written(span):
        return Place(after)
    reader = Note(f"`{component.selector}` reads it", after)
    if cause := _cause(list(_values(name, past)), list(_values(name, now)), past, now):
        return Place(cause.span, (*cause.notes, reader))
    texts = {past.written(span) for span in _spans(name, past)}
    other = [span for span in _spans(name, now) if now.written(span) not in texts]
    if other:
        return Place(min(other, key=lambda span: len(now.written(span))), (reader,))
    row = _changed_row(name, past, now)
    return Place(row, (reader,)) if row else None


def _changed_row(name: str, past: Side, now: Side) -> Span | None:
    """The first row that is another one in the blocks that a component calls."""
    former = {row for block in _blocks(name, past) for row in past.written(block).split("\n")}
    for block in _blocks(name, now):
        for number, row in enumerate(now.written(block).split("\n")):
            if row.strip() and row not in former:
                start = 0 if number else block.column - 1
                column = start + len(row) - len(row.lstrip()) + 1
                at = block.row + number
                return Span(block.filename, at, column, at, start + len(row.rstrip()) + 1)
    return None


def _blocks(name: str, side: Side) -> list[Span]:
    """The blocks that a component calls, wherever they are declared."""
    called = {c.block for path, c in side.resolution.calls.items() if path[0] == name}
    todo, found = [*side.checked.resolved.blocks.values()], dict[Span, None]()
    while todo:
        library = todo.pop()
        if library.block.name in called and library.block.span not in found:
            found[library.block.span] = None
            todo += library.blocks.values()
    return list(found)


def _cause(before: Sequence[Note], after: Sequence[Note], past: Side, now: Side) -> Place | None:
    """The first value that is another now, followed to the param whose text has changed."""
    former = {_name(note): note for note in before}
    for note in after:
        old = former.get(_name(note))
        if old is not None and old.message == note.message:
            continue
        if old is not None and past.written(old.span) == now.written(note.span):
            inner = _cause(_origins(old.span, past), _origins(note.span, now), past, now)
            if inner:
                return inner
        was = old.message.replace(" is ", " was ", 1).removesuffix(" here") if old else ""
        return Place(note.span, (Note(was, old.span),) if old else ())
    return None


def _name(note: Note) -> str:
    return note.message.partition(" is ")[0]


def _origins(value: Span, side: Side) -> list[Note]:
    """Where the names in a param's value got theirs; the param is told by the value's place."""
    resolved: Resolved | None = side.checked.resolved
    while resolved is not None:
        for binding in resolved.document.params:
            if binding.value.span == value:
                return origins(binding.value, resolved.scope)
        resolved = resolved.parent
    return []


def _values(name: str, side: Side) -> Iterator[Note]:
    """Where the names in a component's arguments got their values."""
    for path, notes in side.resolution.notes.items():
        if path[0] == name:
            yield from notes


def _spans(name: str, side: Side) -> list[Span]:
    """The places of what a component says, in the blocks that it calls too."""
    return [span for path, span in side.resolution.spans.items() if path[0] == name]
