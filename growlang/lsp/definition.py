"""Where the thing under a point is declared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from growlang.diagnostics import Findings, Span
from growlang.lsp.analysis import Analysis, Point, covers
from growlang.lsp.names import Use
from growlang.lsp.project import Project, Source
from growlang.resolve.files import real
from growlang.resolve.names import evaluate
from growlang.resolve.spec import Resolved
from growlang.syntax import document as d


def definition(project: Project, analysis: Analysis, point: Point) -> Span | None:
    """The file, or the name of the param, block, condition, ... that is meant at a point."""
    source = project.source(analysis.path)
    if source is None:
        return None
    if file := _file(source, point):
        return file
    found = project.at(analysis.path, point)
    if isinstance(found, Use) and found.name == "stage":
        return _stage(project, analysis, found)
    declared = project.named(analysis.path, point)
    return declared.span if declared else None


def _file(source: Source, point: Point) -> Span | None:
    """The start of the file that `grows` or `import` names at a point."""
    grows = [m.grows for tree in source.trees for m in tree.models if m.grows]
    asked = [(g.file, g.file_span) for g in grows]
    asked += [(i.file, i.span) for tree in source.trees for i in tree.imports]
    for file, span in asked:
        path = real(source.path.parent / file)
        if covers(span, point) and path.is_file():
            return Span(str(path), 1, 1, 1, 1)
    return None


def _stage(project: Project, analysis: Analysis, use: Use) -> Span | None:
    """The keyword of the stage that a selector such as `stage[64]` names."""
    line = list(project.line(analysis.path))
    asked = _asked(line[0], use)
    for source in line[1:] if use.kind == "kept" else line:
        resolved = _resolved(analysis, source)
        for slot in _stages(source):
            at = _number(slot, resolved)
            if asked in (None, "*") or (isinstance(asked, tuple) and asked[0] == at):
                end = slot.span.column + len(slot.kind)
                return slot.span._replace(end_row=slot.span.row, end_column=end)
    return None


def _asked(source: Source, use: Use) -> object:
    """The index of a stage in the selector that begins with a word."""
    found = (
        s for tree in source.trees for s in selectors(tree) if covers(s.span, Point(*use.span[1:3]))
    )
    return next((s.steps[0].at for s in found), None)


def _resolved(analysis: Analysis, source: Source) -> Resolved | None:
    """What is known of the meaning of a file or an ancestor."""
    for start in analysis.resolutions:
        found: Resolved | None = start
        while found:
            if real(found.path) == source.path:
                return found
            found = found.parent
    return None


def _stages(source: Source) -> Iterator[d.Slot]:
    for tree in source.trees:
        for model in tree.models:
            for statement in model.statements:
                if isinstance(statement, d.Slot) and statement.kind == "stage":
                    yield statement


def _number(slot: d.Slot, resolved: Resolved | None) -> object:
    """The resolution at which a stage stands, if it is known."""
    if isinstance(slot.at, d.Constant):
        return slot.at.value
    if slot.at is None or resolved is None:
        return None
    return evaluate(slot.at, replace(resolved.scope, findings=Findings()))


def selectors(document: d.Document) -> Iterator[d.Selector]:
    """Every selector of a document."""
    statements = [s for m in document.models for s in m.statements]
    phases = [s for r in document.recipes for p in r.phases for s in p.statements]
    for statement in [*statements, *phases]:
        match statement:
            case d.Verb() | d.Freeze() | d.Release() | d.GrowBy():
                yield from (*statement.selection.included, *statement.selection.excluded)
            case d.LrScale():
                yield statement.selector
            case d.Moved():
                yield from (statement.old, statement.new)
            case d.Init(selectors):
                yield from filter(None, (*selectors, statement.like))
            case _:
                pass
