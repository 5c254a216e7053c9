"""Values as the language writes them, for messages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

LONGEST = 120
"""Characters of a name of a file's that a message shows."""


def literal(value: Any) -> str:
    """A value as a spec would say it: `true`, `3e-4`, `[self, text]`; None is `not set`."""
    match value:
        case None:
            return "not set"
        case bool():
            return "true" if value else "false"
        case float():
            return _float(value)
        case Mapping():
            return f"[{_named(value)}]"
        case Sequence() if not isinstance(value, str | bytes):
            return f"[{', '.join(map(literal, value))}]"
        case _:
            return str(value)


def argument(value: Any) -> str:
    """The value of an argument of a node; a call is stored as `{name: {argument: value}}`."""
    match value:
        case Mapping() if len(value) == 1:
            ((name, called),) = value.items()
            if isinstance(called, Mapping):
                return f"{name}({_named(called)})"
    return literal(value)


def _named(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {literal(one)}" for name, one in values.items())


def quoted(text: str) -> str:
    """A string as the language writes it."""
    return json.dumps(text, ensure_ascii=False)


def shown(name: str) -> str:
    """A name that stands in a file, for a message: on one line, and not all of a long one."""
    text = name if name.isprintable() else ascii(name)[1:-1]
    return f"`{text if len(text) <= LONGEST else text[:LONGEST] + '...'}`"


def dimensions(shape: Sequence[int]) -> str:
    """The shape of a tensor: `64x3x4x4`; that of one number is `scalar`."""
    return "x".join(map(str, shape)) or "scalar"


def _float(value: float) -> str:
    """A number in the shorter of its two forms, without the zeros of an exponent."""
    mantissa, _, exponent = f"{value:e}".partition("e")
    short = f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    plain = str(int(value)) if value.is_integer() and abs(value) < 1e6 else repr(value)
    return plain if len(plain) <= len(short) or float(short) != value else short
