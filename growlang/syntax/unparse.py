"""Writes a syntax tree as text of the language, in the canonical layout."""

from __future__ import annotations

from collections.abc import Iterable

from growlang.syntax import document as d
from growlang.syntax.fmt import fmt_text

_SUFFIXES = ((10**9, "B"), (10**6, "M"), (10**3, "k"))
_BINDING = {"or": 1, "and": 2, "+": 5, "-": 5, "*": 6, "/": 6}
_NOT, _COMPARISON, _UNARY, _ATOM = 3, 4, 7, 8


def unparse(document: d.Document) -> str:
    """The text of a document, its statements in the order of reading; comments are not in it."""
    found = fmt_text("\n".join(_statements(document)), document.filename)
    assert found.result is not None, found.findings
    return found.result


def expression(node: d.Expression, least: int = 0) -> str:
    """An expression, in parentheses where it binds less than `least`."""
    text, strength = _expression(node)
    return text if strength >= least else f"({text})"


def number(value: d.Number) -> str:
    """A number in its shortest usual form: `2M`, `1.5M`, `0.0001`."""
    if isinstance(value, int):
        for size, suffix in _SUFFIXES:
            if value >= size and value % (size // 100 or 1) == 0 and value % 100 == 0:
                whole, rest = divmod(value, size)
                digits = f"{rest / size:.2f}".rstrip("0").removeprefix("0") if rest else ""
                return f"{whole}{digits}{suffix}"
    return repr(value)


def string(value: str) -> str:
    """A string in double quotes."""
    for sign, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t")):
        value = value.replace(sign, escaped)
    return f'"{value}"'


def _expression(node: d.Expression) -> tuple[str, int]:
    match node:
        case d.Constant(bool(value)):
            return str(value).lower(), _ATOM
        case d.Constant(str(value)):
            return string(value), _ATOM
        case d.Constant(int(value) | float(value)):
            return number(value), _ATOM
        case d.Name(path):
            return path, _ATOM
        case d.Call(name, arguments):
            return f"{name}({_arguments(arguments)})", _ATOM
        case d.ListOf(items):
            return f"[{_arguments(items)}]", _ATOM
        case d.Operation("-", (operand,)):
            return f"-{expression(operand, _UNARY)}", _UNARY
        case d.Operation("not", (operand,)):
            return f"not {expression(operand, _NOT)}", _NOT
        case d.Operation(sign, (left, right)):
            own = _BINDING.get(sign, _COMPARISON)
            first = own + 1 if own == _COMPARISON else own
            return f"{expression(left, first)} {sign} {expression(right, own + 1)}", own
    raise AssertionError(f"no such expression: {node}")


def _arguments(arguments: Iterable[d.Argument]) -> str:
    return ", ".join(
        f"{a.name} = {expression(a.value)}" if a.name else expression(a.value) for a in arguments
    )


def _binding(binding: d.Binding) -> str:
    return f"{binding.name} = {expression(binding.value)}"


def pipe(items: d.Pipe) -> str:
    """The elements of a pipe, with `|` between them."""
    return " | ".join(map(_item, items))


def _item(item: d.Item) -> str:
    if isinstance(item.body, d.Call):
        call = item.body
        body = f"{call.name}({_arguments(call.arguments)})" if call.arguments else call.name
    else:
        body = f"({pipe(item.body)})"
    return body if item.repeat is None else f"{body} * {_place(item.repeat)}"


def _place(node: d.Expression) -> str:
    """A number or a name as it is, anything else in parentheses."""
    plain = isinstance(node, d.Name) or (
        isinstance(node, d.Constant) and not isinstance(node.value, str | bool)
    )
    return expression(node) if plain else f"({expression(node)})"


def _statements(document: d.Document) -> Iterable[str]:
    yield f"grow {document.edition}\n"
    yield from (f"import {string(i.file)} as {i.name}" for i in document.imports)
    yield from (f"param {_binding(b)}" for b in document.params)
    for block in document.blocks:
        parameters = ", ".join(
            name if default is None else f"{name} = {expression(default)}"
            for name, default in block.parameters
        )
        yield f"block {block.name}({parameters}) {{ {pipe(block.pipe)} }}"
    for model in document.models:
        yield from _model(model)
    yield from (f"data {_binding(b)}" for b in document.data)
    for recipe in document.recipes:
        name = "" if recipe.name == "main" else f" {recipe.name}"
        settings = map(_binding, recipe.settings)
        yield "\n".join([f"train{name} {{", *settings, *map(_phase, recipe.phases), "}"])
    for section in document.sections:
        yield f"{section.kind} {{ {'  '.join(map(_binding, section.settings))} }}"


def _model(model: d.Model) -> Iterable[str]:
    grows = ""
    if model.grows:
        params = f" ({_arguments(model.grows.params)})" if model.grows.params else ""
        grows = f" grows {string(model.grows.file)}{params}"
    yield f"model {model.name}{grows} {{"
    group = None
    for statement in model.statements:
        kind = isinstance(statement, d.Slot), isinstance(statement, d.Binding)
        if group not in (None, kind):
            yield ""
        group = kind
        yield model_statement(statement)
    yield "}"


def model_statement(statement: d.ModelStatement) -> str:
    """One statement of a model."""
    match statement:
        case d.Binding():
            return _binding(statement)
        case d.Verb(verb, selection):
            return f"{verb} {selection}"
        case d.Moved(old, new):
            return f"moved {old} -> {new}"
        case d.GrowBy(selection, rules):
            return f"grow {selection} by {', '.join(map(rule, rules))}"
        case d.Init(selectors, value, like):
            places = ", ".join(map(str, selectors))
            return f"init {places} = {f'like {like}' if like else value}"
        case d.Slot(kind, at, options, encode, decode):
            place = f" @ {_place(at)}" if at is not None else ""
            chosen = f" ({', '.join(map(_binding, options))})" if options else ""
            if decode is None:
                return f"{kind}{place}{chosen} {pipe(encode)}"
            return f"{kind}{place}{chosen} {{\nencode {pipe(encode)}\ndecode {pipe(decode)}\n}}"


def rule(call: d.Call) -> str:
    """A rule of growth: a call, or a name where it has no arguments."""
    return f"{call.name}({_arguments(call.arguments)})" if call.arguments else call.name


def _phase(phase: d.Phase) -> str:
    inside = []
    for statement in phase.statements:
        match statement:
            case d.Binding():
                inside.append(_binding(statement))
            case d.Freeze(selection):
                inside.append(f"freeze {selection}")
            case d.Release(selection):
                inside.append(f"train {selection}")
            case d.LrScale(selector, factor):
                inside.append(f"lr_scale {selector} = {expression(factor)}")
    body = f" {{ {'  '.join(inside)} }}" if inside else ""
    return f"phase {phase.name} for {expression(phase.duration)}{body}"
