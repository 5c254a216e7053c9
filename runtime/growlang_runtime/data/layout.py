"""What is read of a sample: its members by their endings, and the fields of JSON among them."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from growlang.plans.plan import SEMANTICS
from growlang.spec.data import WebDataset

TEXTS = ("caption", "label")
"""Members that hold a value for a condition."""
SIDECAR = "json"
"""The member that `row.json` reads, and its ending."""
MEMBERS = ("image", *TEXTS, SIDECAR)
"""Members that an index knows, in the order of its columns."""

Declared = Sequence[tuple[str, str]]
"""Endings in the order of preference; behind each the field of JSON that is meant, or nothing."""


@dataclass(frozen=True)
class Layout:
    """The members that are read of each sample, by the endings that hold them.

    A sample that lacks one of them is left out; only the sidecar may be absent.
    """

    declared: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    semantics: int = SEMANTICS

    @staticmethod
    def of(
        webdataset: WebDataset,
        reads: Collection[str] = TEXTS,
        sidecar: bool = False,
        semantics: int = SEMANTICS,
    ) -> Layout:
        """The layout of a source of which `reads`, of caption and label, are needed."""
        found = {"image": parsed(webdataset.image)}
        found |= {m: parsed(getattr(webdataset, m)) for m in TEXTS if m in reads}
        if sidecar:
            found[SIDECAR] = [(SIDECAR, "")]
        return Layout(tuple((m, tuple(d)) for m, d in found.items() if d), semantics)

    def endings(self, member: str) -> list[str]:
        """The endings of a member, the preferred first; none where it is not read."""
        declared = dict(self.declared).get(member, ())
        return list(dict.fromkeys(ending for ending, _ in declared))

    def fields(self, member: str, ending: str) -> list[str]:
        """The fields of the JSON behind an ending; none where the member is the value itself."""
        declared = dict(self.declared).get(member, ())
        fields = [field for found, field in declared if found == ending]
        return [] if "" in fields else fields

    @property
    def needed(self) -> list[str]:
        """The members without which a sample is left out."""
        return [member for member, _ in self.declared if member != SIDECAR]


def parsed(value: str | Sequence[str] | None) -> list[tuple[str, str]]:
    """What `image`, `caption` or `label` of a source declares: `json:meta.title` is a field."""
    listed = [value] if isinstance(value, str) else value or []
    pairs = [text.partition(":") for text in listed]
    return [(ending.lower().lstrip("."), field) for ending, _, field in pairs]


def read_fields(where: Any) -> set[str]:
    """The fields of a row that a predicate reads, such as `width` and `json.score`."""
    if not isinstance(where, list | tuple):
        return set()
    if where and where[0] == "row":
        return {str(where[1])}
    return set().union(*(read_fields(part) for part in where))


def value_at(data: bytes, fields: Sequence[str]) -> Any:
    """The first of the fields that some JSON has; None where it has none, or null.

    A field is a name, or names and positions joined by dots; an empty one is all.
    Raises ValueError for invalid JSON.
    """
    tree = json.loads(data)
    found = (_at(tree, field) for field in fields)
    return next((value for value in found if value is not None), None)


def _at(tree: Any, field: str) -> Any:
    if not field:
        return tree
    if isinstance(tree, dict):
        if field in tree:
            return tree[field]
        first, dot, rest = field.partition(".")
        return _at(tree[first], rest) if dot and first in tree else None
    if isinstance(tree, list):
        first, dot, rest = field.partition(".")
        if not first.isdecimal() or int(first) >= len(tree):
            return None
        return _at(tree[int(first)], rest) if dot else tree[int(first)]
    return None
