"""What may be written at a point."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pydantic import BaseModel

from growlang.diagnostics import Findings
from growlang.lsp.analysis import Analysis, Point
from growlang.lsp.context import PIPES, SELECTING, STATEMENTS, Context, context
from growlang.lsp.known import (
    SETTINGS,
    arguments,
    parameters_around,
    signature_of,
    signatures,
    spelling,
)
from growlang.model import BINDINGS
from growlang.ops import pipe_ops
from growlang.resolve.forms import choices
from growlang.resolve.model import OPTIONS, SKIPS
from growlang.resolve.names import ROW_FIELDS
from growlang.resolve.words import PHASE_SETTINGS, RUN_CHOICES, RUN_SETTINGS
from growlang.selectors import below, spelt
from growlang.signature import Signature
from growlang.syntax.document import Step, Verb
from growlang.syntax.grow import read


class Completion(NamedTuple):
    """A word that may be written; `kind` is op, argument, choice, name, place or keyword."""

    label: str
    kind: str
    detail: str = ""


def complete(analysis: Analysis, point: Point) -> list[Completion]:
    """The completions at a point; those that begin with the word before it."""
    where = context(analysis.text, point)
    if where.quiet:
        return []
    if where.call:
        found = list(_in_call(analysis, where))
        found += [Completion(n, "name") for n in parameters_around(analysis.document, point)]
    elif where.statement in SELECTING and not where.valued:
        found = list(_places(analysis, where))
        found += _statements(where) if where.begins else []
    else:
        found = list(_in_section(analysis, where))
    fits = [c for c in found if c.label.startswith(where.word) and c.label != where.word]
    return list({c.label: c for c in reversed(fits)}.values())[::-1]


def _in_call(analysis: Analysis, where: Context) -> Iterator[Completion]:
    if where.call in OPTIONS:
        options = OPTIONS[where.call]
        words = options.get(where.argument, ())
        yield from (Completion(w, "choice") for w in words)
        if not where.argument:
            yield from (Completion(f"{n} = ", "argument") for n in options if n not in where.given)
        return
    own = _own_arguments(analysis, where.call)
    signature = signature_of(where.call)
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
            yield from _choices(analysis, signature, name)
    yield from _names(analysis)


def _choices(analysis: Analysis, model: type[BaseModel], argument: str) -> Iterator[Completion]:
    fields = {info.alias or name: name for name, info in model.model_fields.items()}
    allowed = choices(model, fields[argument])
    yield from (Completion(w, "choice") for w in allowed.words)
    yield from (Completion(c, "op", spelling(s)) for c, s in allowed.calls.items())
    if allowed.conditions:
        yield from (Completion(n, "name", "a condition") for n in ["self", *_conditions(analysis)])


def _conditions(analysis: Analysis) -> Iterable[str]:
    model = analysis.checked.resolved.model if analysis.checked else None
    return model.conditions if model else ()


def _own_arguments(analysis: Analysis, name: str) -> list[str]:
    """The arguments of what the files declare: blocks, the parent's params, data in a mix."""
    resolved = analysis.checked.resolved if analysis.checked else None
    if name == "mix" and resolved:
        return list(resolved.data)
    if name == "grows" and resolved and resolved.parent:
        return [b.name for b in resolved.parent.document.params]
    if resolved and name in resolved.blocks:
        return [n for n, _ in resolved.blocks[name].block.parameters]
    document = analysis.document
    mine = [b for b in (document.blocks if document else ()) if b.name == name]
    return [n for n, _ in mine[0].parameters] if mine else []


def _names(analysis: Analysis) -> Iterator[Completion]:
    """The params in scope, with their values where they are known."""
    if analysis.checked:
        scope = analysis.checked.resolved.scope
        for name in sorted(scope.names()):
            bound = scope.lookup(name)
            yield Completion(name, "name", str(bound.value) if bound else "")
    if analysis.document:
        yield from (Completion(b.name, "name") for b in analysis.document.params)


def _places(analysis: Analysis, where: Context) -> Iterator[Completion]:
    """Components and what lies below them: the parent's for growth, the model's for the rest."""
    checked = analysis.checked
    if where.section == "model" and where.statement != "init" and checked:
        checked = checked.parent
    if checked is None:
        return
    net = checked.net
    prefix, dot, _ = where.word.rpartition(".")
    if dot:
        for name in below(_steps(prefix), list(net.table)):
            yield Completion(f"{prefix}.{name.split('[')[0]}", "place", name)
        return
    yield from (Completion(spelt(c.name), "place", f"{c.output}") for c in net.components)
    yield from (Completion(word, "keyword") for word in ("all", "except"))


def _steps(selector: str) -> tuple[Step, ...]:
    """The steps of a selector's text; none where it does not parse."""
    document = read(f"grow 1 model m {{ keep {selector} }}", "", Findings())
    statements = document.models[0].statements if document else ()
    verb = statements[0] if statements else None
    return verb.selection.included[0].steps if isinstance(verb, Verb) else ()


def _in_section(analysis: Analysis, where: Context) -> Iterator[Completion]:
    if where.statement in PIPES or where.section == "block":
        yield from (_op(name) for name in pipe_ops())
        blocks = analysis.checked.resolved.blocks if analysis.checked else {}
        yield from (Completion(name, "op", "a block") for name in blocks)
        yield from _names(analysis)
    if where.valued:
        yield from _values(analysis, where)
    yield from _statements(where)


def _statements(where: Context) -> Iterator[Completion]:
    """The keywords and settings that begin a statement."""
    yield from (Completion(k, "keyword") for k in STATEMENTS.get(where.section, ()))
    if where.section == "model":
        yield from (Completion(f"{n} = ", "keyword") for n in [*BINDINGS, "skips"])
    model = SETTINGS.get(where.section)
    settings: Iterable[str] = model.model_fields if model else ()
    if where.section == "phase":
        settings = PHASE_SETTINGS
    elif where.section == "train":
        settings = [*settings, *RUN_SETTINGS]
    yield from (Completion(f"{n} = ", "keyword", _described(where.section, n)) for n in settings)


def _values(analysis: Analysis, where: Context) -> Iterator[Completion]:
    """What a binding may be."""
    yield from (Completion(n, "op", spelling(s)) for n, s in signatures(where).items())
    if where.section == "model" and where.statement == "skips":
        yield from (Completion(word, "choice") for word in SKIPS)
    if where.section == "train":
        yield from (Completion(word, "choice") for word in RUN_CHOICES.get(where.statement, ()))
    if where.statement == "data":
        names = analysis.checked.resolved.data if analysis.checked else ()
        yield from (Completion(name, "name", "data") for name in names)
        yield Completion("mix", "op", "mix(name = share, ...)")
        return
    model = SETTINGS.get(where.section)
    if model and where.statement in model.model_fields:
        yield from _choices(analysis, model, where.statement)
    yield from _names(analysis)


def _op(name: str) -> Completion:
    signature: type[Signature] | None = signature_of(name)
    return Completion(name, "op", spelling(signature) if signature else "")


def _described(section: str, name: str) -> str:
    fields = SETTINGS[section].model_fields
    return (fields[name].description or "") if name in fields else ""
