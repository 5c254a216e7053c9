"""The text of a spec with what was given beside it, as if it had been written there.

The file's own text stays as it is, comments and layout included, but for the values that were set.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from growlang.diagnostics import Span
from growlang.resolve.files import parsed
from growlang.syntax import document as d
from growlang.syntax.unparse import expression, unparse

OPENED = re.compile(r"(?:#[^\n]*|[^{#])*\{")
"""Up to the brace that opens the body of a statement; comments before it may have others."""
SIGN = re.compile(r"\s*=\s*")
REST = re.compile(r"[ \t]*(#[^\n]*)?(\n|\Z)")
"""What may follow on a line for the next statement to have a line of its own."""
INDENT = re.compile(r"[ \t]*")
Statement = d.Binding | d.Freeze | d.Release | d.LrScale


def recorded(now: d.Document, params: Mapping[str, d.Expression], yaml: bool) -> str:
    """The text of a file, in YAML or in Grow, with values for its params and settings of `now`.

    `now` is the file's document with settings that its text does not have. Where the text has no
    place for them, it is written anew.
    """
    was = parsed(now.text, now.filename, yaml).result
    assert was is not None, "the document was read from this text"
    bound = tuple(b._replace(value=params.get(b.name, b.value)) for b in now.params)
    now = now._replace(params=bound)
    if yaml:
        from growlang.yaml.convert import with_changes

        return with_changes(was, now)
    text = _Page(now.text).changed(was, now)
    found = parsed(text, now.filename, yaml).result
    return text if found is not None and _equal(found, now) else unparse(now)


def _equal(a: object, b: object) -> bool:
    """Whether two trees say the same, wherever it stands."""
    return bool(d.without_spans(a) == d.without_spans(b))


class _Change(NamedTuple):
    """A text in place of what stands between two offsets."""

    start: int
    end: int
    text: str


class _Page:
    """A text in Grow, and where its statements are."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def changed(self, was: d.Document, now: d.Document) -> str:
        """The text of `was` as that of `now`."""
        text = self.text
        for change in sorted(self._changes(was, now), reverse=True):
            text = text[: change.start] + change.text + text[change.end :]
        known = len(was.sections), len(was.data)
        added = [f"data {_text(b)}" for b in now.data[known[1] :]]
        for section in now.sections[known[0] :]:
            added.append(f"{section.kind} {{ {'  '.join(map(_text, section.settings))} }}")
        return "\n".join([text.rstrip("\n"), "", *added, ""]) if added else text

    def _changes(self, was: d.Document, now: d.Document) -> Iterator[_Change]:
        for pair in (was.params, now.params), (was.data, now.data):
            yield from self._replaced(*pair)
        for old, new in zip(was.recipes, now.recipes, strict=True):
            yield from self._settings(old.span, old.settings, new.settings)
            for before, after in zip(old.phases, new.phases, strict=True):
                if not _equal(before.duration, after.duration):
                    span = before.duration.span
                    yield _Change(*self._range(span), expression(after.duration))
                yield from self._settings(before.span, before.statements, after.statements)
        for section, changed in zip(was.sections, now.sections, strict=False):
            yield from self._settings(section.span, section.settings, changed.settings)

    def _settings(
        self, body: Span, was: Sequence[Statement], now: Sequence[Statement]
    ) -> Iterator[_Change]:
        """The changes of the statements of a body; those that are new stand behind the others."""
        yield from self._replaced(was, now)
        added = [_text(statement) for statement in now[len(was) :]]
        if not added:
            return
        start, end = self._range(body)
        if was:
            yield self._inserted(self._range(was[-1].span)[1], added)
        elif self.text[end - 1] == "}" and (opened := OPENED.match(self.text, start)):
            yield self._inserted(opened.end(), added)
        else:
            yield _Change(end, end, f" {{ {'  '.join(added)} }}")

    def _replaced(self, was: Sequence[Statement], now: Sequence[Statement]) -> Iterator[_Change]:
        """The values of statements that changed, in their places."""
        for old, new in zip(was, now, strict=False):
            if _equal(old, new):
                continue
            start, end = self._range(old.span)
            if isinstance(old, d.Binding) and isinstance(new, d.Binding):
                name = self._range(old.name_span)[0] + len(old.name)
                if sign := SIGN.match(self.text, name):
                    yield _Change(sign.end(), end, expression(new.value))
                    continue
            yield _Change(start, end, _text(new))

    def _inserted(self, at: int, added: Sequence[str]) -> _Change:
        """Statements behind what ends at an offset: on lines of their own, where its line ends."""
        rest = REST.match(self.text, at)
        if rest is None:
            return _Change(at, at, "".join(f"  {text}" for text in added))
        line = self.text.rfind("\n", 0, at) + 1
        indent = INDENT.match(self.text, line)
        inside = "  " if self.text[at - 1] == "{" else ""
        end = rest.end() - len(rest[2])
        before = f"\n{indent[0] if indent else ''}{inside}"
        return _Change(end, end, "".join(before + text for text in added))

    def _range(self, span: Span) -> tuple[int, int]:
        """The offsets of a place."""
        return (
            self.starts[span.row - 1] + span.column - 1,
            self.starts[span.end_row - 1] + span.end_column - 1,
        )


def _text(statement: Statement) -> str:
    """A statement of a body on one line."""
    match statement:
        case d.Binding(name, value):
            return f"{name} = {expression(value)}"
        case d.LrScale(selector, factor):
            return f"lr_scale {selector} = {expression(factor)}"
        case d.Freeze(selection):
            return f"freeze {selection}"
        case d.Release(selection):
            return f"train {selection}"
