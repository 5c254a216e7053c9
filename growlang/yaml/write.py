"""Writes a syntax tree as nodes of the YAML syntax, each with the place of what it says."""

from __future__ import annotations

from collections.abc import Iterable

from growlang.diagnostics import GrowlangError, Span
from growlang.spec.model import INPUTS
from growlang.spec.words import is_word
from growlang.syntax import document as d
from growlang.syntax import unparse
from growlang.yaml import fields as f
from growlang.yaml.fields import Field
from growlang.yaml.nodes import NOWHERE, List, Map, Node, Scalar

ITEM_KEYS = ("group", "call", "repeat")
"""Keys of an element of a pipe that are not ops."""
Entry = tuple[str, Span, Node]


def nodes(document: d.Document) -> Map:
    """The document in the shape of the YAML syntax, with its places in Grow.

    What has no place of its own there is nowhere: the list that several statements make, and what
    stands in the head of a statement. Raises GrowlangError where a name stands twice, which YAML
    cannot say.
    """
    sections = ((s.kind, s.span, _settings(s.kind, s.settings)) for s in document.sections)
    return _map(
        [
            ("grow", document.span, Scalar(document.edition, document.span)),
            *_group("imports", _list(map(_import, document.imports))),
            *_group("params", _map(_bindings(document.params))),
            *_group("blocks", _map((b.name, b.span, _block(b)) for b in document.blocks)),
            *(("model", m.span, _model(m)) for m in document.models),
            *_group(
                "data", _map((b.name, b.span, value(b.value, f.SOURCE)) for b in document.data)
            ),
            *_group("train", _list(map(_recipe, document.recipes))),
            *sections,
        ]
    )


# --- shapes --------------------------------------------------------------------------------------


def _map(entries: Iterable[Entry], span: Span = NOWHERE) -> Map:
    items: dict[str, Node] = {}
    keys: dict[str, Span] = {}
    for name, at, node in entries:
        if name in items:
            place = next(s for s in (at, keys[name], node.span) if s != NOWHERE)
            raise GrowlangError(
                f"{place}: `{name}` would be a duplicate key in YAML",
                help="remove or rename one",
            )
        items[name], keys[name] = node, at
    return Map(items, keys, span)


def _list(items: Iterable[Node], span: Span = NOWHERE) -> List:
    return List(tuple(items), span)


def _group(name: str, node: Map | List) -> list[Entry]:
    """What statements make together, where there are any."""
    return [(name, NOWHERE, node)] if node.items else []


def _word(name: str, text: str | int, span: Span = NOWHERE) -> Entry:
    return name, span, Scalar(text, span)


def _placeless(node: Node) -> Node:
    """A node of which no part has a place: it stands in the head of a statement."""
    match node:
        case Map(items, keys):
            nowhere = dict.fromkeys(keys, NOWHERE)
            return Map({key: _placeless(value) for key, value in items.items()}, nowhere, NOWHERE)
        case List(items):
            return List(tuple(map(_placeless, items)), NOWHERE)
        case _:
            return node._replace(span=NOWHERE)


# --- statements ----------------------------------------------------------------------------------


def _import(statement: d.Import) -> Map:
    return _map([_word("file", statement.file), _word("as", statement.name)], statement.span)


def _block(block: d.Block) -> Map:
    defaults = (
        (name, NOWHERE, Scalar(None, NOWHERE) if v is None else _placeless(value(v)))
        for name, v in block.parameters
    )
    return _map(
        [("parameters", NOWHERE, _map(defaults)), ("pipe", NOWHERE, _pipe(block.pipe))], block.span
    )


def _bindings(bindings: Iterable[d.Binding]) -> Iterable[Entry]:
    return ((b.name, b.span, value(b.value)) for b in bindings)


def _settings(section: str, bindings: Iterable[d.Binding]) -> Map:
    return _map((b.name, b.span, value(b.value, f.setting(section, b.name))) for b in bindings)


