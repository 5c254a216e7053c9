"""Pieces of a JSON Schema."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]
EXPRESSION: Json = {"type": "string", "pattern": "^=", "description": "an expression: `= width`"}
NAME = "^[a-z_][a-z0-9_]*$"
_STEP = r"[a-z_][a-z0-9_]*(\[(\*|[0-9][0-9_]*[kMB]?(\.\.[0-9][0-9_]*[kMB]?)?)\])?"
_PLACE = rf"{_STEP}(\.{_STEP})*"
PLACE = f"^{_PLACE}$"
SELECTION = rf"^{_PLACE}(\s+except\s+{_PLACE}(\s*,\s*{_PLACE})*)?$"


def reference(name: str) -> Json:
    """A reference to a definition."""
    return {"$ref": f"#/definitions/{name}"}


def about(description: str, example: Any, inner: Json) -> Json:
    """A schema with words; a reference stands by itself, since draft-07 ignores its neighbours."""
    body = {"allOf": [inner]} if "$ref" in inner else inner
    return {**body, "description": description, "examples": [example]}


def an_object(description: str, properties: Json, required: Iterable[str]) -> Json:
    """An object with these properties and no others."""
    found: Json = {"type": "object", "description": description, "properties": properties}
    if names := list(required):
        found["required"] = names
    return {**found, "additionalProperties": False}


def a_table(inner: Json, keys: str = NAME) -> Json:
    """An object whose values are alike; `keys` is the pattern of its names."""
    return {
        "type": "object",
        "propertyNames": {"pattern": keys},
        "additionalProperties": inner,
    }


def a_list(inner: Json) -> Json:
    """A list of values that are alike."""
    return {"type": "array", "items": inner}


def a_string(description: str = "", pattern: str = "") -> Json:
    """A string, which may have to match a pattern."""
    said = {"description": description, "pattern": pattern}
    return {"type": "string", **{key: text for key, text in said.items() if text}}


def one_of(literal: Any) -> Json:
    """One of the words of a `Literal`."""
    return {"enum": list(literal.__args__)}


def definitions() -> Json:
    """Values and numbers, each open to an expression."""
    return {
        "value": {
            "description": "a number, a boolean, a string, a list, or an expression after `=`",
            "type": ["number", "string", "boolean", "array", "object"],
        },
        "number": {"anyOf": [{"type": "number"}, EXPRESSION]},
        "count": {"anyOf": [{"type": "integer", "minimum": 1}, EXPRESSION]},
        "positive": {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, EXPRESSION]},
    }
