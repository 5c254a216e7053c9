"""Every place that names the same thing, and what changes where it gets another name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from growlang.diagnostics import Diagnostic, Edit, GrowlangError, Span
from growlang.lsp.analysis import Point, analyse
from growlang.lsp.names import Declaration, Use
from growlang.lsp.project import Project, Source
from growlang.resolve.reserved import reserved
from growlang.spec.model import BINDINGS
from growlang.syntax.grow import read
from growlang.tools.fix import edited

RENAMED = ("param", "block", "parameter", "condition", "data", "recipe", "import", "phase")
"""The kinds of declarations that can get another name."""


class Highlight(NamedTuple):
    """A place in one file, and whether the thing is declared there."""

    span: Span
    declared: bool


class Renaming(NamedTuple):
    """The name at a point, which may be changed."""

    name: str
    span: Span


def references(project: Project, path: Path, point: Point, declared: bool = True) -> list[Span]:
    """The places of the project that name what is named at a point, the declaration first."""
    target = project.named(path, point)
    if target is None:
        return []
    return [*([target.span] if declared else []), *(use.span for use in project.uses(target))]


def highlights(project: Project, path: Path, point: Point) -> list[Highlight]:
    """The places of one file that name what is named at a point."""
    target, source = project.named(path, point), project.source(path)
    if target is None or source is None:
        return []
    found = [Highlight(d.span, True) for d in source.names.declared if d == target]
    same = (u for u in source.names.used if u.name.rpartition(".")[2] == target.name)
    found += [Highlight(u.span, False) for u in same if project.declaration(path, u) == target]
    return sorted(found)


def renaming(project: Project, path: Path, point: Point) -> Renaming:
    """The name at a point. Raises GrowlangError where there is none that can be changed."""
    target, found = project.named(path, point), project.at(path, point)
    if target is None or found is None:
        raise GrowlangError("no declared name here")
    if target.kind == "model":
        raise GrowlangError("a model cannot be renamed here: its runs are stored under its name")
    if target.kind not in RENAMED or target.name in BINDINGS:
        raise GrowlangError(f"`{target.name}` is part of the language and cannot be renamed")
    return Renaming(target.name, found.span)


def rename(project: Project, path: Path, point: Point, new: str) -> list[Edit]:
    """The edits that give what is named at a point another name, in all files of the project.

    Raises GrowlangError where that is no name, where it is taken, or where a use may be missed.
    """
    renaming(project, path, point)
    target = project.named(path, point)
    assert target is not None
    _refuse_name(target, new)
    uses = [*project.uses(target)]
    for use in uses:
        if use.kind == "any":
            where = f"{Path(use.span.filename).name}:{use.span.row}"
            raise GrowlangError(f"{where} does not parse and may use `{target.name}`: fix it first")
    spans = dict.fromkeys([target.span, *(use.span for use in uses)])
    edits = [Edit(span, new, target.name) for span in sorted(spans)]
    if new != target.name:
        _refuse_taken(project, target, new)
        _refuse_change(project, edits)
    return edits


def _refuse_name(target: Declaration, new: str) -> None:
    """Refuse what is no name, or a name that is reserved."""
    document = read(f"grow 1 param {new} = 1", "").result
    if document is None or [binding.name for binding in document.params] != [new]:
        raise GrowlangError(
            f"invalid name `{new}`: names are lower case, `[a-z_][a-z0-9_]*`, and no keyword "
            "of a slot"
        )
    if target.kind == "condition" and new in (*BINDINGS, "skips"):
        raise GrowlangError(f"`{new}` is taken: it is a setting of a model")
    if target.kind in ("condition", "block") and (reason := reserved(new)):
        raise GrowlangError(reason)


def _refuse_taken(project: Project, target: Declaration, new: str) -> None:
    """Refuse a name that the file of the declaration has already for the same kind of thing."""
    source = project.source(Path(target.span.filename))
    owner = target.owner
    taken = source.declared(target.kind, new, owner) if source else None
    if taken is None and target.kind != "parameter":
        use = Use("value" if target.kind == "param" else target.kind, new, target.span)
        taken = project.declaration(Path(target.span.filename), use)
    if taken:
        where = f"{Path(taken.span.filename).name}:{taken.span.row}"
        raise GrowlangError(f"`{new}` is taken: {where} declares a {taken.kind} of this name")


def _refuse_change(project: Project, edits: list[Edit]) -> None:
    """Refuse edits after which a name means something else, or there are other findings."""
    paths = list(dict.fromkeys(Path(edit.span.filename) for edit in edits))
    texts = {p: s.text for p in paths if (s := project.source(p))}
    changed = {
        path: edited(text, [e for e in edits if Path(e.span.filename) == path])
        for path, text in texts.items()
    }
    after = Project(project.folders, {**project.contents, **changed})
    related = [p for p in project.paths() if p not in paths and _reads(project, p, paths)]
    for path in [*paths, *related]:
        old, new = project.source(path), after.source(path)
        if old and new:
            _refuse_other_meaning(project, after, old, new)
    for path in [*paths, *related]:
        before = Counter(d.code for d in analyse(path, {**project.contents, **texts}).diagnostics)
        for item in analyse(path, after.contents).diagnostics:
            before[item.code] -= 1
            if before[item.code] < 0:
                raise GrowlangError(f"the name is taken: {_placed(item)}")


def _reads(project: Project, path: Path, paths: Iterable[Path]) -> bool:
    """Whether a file grows from one of these or imports it."""
    source = project.source(path)
    asked = {p for p in paths if p.name in source.text} if source else ()
    return bool(asked) and any(s.path in paths for s in project.line(path))


def _refuse_other_meaning(project: Project, after: Project, old: Source, new: Source) -> None:
    """Refuse where a word names another declaration than before."""
    pairs = zip(_meanings(project, old), _meanings(after, new), strict=False)
    for (span, before), (_, now) in pairs:
        if before != now:
            where = f"{Path(span.filename).name}:{span.row}"
            raise GrowlangError(f"the name is taken: {where} would change meaning")


def _meanings(project: Project, source: Source) -> Iterator[tuple[Span, object]]:
    """Each word that is used, and the number of its declaration in that one's file."""
    for use in source.names.used:
        found = project.declaration(source.path, use)
        home = project.source(Path(found.span.filename)) if found else None
        number = home.names.declared.index(found) if home and found else -1
        yield use.span, (home.path if home else None, number)


def _placed(item: Diagnostic) -> str:
    return f"{Path(item.span.filename).name}:{item.span.row}: {item.message}"