def _model(model: d.Model) -> Map:
    found = [_word("name", model.name)]
    if model.grows:
        params = _map((a.name, NOWHERE, value(a.value)) for a in model.grows.params)
        parts = [_word("file", model.grows.file), *_group("params", params)]
        found.append(("grows", NOWHERE, _placeless(_map(parts))))
    growth: dict[str, list[Entry]] = {}
    for statement in model.statements:
        if entry := _growth(statement):
            growth.setdefault(entry[0], []).append(entry)
    bindings = [s for s in model.statements if isinstance(s, d.Binding)]
    fixed = [b for b in bindings if b.name in INPUTS or is_word(b)]
    own = ((b.name, b.span, value(b.value, _field(b))) for b in fixed)
    conditions = ((b.name, b.span, value(b.value, _field(b))) for b in bindings if b not in fixed)
    slots = [s for s in model.statements if isinstance(s, d.Slot)]
    return _map(
        [
            *found,
            *(_joined(entries) for entries in growth.values()),
            *own,
            *_group("conditions", _map(conditions)),
            *((s.kind, s.span, _slot(s)) for s in slots if s.kind == "stem"),
            *_group("stages", _list(_slot(s) for s in slots if s.kind == "stage")),
            *(
                (s.kind, s.span, _slot(s))
                for kind in ("core", "head")
                for s in slots
                if s.kind == kind
            ),
        ],
        model.span,
    )


def _field(binding: d.Binding) -> Field:
    return f.WORD if is_word(binding) else f.binding(binding.name)


def _growth(statement: d.ModelStatement) -> Entry | None:
    """What a statement of growth adds to the list under its key."""
    match statement:
        case d.Verb(verb, selection, span):
            return verb, span, _selection(selection)
        case d.Moved(old, new, span):
            rows = [_word("from", str(old)), _word("to", str(new))]
        case d.GrowBy(selection, rules, span):
            by = _list(Scalar(unparse.rule(rule), NOWHERE) for rule in rules)
            rows = [_word("select", str(selection)), ("by", NOWHERE, by)]
        case d.Init(selectors, word, like, span):
            places = [Scalar(str(s), NOWHERE) for s in selectors]
            select: Node = _list(places) if places[1:] else places[0]
            what = f"like {like}" if like else word
            rows = [("select", NOWHERE, select), _word("value", what)]
        case _:
            return None
    key = {d.Moved: "moved", d.GrowBy: "grow", d.Init: "init"}[type(statement)]
    return key, NOWHERE, _list([_map(rows, span)])


def _joined(entries: list[Entry]) -> Entry:
    """Statements that YAML says in one list; one that has it alone has its place."""
    name, span, first = entries[0]
    if len(entries) == 1:
        return name, span, first
    items = [item for _, _, node in entries if isinstance(node, List) for item in node.items]
    return name, NOWHERE, _list(items)


def _selection(selection: d.Selection) -> List:
    if selection.excluded:
        return _list([Scalar(str(selection), selection.span)])
    return _list(Scalar(str(s), s.span) for s in selection.included)


def _slot(slot: d.Slot) -> Map | List:
    pipe = _pipe(slot.pipe)
    head: list[Entry] = []
    if slot.at is not None:
        head.append(("at", NOWHERE, _placeless(value(slot.at))))
    for option in slot.options:
        written = value(option.value, f.OPTIONS.get(option.name, f.WORD))
        head.append((option.name, option.span, written))
    if slot.decode is not None:
        sides = [("encode", NOWHERE, pipe), ("decode", NOWHERE, _pipe(slot.decode))]
        return _map([*head, *sides], slot.span)
    if not head:
        return pipe
    return _map([*head, ("pipe", NOWHERE, pipe)], slot.span)


def _pipe(items: d.Pipe) -> List:
    return _list(map(_item, items))


