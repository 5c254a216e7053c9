"""Where the thing under a point is declared."""

from __future__ import annotations

from growlang.diagnostics import Span
from growlang.lsp.analysis import Analysis, Point, covers
from growlang.lsp.context import context, word_at
from growlang.lsp.known import parameters_around
from growlang.resolve.files import real
from growlang.resolve.model import Resolution
from growlang.resolve.spec import Resolved
from growlang.selectors import component_of
from growlang.syntax import document as d


def definition(analysis: Analysis, point: Point) -> Span | None:
    """The declaration of the file, param, block, data, condition or component at a point."""
    file = _file(analysis, point)
    if file:
        return file
    word = word_at(analysis.text, point)
    resolved = analysis.checked.resolved if analysis.checked else None
    if not word or resolved is None:
        return None
    if word in (around := parameters_around(analysis.document, point)):
        return around[word].name_span
    where = context(analysis.text, point)
    if where.section == "model" and where.statement in ("keep", "drop", "moved"):
        parent = resolved.parent.resolution if resolved.parent else None
        return _component(analysis, parent, point)
    if where.statement in ("freeze", "lr_scale", "init"):
        return _component(analysis, resolved.resolution, point)
    return _name(resolved, word)


def _name(resolved: Resolved, word: str) -> Span | None:
    if word in resolved.blocks:
        return resolved.blocks[word].block.name_span
    bound = resolved.scope.lookup(word)
    if bound is not None:
        return bound.span
    data = word.removesuffix(".where")
    if data in resolved.data:
        return resolved.data[data].binding.name_span
    resolution = resolved.resolution
    return resolution.spans.get((word,)) if resolution else None


def _file(analysis: Analysis, point: Point) -> Span | None:
    """The start of the file that `grows` or `import` names at a point."""
    document = analysis.document
    if document is None:
        return None
    asked = [(m.grows.file, m.grows.file_span) for m in document.models if m.grows]
    asked += [(i.file, i.span) for i in document.imports]
    for file, span in asked:
        path = real(analysis.path.parent / file)
        if covers(span, point) and path.is_file():
            return Span(str(path), 1, 1, 1, 1)
    return None


def _component(analysis: Analysis, resolution: Resolution | None, point: Point) -> Span | None:
    """The declaration of the component that the selector at a point names."""
    if resolution is None or analysis.document is None:
        return None
    for selector in _selectors(analysis.document):
        if covers(selector.span, point):
            for name in component_of(selector.steps, resolution.model.components()):
                return resolution.spans.get((name,))
    return None


def _selectors(document: d.Document) -> list[d.Selector]:
    found: list[d.Selector] = []
    statements = [s for m in document.models for s in m.statements]
    phases = [s for r in document.recipes for p in r.phases for s in p.statements]
    for statement in [*statements, *phases]:
        match statement:
            case d.Verb() | d.Freeze() | d.GrowBy():
                found += [*statement.selection.included, *statement.selection.excluded]
            case d.LrScale():
                found.append(statement.selector)
            case d.Moved():
                found += [statement.old, statement.new]
            case d.Init(selectors):
                found += selectors
            case _:
                pass
    return found
