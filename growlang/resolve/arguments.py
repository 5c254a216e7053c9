"""Binds the arguments of a call to its signature."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from growlang.diagnostics import Edit, Note, Span
from growlang.diagnostics.literals import literal
from growlang.diagnostics.spelling import nearest, suggestion
from growlang.resolve.names import HOLE, Hole, Names, evaluate, origins
from growlang.signatures.signature import Signature
from growlang.spec.forms import Choices, choices, form, missing, positions
from growlang.spec.words import homes, meant
from growlang.syntax import document as d


class Bindings(NamedTuple):
    """The outcome of binding a call: the signature's instance, and the places of its arguments."""

    value: Signature | None
    spans: dict[str, Span]
    notes: dict[str, list[Note]]


def bind(call: d.Call, signature: type[Signature], scope: Names) -> Bindings:
    """The call's arguments as an instance of its signature, with a finding for each mistake.

    `value` is None where there was one.
    """
    findings = scope.findings
    fields = form(signature).fields
    order = positions(signature, [given.name for given in call.arguments])
    values: dict[str, Any] = {}
    spans: dict[str, Span] = {}
    notes: dict[str, list[Note]] = {}
    broken = False
    for position, given in enumerate(call.arguments):
        name = given.name or (order[position] if position < len(order) else "")
        if name not in fields or name in values:
            broken = True
            _refuse_argument(call, given, name, order, values, scope, signature.moved)
            if not given.name:
                break
            continue
        values[name] = read(given.value, choices(signature, fields[name][0]), scope)
        spans[name] = given.value.span
        notes[name] = origins(given.value, scope)
    lacking = missing(signature, values)
    if lacking and (lacking := [n for n in lacking if n not in _meant(call, order)]):
        broken = True
        listed = ", ".join(f"`{n}` ({fields[n][1].description})" for n in lacking)
        findings.add(
            "G202",
            f"`{call.name}` is missing its argument{'s' * (len(lacking) > 1)} {listed}",
            call.span,
            help=_form(call, signature, lacking),
        )
    try:
        known = {n: v for n, v in values.items() if v is not HOLE}
        instance = signature.model_validate(known)
    except ValidationError as error:
        for name, item in first_errors(error).items():
            if name in known:
                info = fields[name][1]
                report(item, name, info, spans[name], notes[name], scope)
            elif item["type"] == "value_error":
                message, *help = item["ctx"]["error"].args
                findings.add("G201", f"`{call.name}`: {message}", call.span, help="".join(help))
        return Bindings(None, spans, notes)
    complete = not broken and len(known) == len(values)
    return Bindings(instance if complete else None, spans, notes)


def _meant(call: d.Call, order: list[str]) -> set[str]:
    """The arguments that the call's unknown ones were probably meant to be."""
    unknown = [a.name for a in call.arguments if a.name and a.name not in order]
    return {match for name in unknown for match in nearest(name, order)}


def read(expression: d.Expression, allowed: Choices, scope: Names) -> Any:
    """The value of an argument: a choice, a nested call, a list of such, or an expression."""
    match expression:
        case d.Name(path) if path in allowed.words or allowed.calls.find(path):
            return _chosen(expression, allowed, scope)
        case d.Name("none") if allowed.nothing and scope.lookup("none") is None:
            return None
        case d.Name(path) if allowed.conditions:
            return path
        case d.Operation() | d.Call() | d.Constant() if allowed.conditions:
            _refuse_condition(expression, scope)
            return HOLE
        case d.Name(path) if (allowed.words or allowed.calls) and scope.lookup(path) is None:
            return _refuse_choice(expression, allowed, scope)
        case d.Name(path) if allowed.text and "." not in path and scope.lookup(path) is None:
            return _refuse_word(expression, scope)
        case d.Call(name) if allowed.calls.find(name):
            return _instance(expression, allowed, scope)
        case d.Call(name) if name in allowed.words:
            return _refuse_arguments(expression, scope)
        case d.Call(name) if allowed.calls and name not in ("min", "max"):
            return _refuse_call(expression, allowed, scope)
        case d.ListOf(items) if items and all(item.name for item in items):
            return _named(items, allowed, scope)
        case d.ListOf(items):
            listed = [read(item.value, allowed, scope) for item in items]
            return HOLE if any(v is HOLE for v in listed) else listed
        case _:
            return evaluate(expression, scope)