def _item(item: d.Item) -> Node:
    repeat = [("repeat", item.repeat.span, value(item.repeat))] if item.repeat is not None else []
    body = item.body
    if not isinstance(body, d.Call):
        return _map([("group", NOWHERE, _pipe(body)), *repeat], item.span)
    if not body.arguments and not repeat:
        return Scalar(body.name, item.span)
    arguments = None if body.name in ITEM_KEYS else _arguments(body, f.PIPE)
    if arguments is None:
        written: Entry = ("call", body.span, _expression(body))
    else:
        written = (body.name, body.name_span, arguments)
    return _map([written, *repeat], item.span)


def _recipe(recipe: d.Recipe) -> Map:
    settings = _settings("train", recipe.settings)
    return _map(
        [
            _word("recipe", recipe.name),
            *((name, settings.keys[name], node) for name, node in settings.items.items()),
            ("phases", NOWHERE, _list(map(_phase, recipe.phases))),
        ],
        recipe.span,
    )


def _phase(phase: d.Phase) -> Map:
    found = [_word("name", phase.name), ("for", NOWHERE, _placeless(_duration(phase.duration)))]
    chosen: dict[str, list[d.Freeze | d.Release]] = {}
    for statement in phase.statements:
        if isinstance(statement, d.Freeze | d.Release):
            key = "freeze" if isinstance(statement, d.Freeze) else "train"
            chosen.setdefault(key, []).append(statement)
    scales = [s for s in phase.statements if isinstance(s, d.LrScale)]
    for statement in phase.statements:
        if isinstance(statement, d.Binding):
            name = statement.name
            found.append((name, statement.span, value(statement.value, f.setting("train", name))))
        for key, several in chosen.items():
            if statement is several[0]:
                found.append(_joined([(key, s.span, _selection(s.selection)) for s in several]))
    factors = _map((str(s.selector), s.span, value(s.factor)) for s in scales)
    return _map([*found, *_group("lr_scale", factors)], phase.span)


def _duration(duration: d.Expression) -> Node:
    match duration:
        case d.Call("images" | "epochs" as unit, (d.Argument("", count),)):
            return _map([(unit, NOWHERE, value(count))])
        case _:
            return value(duration)


# --- expressions ---------------------------------------------------------------------------------


def value(node: d.Expression, field: Field = Field()) -> Node:  # noqa: B008
    """An expression as data where YAML can say it, otherwise as a string that starts with `=`."""
    match node:
        case d.Constant(str(text)):
            if not field.names and not text.startswith("="):
                return Scalar(text, node.span)
        case d.Constant(number):
            return Scalar(number, node.span)
        case d.Operation("-", (d.Constant(int(number) | float(number)),)) if number:
            return Scalar(-number, node.span)
        case d.Name("none") if field.nothing:
            return Scalar(None, node.span)
        case d.Name(path) if field.names and "." not in path:
            return Scalar(path, node.span)
        case d.Call(name):
            arguments = _arguments(node, field)
            if arguments is not None and (name in field.calls or name == "mix"):
                return _map([(name, node.name_span, arguments)], node.span)
        case d.ListOf(items) if not any(i.name for i in items):
            return _list((value(i.value, field) for i in items), node.span)
        case d.ListOf(items) if all(i.name for i in items):
            named = {i.name: value(i.value, field) for i in items}
            call = len(named) == 1 and isinstance(next(iter(named.values())), Map)
            if len(named) == len(items) and not call:
                return _map(((i.name, i.span, named[i.name]) for i in items), node.span)
    return _expression(node)


def _expression(node: d.Expression) -> Scalar:
    return Scalar(f"= {unparse.expression(node)}", node.span)


def _arguments(call: d.Call, field: Field) -> Map | None:
    """A call's arguments by name; None where they have no names."""
    order = field.order(call.name, [given.name for given in call.arguments]) or []
    found: dict[str, Entry] = {}
    for position, given in enumerate(call.arguments):
        name = given.name or (order[position] if position < len(order) else "")
        if not name or name in found:
            return None
        found[name] = name, given.span, value(given.value, field.argument(call.name, name))
    return _map(found.values(), call.span)
