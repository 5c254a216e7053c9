"""Writes a syntax tree in the YAML syntax."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from growlang.diagnostics import GrowlangError
from growlang.model import INPUTS
from growlang.syntax import document as d
from growlang.syntax import unparse
from growlang.twin import fields as f
from growlang.twin.fields import Field

WIDTH = 100
ITEM_KEYS = ("group", "call", "repeat")
"""Keys of an element of a pipe that are not ops."""
_PLAIN = re.compile(r"(= )?[A-Za-z_./][A-Za-z0-9_./@<>()*+-]*( [A-Za-z0-9_./<>()=*+-]+)*")
_RESERVED = re.compile(r"null|true|false|y|n|yes|no|on|off|[-+]?\.(inf|nan)", re.IGNORECASE)
_HIDDEN = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


class Tall(dict[str, Any]):
    """A mapping that is written with one key a line, even where it would fit on one line."""


class Rows(list[Any]):
    """A list that is written with one item a line."""


SCHEMA = "grow-1.json"
"""Where editors find the JSON Schema, relative to the file: `growlang schema` prints it."""


def write(document: d.Document) -> str:
    """The document as YAML that names its JSON Schema; comments are not in it.

    Raises GrowlangError where a name stands twice, which YAML cannot say.
    """
    head = f"# yaml-language-server: $schema={SCHEMA}\n"
    return head + "\n".join(_block(_document(document), 0)) + "\n"


# --- the tree as data ----------------------------------------------------------------------------


def _table(pairs: Iterable[tuple[str, Any]], kind: type[dict[str, Any]] = dict) -> dict[str, Any]:
    found = kind()
    for name, value in pairs:
        if name in found:
            raise GrowlangError(f"`{name}` is there twice", help="check the file first")
        found[name] = value
    return found


def _document(document: d.Document) -> Tall:
    found: Tall = Tall(grow=document.edition)
    if document.imports:
        found["imports"] = Rows({"file": i.file, "as": i.name} for i in document.imports)
    if document.params:
        found["params"] = _table((b.name, value(b.value)) for b in document.params)
    if document.blocks:
        found["blocks"] = _table(((b.name, _block_of(b)) for b in document.blocks), Tall)
    if len(document.models) > 1:
        raise GrowlangError("a file holds one model", help="check the file first")
    for model in document.models:
        found["model"] = _model(model)
    if document.data:
        found["data"] = _table(((b.name, value(b.value, f.SOURCE)) for b in document.data), Tall)
    if document.recipes:
        found["train"] = Rows(map(_recipe, document.recipes))
    sections = ((s.kind, _settings(s.kind, s.settings)) for s in document.sections)
    return Tall({**found, **_table(sections)})


def _block_of(block: d.Block) -> Tall:
    parameters = ((n, None if v is None else value(v)) for n, v in block.parameters)
    return Tall(parameters=_table(parameters), pipe=_pipe(block.pipe))


def _settings(section: str, bindings: Iterable[d.Binding]) -> dict[str, Any]:
    return _table((b.name, value(b.value, f.setting(section, b.name))) for b in bindings)


def _model(model: d.Model) -> Tall:
    found: Tall = Tall(name=model.name)
    if model.grows:
        found["grows"] = {"file": model.grows.file}
        if model.grows.params:
            found["grows"]["params"] = _table((a.name, value(a.value)) for a in model.grows.params)
    bound: dict[str, Any] = {}
    conditions = Tall()
    slots: dict[str, Any] = {}
    for statement in model.statements:
        match statement:
            case d.Verb(verb, selection):
                found.setdefault(verb, []).extend(_selection(selection))
            case d.Moved(old, new):
                found.setdefault("moved", Rows()).append({"from": str(old), "to": str(new)})
            case d.GrowBy(selection, rules):
                by = [unparse.rule(r) for r in rules]
                found.setdefault("grow", Rows()).append({"select": str(selection), "by": by})
            case d.Init(selector, word, like):
                what = f"like {like}" if like else word
                found.setdefault("init", Rows()).append({"select": str(selector), "value": what})
            case d.Binding(name, expression):
                fixed = name in (*INPUTS, "skips")
                written = value(expression, f.WORD if name == "skips" else f.binding(name))
                _put(bound if fixed else conditions, name, written)
            case d.Slot("stage"):
                slots.setdefault("stages", Rows()).append(_slot(statement))
            case d.Slot(kind):
                _put(slots, kind, _slot(statement))
    if conditions:
        bound["conditions"] = conditions
    order = ("stem", "stages", "core", "head")
    return Tall({**found, **bound, **{k: slots[k] for k in order if k in slots}})


def _put(table: dict[str, Any], name: str, written: Any) -> None:
    if name in table:
        raise GrowlangError(f"`{name}` is there twice", help="check the file first")
    table[name] = written


def _selection(selection: d.Selection) -> list[str]:
    return [str(selection)] if selection.excluded else list(map(str, selection.included))


def _slot(slot: d.Slot) -> Any:
    options = ((o.name, value(o.value, f.OPTIONS.get(o.name, f.WORD))) for o in slot.options)
    at = {"at": value(slot.at)} if slot.at is not None else {}
    head = _table([*at.items(), *options], Tall)
    if slot.decode is not None:
        return Tall({**head, "encode": _pipe(slot.pipe), "decode": _pipe(slot.decode)})
    return Tall({**head, "pipe": _pipe(slot.pipe)}) if head else _pipe(slot.pipe)


def _pipe(items: d.Pipe) -> Rows:
    return Rows(map(_item, items))


def _item(item: d.Item) -> Any:
    if not isinstance(item.body, d.Call):
        body: dict[str, Any] = {"group": _pipe(item.body)}
    elif not item.body.arguments and item.repeat is None:
        return item.body.name
    else:
        arguments = _call(item.body, f.PIPE)
        if arguments is None or item.body.name in ITEM_KEYS:
            body = {"call": f"= {unparse.expression(item.body)}"}
        else:
            body = {item.body.name: arguments}
    return Tall(body if item.repeat is None else {**body, "repeat": value(item.repeat)})


def _recipe(recipe: d.Recipe) -> Tall:
    return Tall(
        {
            "recipe": recipe.name,
            **_settings("train", recipe.settings),
            "phases": Rows(map(_phase, recipe.phases)),
        }
    )


def _phase(phase: d.Phase) -> dict[str, Any]:
    found: dict[str, Any] = {"name": phase.name, "for": _duration(phase.duration)}
    scales: list[tuple[str, Any]] = []
    for statement in phase.statements:
        match statement:
            case d.Freeze(selection):
                found.setdefault("freeze", []).extend(_selection(selection))
            case d.LrScale(selector, factor):
                scales.append((str(selector), value(factor)))
            case d.Binding(name, expression):
                _put(found, name, value(expression, f.setting("train", name)))
    return {**found, "lr_scale": _table(scales)} if scales else found


def _duration(duration: d.Expression) -> Any:
    match duration:
        case d.Call("images" | "epochs" as unit, (d.Argument("", count),)):
            return {unit: value(count)}
        case _:
            return value(duration)


# --- expressions ---------------------------------------------------------------------------------


def value(node: d.Expression, field: Field = Field()) -> Any:  # noqa: B008
    """An expression as data where YAML can say it, otherwise as a string that starts with `=`."""
    match node:
        case d.Constant(str(text)):
            if not field.names and not text.startswith("="):
                return text
        case d.Constant(number):
            return number
        case d.Operation("-", (d.Constant(int(number) | float(number)),)) if number:
            return -number
        case d.Name(path) if field.names and "." not in path:
            return path
        case d.Call(name):
            arguments = _call(node, field)
            if arguments is not None and (name in field.calls or name == "mix"):
                return {name: arguments}
        case d.ListOf(items) if not any(i.name for i in items):
            return [value(i.value, field) for i in items]
        case d.ListOf(items) if all(i.name for i in items):
            named = {i.name: value(i.value, field) for i in items}
            call = len(named) == 1 and isinstance(next(iter(named.values())), dict | None)
            if len(named) == len(items) and not call:
                return named
    return f"= {unparse.expression(node)}"


def _call(call: d.Call, field: Field) -> dict[str, Any] | None:
    """A call's arguments by name; None where they have no names."""
    order = field.order(call.name) or []
    found: dict[str, Any] = {}
    for position, given in enumerate(call.arguments):
        name = given.name or (order[position] if position < len(order) else "")
        if not name or name in found:
            return None
        found[name] = value(given.value, field.argument(call.name, name))
    return found


