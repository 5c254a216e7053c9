"""Reads what is given beside a file: `NAME=VALUE` for a param, `PATH=VALUE` for a setting."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from growlang.diagnostics import GrowlangError, Span
from growlang.resolve.overrides import COMMAND_LINE as FILE
from growlang.resolve.overrides import Given, Word
from growlang.spec.forms import form
from growlang.spec.optimizers import OPTIMIZERS
from growlang.spec.recipe import Evaluate, Sample, Settings
from growlang.syntax import document as d
from growlang.syntax.grow import read

ABOVE = "grow 1 param value = (\n"
"""Stands above a value where it is read, so that the value begins a line."""


def read_given(
    params: Mapping[str, str], texts: MutableMapping[str, str]
) -> tuple[dict[str, d.Argument], list[Given]]:
    """The values for params by name, and those for settings, whose paths have dots.

    Their text is put into `texts`, where findings have their excerpts from. Raises GrowlangError
    for a value that does not parse.
    """
    lines = [f"{FILE} {name}={' '.join(text.split())}" for name, text in params.items()]
    if lines:
        texts[FILE] = "\n".join(lines)
    arguments: dict[str, d.Argument] = {}
    settings: list[Given] = []
    for row, (name, text) in enumerate(params.items(), 1):
        value = _value(name, " ".join(text.split()), row)
        if "." in name:
            settings.append(Given(_path(name, row), value))
        else:
            arguments[name] = d.Argument(name, value, value.span)
    return arguments, settings


def _path(name: str, row: int) -> tuple[Word, ...]:
    words, column = [], len(FILE) + 2
    for word in name.split("."):
        words.append(Word(word, Span(FILE, row, column, row, column + len(word))))
        column += len(word) + 1
    if not all(word.name for word in words):
        raise GrowlangError(
            f"`{FILE} {name}=...`: two dots, or one at an end, name nothing",
            help="write a path such as `train.optimizer.lr`",
        )
    return tuple(words)


def _value(name: str, text: str, row: int) -> d.Expression:
    """The value, its places those in the line that is given."""
    document = read(f"{ABOVE}{text}\n)", FILE).result
    if document is None or len(document.params) != 1:
        example = "train.optimizer.lr=3e-4" if "." in name else "width=512"
        words = "; strings stand in double quotes" if text.replace(" ", "").isalpha() else ""
        words = "; of a list of values `train` alone makes a run each" if "," in text else words
        raise GrowlangError(
            f"`{FILE} {name}={text}` is not {'PATH' if '.' in name else 'NAME'}=VALUE",
            help=f"write `{FILE} {example}`{words}",
        )
    begin = len(f"{FILE} {name}=")
    value: d.Expression = _moved(document.params[0].value, row, begin)
    if isinstance(value, d.Constant | d.Name):
        return value
    end = begin + 1 + len(text)
    return value._replace(span=Span(FILE, row, begin + 1, row, end))


def _moved(node: Any, row: int, columns: int) -> Any:
    """A tree whose places are in line 2, with places in another line, further to the right."""
    if isinstance(node, Span):
        begin, end = node.column + columns, node.end_column + columns
        return Span(node.filename, row, begin, row, end)
    if not isinstance(node, tuple):
        return node
    inner = [_moved(part, row, columns) for part in node]
    return type(node)(*inner) if hasattr(node, "_fields") else tuple(inner)


def paths_of(name: str) -> list[str]:
    """The paths of the settings that have a name, the likeliest first."""
    found = [f"train.{name}"] if name in Settings.model_fields else []
    for call in OPTIMIZERS.values():
        if name in form(call).fields:
            found.append(f"train.optimizer.{name}")
    for section, model in (("sample", Sample), ("evaluate", Evaluate)):
        found += [f"{section}.{name}"] if name in model.model_fields else []
    return found
