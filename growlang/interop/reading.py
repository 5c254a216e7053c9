"""Reads tables of names from YAML, and says of each mistake in one where it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args

import yaml
from pydantic import ValidationError

from growlang.diagnostics import GrowlangError, Span
from growlang.diagnostics.literals import shown
from growlang.diagnostics.spelling import nearest
from growlang.diagnostics.text import excerpt
from growlang.interop.table import NameTable

TABLES = Path(__file__).parent / "tables"
NAMED = re.compile("`([^`]+)`")
COPY = "copy_of"
"""The key whose values name a tensor again."""
STRING, MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"
MOST = 10
"""Mistakes that are told at once."""
KINDS = {
    "string_type": "a string",
    "bool_type": "`true` or `false`",
    "int_type": "an integer",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}
"""What pydantic asks for, by its kinds of errors."""
Place = tuple[int | str, ...]
"""The keys and indices that lead from a whole table to a part of it."""


class Mistake(NamedTuple):
    """Something in a table that does not fit."""

    span: Span
    said: str


def known() -> list[str]:
    """The kinds of models that growlang has tables of."""
    return sorted(path.stem for path in TABLES.glob("*.yaml"))


def table_of(model_type: str) -> NameTable:
    """The table of a kind of model. Raises GrowlangError if growlang has none."""
    if model_type not in known():
        listed = ", ".join(known())
        near = "".join(f"did you mean `{name}`? " for name in nearest(model_type, known()))
        raise GrowlangError(
            f"there is no table of names for the model_type `{model_type}`; there is {listed}",
            help=f"{near}write one, as docs/other_models.md shows, and name it: --table FILE",
        )
    return read_table(TABLES / f"{model_type}.yaml")


def read_table(path: Path) -> NameTable:
    """The table in a file. Raises GrowlangError, which names what is wrong and where."""
    try:
        text = path.read_text(encoding="utf-8")
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        mistakes = [*_misread(path, root)]
        value = None if mistakes or root is None else loader.construct_document(root)
    except OSError as error:
        raise GrowlangError(f"{path} cannot be read: {error.strerror}") from error
    except RecursionError:
        raise GrowlangError(f"{path} is nested too deeply") from None
    except (AttributeError, LookupError):  # such as PyYAML's on `!!timestamp abc` and `!!bool abc`
        raise GrowlangError(
            f"{path} has a value that is not of the type that its tag says"
        ) from None
    except (yaml.YAMLError, ValueError) as error:
        where = getattr(error, "problem_mark", None)
        at = f":{where.line + 1}:{where.column + 1}" if where else ""
        raise GrowlangError(
            f"{path}{at} is not YAML: {getattr(error, 'problem', error)}"
        ) from error
    try:
        table = None if mistakes else NameTable.model_validate(value)
    except ValidationError as error:
        mistakes = [*_mistakes(path, root, error)]
    if mistakes or table is None:
        found = sorted(set(mistakes))
        parts = [excerpt(mistake.span, text, mistake.said) for mistake in found[:MOST]]
        parts += [f"and {len(found) - MOST} more"] if found[MOST:] else []
        raise GrowlangError(
            "\n".join([f"{path} is no table of names", *parts]),
            help="docs/other_models.md lists what a table has",
        )
    return table


def _misread(path: Path, root: yaml.Node | None) -> Iterator[Mistake]:
    """Keys that are no strings, or that a mapping has twice: a reader of YAML takes the last."""
    for node in _all(root):
        seen: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            name = key.value if isinstance(key, yaml.ScalarNode) else "..."
            if key.tag not in (STRING, MERGE):
                yield Mistake(_span(path, key), "this key is not a string: quote it")
            elif name in seen:
                yield Mistake(_span(path, key), f"{shown(name)} is there twice")
            seen.add(name)


def _all(root: yaml.Node | None, without: str = "") -> Iterator[yaml.Node]:
    """A node and all values in it but those of a key, each once, though aliases repeat some."""
    seen, left = set[int](), [root]
    while left:
        node = left.pop()
        if node is not None and id(node) not in seen:
            seen.add(id(node))
            yield node
            left += [value for name, (_, value) in _parts(node).items() if name != without]


def _mistakes(path: Path, root: yaml.Node | None, error: ValidationError) -> Iterator[Mistake]:
    """What is wrong, by place; of a choice of types, which pydantic tells one by one, at once."""
    items = [(item, _found(root, item["loc"])) for item in error.errors(include_url=False)]
    meant = {place: _meant(place) for item, place in items if item["type"] == "extra_forbidden"}
    meant = {p: n for p, n in meant.items() if n not in _parts(_at(root, p[:-1])[1])}
    slips = {(*place[:-1], name) for place, name in meant.items()}
    types: dict[Place, list[str]] = {}
    for item, place in items:
        name = item["loc"][-1] if item["loc"] else ""
        if item["type"] == "extra_forbidden":
            near = f"; did you mean `{near}`?" if (near := meant.get(place)) else ""
            yield Mistake(
                _span(path, _at(root, place)[0]), f"{shown(str(name))} is no key here{near}"
            )
        elif item["type"] == "missing" and isinstance(name, str):
            if (*place, name) not in slips:
                yield Mistake(_span(path, _at(root, place)[1]), f"`{name}` is missing")
        elif item["type"] == "value_error":
            said, node = str(item["ctx"]["error"]), _at(root, place)[1]
            yield Mistake(_span(path, _named(node, said) or node), said)
        else:
            types.setdefault(place, []).append(_wanted(item))
    for place, wanted in types.items():
        if not any(other[: len(place)] == place for other in types if other != place):
            said = f"must be {' or '.join(dict.fromkeys(wanted))}"
            yield Mistake(_span(path, _at(root, place)[1]), said)


def _found(root: yaml.Node | None, loc: Iterable[int | str]) -> Place:
    """The part of a place that is there; pydantic adds the types of a choice."""
    place: Place = ()
    for step in loc:
        if step in _parts(_at(root, place)[1]):
            place += (step,)
    return place


def _at(root: yaml.Node | None, place: Place) -> tuple[yaml.Node | None, yaml.Node | None]:
    """The key or item at a place, and the value there."""
    key = node = root
    for step in place:
        key, node = _parts(node)[step]
    return key, node


def _named(node: yaml.Node | None, said: str) -> yaml.Node | None:
    """The last text in a node that a message names."""
    names = NAMED.findall(said)
    nodes = _all(node, without="" if COPY in names else COPY)
    texts = [n for n in nodes if isinstance(n, yaml.ScalarNode) and n.value in names]
    return max(texts, key=lambda text: text.start_mark.index, default=None)


def _parts(node: yaml.Node | None) -> dict[int | str, tuple[yaml.Node, yaml.Node]]:
    match node:
        case yaml.MappingNode():
            keys = [(key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)]
            return {key.value: (key, value) for key, value in keys}
        case yaml.SequenceNode():
            return {index: (item, item) for index, item in enumerate(node.value)}
    return {}


def _span(path: Path, node: yaml.Node | None) -> Span:
    """The place of a node; of an empty file its beginning."""
    if node is None:
        return Span(str(path), 1, 1, 1, 1)
    start, end = node.start_mark, node.end_mark
    return Span(str(path), start.line + 1, start.column + 1, end.line + 1, end.column + 1)


def _meant(path: Place) -> str:
    """The key that another one was probably meant to be; nothing where none is close."""
    fields = NameTable.model_fields
    if len(path) > 1:  # in an entry of a list or a mapping
        fields = get_args(fields[str(path[0])].annotation)[-1].model_fields
    return next(iter(nearest(str(path[-1]), fields)), "")


def _wanted(item: Mapping[str, Any]) -> str:
    if item["type"] == "literal_error":
        return str(item["ctx"]["expected"]).replace("'", "`")
    if item["type"] in ("too_long", "missing"):  # of `absent` or `ratio`
        return "a list of two"
    return KINDS.get(item["type"]) or item["msg"].removeprefix("Input should be ")