# --- data as text --------------------------------------------------------------------------------


def _block(data: Any, indent: int) -> list[str]:
    """Lines of a mapping or a list in block style."""
    lines: list[str] = []
    space = " " * indent
    if isinstance(data, Mapping):
        for key, item in data.items():
            head = f"{space}{_text(key)}:"
            flat = _flat(item)
            if not _tall(item) and len(head) + 1 + len(flat) <= WIDTH:
                lines.append(f"{head} {flat}".rstrip())
            elif isinstance(item, Mapping | list):
                lines += [head, *_block(item, indent + 2)]
            else:
                lines.append(f"{head} {flat}")
        return lines
    for item in data:
        flat = _flat(item)
        fits = not _tall(item) and indent + 2 + len(flat) <= WIDTH
        inner = [flat] if fits or not isinstance(item, Mapping | list) else _block(item, indent + 2)
        lines += [f"{space}- {inner[0].lstrip()}", *inner[1:]]
    return lines


def _tall(data: Any) -> bool:
    return isinstance(data, Tall | Rows) and bool(data)


def _flat(data: Any) -> str:
    if isinstance(data, Mapping):
        return "{" + ", ".join(f"{_text(k)}: {_flat(v)}".rstrip() for k, v in data.items()) + "}"
    if isinstance(data, list):
        return "[" + ", ".join(map(_flat, data)) + "]"
    if isinstance(data, str):
        return _text(data)
    return json.dumps(data)


def _text(text: str) -> str:
    """A string, plain where no reader of YAML takes it for anything else."""
    if _PLAIN.fullmatch(text) and not _RESERVED.fullmatch(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _HIDDEN.sub(lambda m: f"\\u{ord(m[0]):04x}", quoted)
