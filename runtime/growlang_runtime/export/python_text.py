"""Values as text of Python: on lines that have room, and strings so that they stay strings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

WIDTH = 100


class Call(NamedTuple):
    """A call as it is written: positional values, then those by name."""

    name: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = {}


def quoted(text: str) -> str:
    """A string as a literal, in double quotes if all of it can be printed."""
    return json.dumps(text, ensure_ascii=False) if text.isprintable() else repr(text)


def inside(text: str) -> str:
    """A text for a docstring, which it cannot end."""
    return json.dumps(text)[1:-1]


def render(value: Any, indent: int) -> str:
    """A value as it is written, on lines of at most 100 characters from an indent on."""
    flat = _line(value)
    if isinstance(value, list) and len(flat) + indent > WIDTH - 4:
        rows = [f"{render(v, indent + 4)}," for v in value]
        return "\n".join(["[", *(" " * (indent + 4) + row for row in rows), " " * indent + "]"])
    if len(flat) + indent <= WIDTH - 4 or not isinstance(value, Call | dict):
        return flat
    inside, step = " " * (indent + 4), indent + 4
    if isinstance(value, dict):
        rows = [f"{quoted(name)}: {render(v, step)}," for name, v in value.items()]
        opening, closing = "nn.ModuleDict({", "})"
    else:
        rows = [f"{render(v, step)}," for v in value.args]
        rows += [f"{name}={render(v, step)}," for name, v in value.kwargs.items()]
        opening, closing = f"{value.name}(", ")"
    return "\n".join([opening, *(inside + row for row in rows), " " * indent + closing])


def _line(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_line, value))}]"
    if isinstance(value, Call):
        given = [_line(v) for v in value.args] + [
            f"{n}={_line(v)}" for n, v in value.kwargs.items()
        ]
        return f"{value.name}({', '.join(given)})"
    if isinstance(value, dict):
        return (
            f"nn.ModuleDict({{{', '.join(f'{quoted(n)}: {_line(v)}' for n, v in value.items())}}})"
        )
    return quoted(value) if isinstance(value, str) else repr(value)


def indented(whole: str, text: str, path: str, indent: int) -> str:
    """A call of `place` on one line if it has room, else its last argument on lines of its own."""
    if len(whole) + indent <= WIDTH and "\n" not in whole:
        return " " * indent + whole
    before = quoted(path) if path else "path"
    inner = " " * (indent + 4)
    text = text if indent == 8 else text.replace("\n", "\n    ")
    return f"{' ' * indent}place(\n{inner}self,\n{inner}{before},\n{inner}{text},\n{' ' * indent})"
