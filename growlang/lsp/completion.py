"""What may be written at a point."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel

from growlang.diagnostics import Span
from growlang.lsp.analysis import Analysis, Point
from growlang.lsp.context import PIPES, SELECTING, STATEMENTS, Context, context
from growlang.lsp.known import (
    SETTINGS,
    arguments,
    called_in,
    find,
    shown,
    signatures,
    spelling,
)
from growlang.lsp.names import Use
from growlang.lsp.project import Project
from growlang.ops import OPS
from growlang.resolve.inputs import NAMES as PARTS
from growlang.resolve.names import ROW_FIELDS
from growlang.resolve.slots import OPTIONS
from growlang.signatures.signature import Signature
from growlang.signatures.tables import Table
from growlang.spec.forms import choices
from growlang.spec.model import BINDINGS, WORDS
from growlang.spec.selectors import below
from growlang.spec.words import PHASE_SETTINGS, RUN_CHOICES, RUN_SETTINGS, SAID
from growlang.syntax.document import Step, Verb
from growlang.syntax.grow import read

NOWHERE = Span("", 0, 0, 0, 0)


class Completion(NamedTuple):
    """A word that may be written; `kind` is op, argument, choice, name, place or keyword."""

    label: str
    kind: str
    detail: str = ""


def complete(project: Project, analysis: Analysis, point: Point) -> list[Completion]:
    """The completions at a point; those that begin with the word before it."""
    where = context(analysis.text, point)
    if where.quiet:
        return []
    known = _Known(project, analysis)
    if where.call:
        found = list(_in_call(known, where))
        around = project.around(analysis.path, point)
        found += [Completion(parameter.name, "name") for parameter in around]
    elif where.statement in SELECTING and not where.valued:
        found = list(_places(analysis, where))
        found += _statements(where) if where.begins else []
    elif where.statement == "by":
        found = list(_calls(signatures(where)))
        found += _statements(where) if where.begins else []
    else:
        found = list(_in_section(known, where))
    fits = [c for c in found if c.label.startswith(where.word) and c.label != where.word]
    return list({c.label: c for c in reversed(fits)}.values())[::-1]


class _Known(NamedTuple):
    """What a file knows: its names, those of its ancestors and imports, and their meaning."""

    project: Project
    analysis: Analysis

    def names(self, kind: str) -> list[str]:
        """The names in scope of params, blocks, data or conditions."""
        found = self.project.visible(self.analysis.path, kind)
        return [n for n in found if n not in BINDINGS] if kind == "condition" else found


def _in_call(known: _Known, where: Context) -> Iterator[Completion]:
    if where.call in OPTIONS:
        options = OPTIONS[where.call]
        words = options.get(where.argument, ())
        yield from (Completion(w, "choice") for w in words)
        if not where.argument:
            yield from (Completion(f"{n} = ", "argument") for n in options if n not in where.given)
        return
    own = _own_arguments(known, where.call)
    signature = called_in(where, where.call)
    if own:
        names = [n for n in own if n not in where.given]
        yield from (Completion(f"{n} = ", "argument") for n in names if not where.argument)
    elif where.call.endswith(".where"):
        yield from (Completion(f"row.{name}", "name") for name in ROW_FIELDS)
    elif signature:
        fields = arguments(signature)
        if not where.argument:
            for name, info in fields.items():
                if name not in where.given:
                    yield Completion(f"{name} = ", "argument", info.description or "")
        positional = list(fields)[where.position : where.position + 1]
        for name in [where.argument] if where.argument in fields else positional:
            yield from _choices(known, signature, name)
    yield from _names(known)


def _choices(known: _Known, model: type[BaseModel], argument: str) -> Iterator[Completion]:
    fields = {info.alias or name: name for name, info in model.model_fields.items()}
    allowed = choices(model, fields[argument])
    yield from (Completion(w, "choice") for w in allowed.words)
    yield from _calls(allowed.calls)
    if allowed.conditions:
        names = [*["self"] * allowed.itself, *known.names("condition")]
        yield from (Completion(n, "name", "a condition") for n in names)


def _own_arguments(known: _Known, name: str) -> list[str]:
    """The arguments of what the files declare: blocks, the parent's params, data in a mix."""
    project, path = known.project, known.analysis.path
    if name == "mix":
        return known.names("data")
    if name == "grows":
        parents = list(project.line(path))[1:2]
        return [n.name for p in parents for n in p.names.declared if n.kind == "param"]
    block = project.declaration(path, Use("block", name, NOWHERE))
    source = project.source(Path(block.span.filename)) if block else None
    declared = source.names.declared if source else ()
    return [n.name for n in declared if block and (n.kind, n.owner) == ("parameter", block.name)]