def _chosen(expression: d.Name, allowed: Choices, scope: Names) -> Any:
    """The word, or the call without arguments, that a name stands for."""
    path, bound = expression.path, scope.lookup(expression.path)
    if bound is None:
        return path if path in allowed.words else _instance(_bare(expression), allowed, scope)
    scope.findings.add(
        "G105",
        f"`{path}` is a choice of this argument and also a name in scope",
        expression.span,
        help="rename the param",
        notes=[Note(f"`{path}` is defined here", bound.span)],
    )
    return HOLE


def _named(items: Iterable[d.Argument], allowed: Choices, scope: Names) -> Any:
    """A value by name, as `drop = [text = 0.1]` gives them."""
    named: dict[str, Any] = {}
    for item in items:
        if item.name in named:
            message = f"`{item.name}` is repeated in the list"
            scope.findings.add("G203", message, item.span, help="remove one")
            return HOLE
        named[item.name] = read(item.value, allowed, scope)
    return HOLE if any(v is HOLE for v in named.values()) else named


def _refuse_choice(given: d.Name, allowed: Choices, scope: Names) -> Hole:
    """A finding about a name that is none of the choices."""
    path, place = given.path, given.span
    known = [*allowed.words, *allowed.calls.names()]
    number = "write a number, or " * allowed.numbers
    choose = f"{number}choose {' | '.join(known)}"
    beyond, rivals = allowed.calls.elsewhere(path), scope.names()
    help, edits = meant(place, path, known, choose, "word", rivals=rivals, beyond=beyond)
    scope.findings.add("G101", f"invalid choice `{path}`", place, help=help, edits=edits)
    return HOLE


def _refuse_word(given: d.Name, scope: Names) -> Hole:
    """A finding about a bare word that no name in scope explains, where a string stands."""
    path, place = given.path, given.span
    near = suggestion(path, scope.names())
    quoted = f'rite `"{path}"`, with quotes, for the string'
    help = f"{near} Or w{quoted}" if near else f"w{quoted}"
    scope.findings.add("G101", f"`{path}` is not defined", place, help=help)
    return HOLE


def _refuse_arguments(given: d.Call, scope: Names) -> Hole:
    """A finding about a word that is called here, and may be called elsewhere."""
    called = [h.example for h in homes()[given.name] if h.form == "call"]
    help = f"write `{given.name}`"
    help += f"; with arguments it belongs in {' or '.join(called)}" if called else ""
    scope.findings.add("G203", f"`{given.name}` takes no arguments here", given.span, help=help)
    return HOLE


def _refuse_call(given: d.Call, allowed: Choices, scope: Names) -> Hole:
    """A finding about a call of what is none of the choices."""
    name, known = given.name, allowed.calls.names()
    choose, beyond = f"choose {' | '.join(known)}", allowed.calls.elsewhere(given.name)
    help, edits = meant(given.name_span, name, known, choose, "call", beyond=beyond)
    message = f"`{name}` cannot be called here"
    scope.findings.add("G106", message, given.name_span, help=help, edits=edits)
    return HOLE


def _refuse_condition(given: d.Expression, scope: Names) -> None:
    """A finding about a value where a condition is named, such as a sum of two."""
    names = list(dict.fromkeys(_names(given)))
    help = "write the name of a condition, or `self`"
    if isinstance(given, d.Constant) and isinstance(given.value, str):
        help = f"write `{given.value}`"
    elif names:
        help = f"write `{', '.join(names)}`: each is attended to in a sublayer of its own"
    message = "`attend` takes names of conditions, not expressions"
    scope.findings.add("G201", message, given.span, help=help)


def _names(given: d.Expression) -> Iterator[str]:
    match given:
        case d.Name(path):
            yield path
        case d.Operation(_, operands):
            for operand in operands:
                yield from _names(operand)
        case d.Call(_, arguments) | d.ListOf(arguments):
            for argument in arguments:
                yield from _names(argument.value)


def first_errors(error: ValidationError) -> dict[str, Any]:
    """One error for each field that pydantic refuses, though a union has one for each choice."""
    found: dict[str, Any] = {}
    for item in error.errors():
        found.setdefault(str(item["loc"][0]) if item["loc"] else "", item)
    return found


def report(
    item: Any, name: str, info: FieldInfo | None, span: Span, notes: list[Note], scope: Names
) -> None:
    """Turn one error of pydantic's into a finding."""
    context, kind, value = item.get("ctx", {}), item["type"], item["input"]
    shown = f"`{json.dumps(value) if isinstance(value, str) else literal(value)}`"
    limits = {
        "greater_than": ("gt", "more than"),
        "greater_than_equal": ("ge", "at least"),
        "less_than": ("lt", "less than"),
        "less_than_equal": ("le", "at most"),
    }
    if kind in limits:
        key, words = limits[kind]
        wanted = f"must be {words} {context[key]:g}"
    elif kind == "literal_error":
        wanted = "must be " + context["expected"].replace("'", "`")
    elif kind in ("too_short", "too_long"):
        bound = context.get("min_length") or context.get("max_length")
        wanted = f"must have {bound} items"
        shown = f"{context['actual_length']}"
    elif kind == "value_error":
        wanted = str(context["error"])
    else:
        wanted = "must be " + TYPES.get(kind, "of another type")
    about = f" ({info.description})" if info and info.description else ""
    scope.findings.add(
        "G201",
        f"`{name}` {wanted}, not {shown}",
        span,
        help="" + f"`{name}`{about}" if about else "",
        notes=notes,
    )


TYPES = {
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "bool_type": "`true` or `false`",
    "string_type": "a string",
    "list_type": "a list",
    "dict_type": "a list of `name = value`",
    "model_type": "a call",
    "model_attributes_type": "a call",
}


def _instance(call: d.Call, allowed: Choices, scope: Names) -> Any:
    return bind(call, allowed.calls.require(call.name), scope).value or HOLE


def _bare(name: d.Name) -> d.Call:
    return d.Call(name.path, (), name.span, name.span)


def _refuse_argument(
    call: d.Call,
    given: d.Argument,
    name: str,
    order: list[str],
    values: dict[str, Any],
    scope: Names,
    moved: Mapping[str, str],
) -> None:
    edits: tuple[Edit, ...] = ()
    if name in values:
        message, help = f"`{call.name}` is given `{name}` twice", "remove one"
    elif given.name in moved:
        message, help = f"`{call.name}` has no argument `{name}`", moved[given.name]
    elif given.name:
        message = f"`{call.name}` has no argument `{name}`"
        has = f"it has {', '.join(order) or 'none'}"
        taken = {*values, *(a.name for a in call.arguments)}
        help, edits = meant(given.span, name, order, has, "name", taken=taken)
    else:
        most = f"at most {len(order)}" if order else "no"
        message = f"`{call.name}` takes {most} argument{'s' * (len(order) != 1)}"
        help = f"remove it: it has {', '.join(order)}" if order else f"write `{call.name}`"
    surplus = [a.span for a in call.arguments if not a.name and a.span >= given.span]
    span = given.span if given.name else given.span.to(surplus[-1])
    scope.findings.add("G203", message, span, help=help, edits=edits)


def _form(call: d.Call, signature: type[Signature], lacking: Sequence[str]) -> str:
    """What is to be added where it is text, and other arguments are there already.

    Else the call as it could be written: required arguments by position, the choices of each.
    """
    known = form(signature)
    if call.arguments and all(known.fields[name][1].annotation is str for name in lacking):
        added = ", ".join(f'{name} = "..."' for name in lacking)
        return f"add `{added}`"
    words = {name: choices(signature, known.fields[name][0]).words for name in known.required}
    listed = "".join(f", with `{name}` one of {' | '.join(w)}" for name, w in words.items() if w)
    others = (
        ", ".join([*(n for n in known.required if n != spared), f"{other} = [...]"])
        for spared, other in signature.instead.items()
    )
    instead = "".join(f", or `{call.name}({other})`" for other in others)
    return f"write `{call.name}({', '.join(known.required)})`{listed}{instead}"