def _names(known: _Known) -> Iterator[Completion]:
    """The params in scope, with their values where they are known."""
    resolved = known.analysis.resolutions
    names = {name for found in resolved for name in found.scope.names()}
    names |= {f"{name}.{part}" for name in known.names("input") for part in PARTS[name]}
    for name in sorted({*known.names("param"), *names}):
        bound = known.analysis.value(name)
        yield Completion(name, "name", shown(bound.value) if bound else "")


def _places(analysis: Analysis, where: Context) -> Iterator[Completion]:
    """Components and what lies below them: the parent's for growth, the model's for the rest."""
    parents = where.section == "model" and where.statement != "init"
    checked = analysis.parent if parents else analysis.checked
    if checked is None:
        model = analysis.resolved.model if analysis.resolved and not parents else None
        yield from (
            Completion(name.selector, "place") for name in (model.components() if model else ())
        )
        return
    net = checked.net
    prefix, dot, _ = where.word.rpartition(".")
    if dot:
        for name in below(_steps(prefix), list(net.table)):
            yield Completion(f"{prefix}.{name.split('[')[0]}", "place", name)
        return
    yield from (Completion(c.name.selector, "place", f"{c.output}") for c in net.components)
    yield from (Completion(word, "keyword") for word in ("all", "except"))


def _steps(selector: str) -> tuple[Step, ...]:
    """The steps of a selector's text; none where it does not parse."""
    document = read(f"grow 1 model m {{ keep {selector} }}", "").result
    statements = document.models[0].statements if document else ()
    verb = statements[0] if statements else None
    return verb.selection.included[0].steps if isinstance(verb, Verb) else ()


def _in_section(known: _Known, where: Context) -> Iterator[Completion]:
    if where.statement in PIPES or where.section == "block":
        yield from _calls(OPS)
        yield from (Completion(name, "op", "a block") for name in known.names("block"))
        yield from _names(known)
    if where.valued:
        yield from _values(known, where)
    yield from _statements(where)


def _statements(where: Context) -> Iterator[Completion]:
    """The keywords and settings that begin a statement."""
    yield from (Completion(k, "keyword") for k in STATEMENTS.get(where.section, ()))
    if where.section == "model":
        yield from (Completion(f"{n} = ", "keyword") for n in [*BINDINGS, *WORDS])
    model = SETTINGS.get(where.section)
    settings: Iterable[str] = model.model_fields if model else ()
    if where.section == "phase":
        settings = PHASE_SETTINGS
    elif where.section == "train":
        settings = [*settings, *RUN_SETTINGS]
    yield from (Completion(f"{n} = ", "keyword", _described(where.section, n)) for n in settings)


def _values(known: _Known, where: Context) -> Iterator[Completion]:
    """What a binding may be."""
    yield from _calls(signatures(where))
    if where.section == "model":
        yield from (Completion(word, "choice") for word in WORDS.get(where.statement, ()))
    if where.section == "train":
        yield from (Completion(word, "choice") for word in RUN_CHOICES.get(where.statement, ()))
    if where.statement in ("data", "validate"):
        yield from (Completion(name, "name", "data") for name in known.names("data"))
        yield Completion("mix", "op", "mix(name = share, ...)")
        return
    model = SETTINGS.get(where.section)
    if model and where.statement in model.model_fields:
        yield from _choices(known, model, where.statement)
    yield from _names(known)


def _calls(calls: Table[Signature]) -> Iterator[Completion]:
    for name in calls.names():
        signature = find(calls, name)
        yield Completion(name, "op", spelling(signature) if signature else "")


def _described(section: str, name: str) -> str:
    fields = SETTINGS[section].model_fields
    return (fields[name].description or "") if name in fields else SAID.get(name, "")
