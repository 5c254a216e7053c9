"""The page of `growlang diff --html`: two nets side by side, and what becomes of each tensor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from growlang.growth.mapping import CATEGORIES, Category, Mapping
from growlang.net import ComponentName, Net
from growlang.pages.boxes import rows
from growlang.pages.document import document
from growlang.pages.interned import Tables
from growlang.pages.nets import net_json
from growlang.pages.outcomes import of_child, of_parent
from growlang.pages.summary import of_difference

if TYPE_CHECKING:
    from growlang.plans.weights_apart import WeightDifference

KINDS: dict[Category, tuple[str, str, str]] = {
    "copied": ("=", "kept", "the parent's tensor, as it is"),
    "moved": (">", "moved", "the parent's tensor of another place"),
    "retained": ("<", "retained", "the parent's tensor, which stays in use beside the new one"),
    "expanded": ("~", "expanded", "the parent's tensor with larger axes, or in another block"),
    "initialised": ("+", "new", "a tensor that the parent does not have"),
    "reinitialised": ("±", "replaced", "new, in place of the parent's tensor of its name"),
    "dropped": ("−", "dropped", "a tensor of the parent that the child does not use"),
}
"""Of each category: its sign, what the page calls it, what it means."""


class Compared(NamedTuple):
    """What a page is made of."""

    a: Net
    b: Net
    related: bool
    """Whether b's spec names a's as an ancestor."""
    mapping: Mapping
    changes: Sequence[str]
    """Warnings."""
    proposals: Sequence[str]
    """Statements that would make b a child of a."""
    remark: str
    weights: Sequence[WeightDifference] | None
    """How far the weights of equal nets are apart."""


def comparison(found: Compared) -> str:
    """The page about a difference, as HTML; the same difference gives the same bytes."""
    title = f"{found.a.name} → {found.b.name}"
    return document(
        title, heading(found), comparison_json(found), of_difference(found), notes(found)
    )


def heading(found: Compared) -> str:
    """What the page says first."""
    if found.a.net_hash == found.b.net_hash and not found.related:
        return f"{found.a.name} and {found.b.name}"
    how = "grows from" if found.related else "is not declared to grow from"
    return f"{found.b.name} {how} {found.a.name}"


def notes(found: Compared) -> list[str]:
    """What has to be known before the drawing is read."""
    told = [found.remark]
    if found.a.net_hash == found.b.net_hash:
        told.append(f"The nets are equal{_of_weights(found.weights)}.")
    elif not found.related:
        told.append(
            f"No statement takes tensors of {found.a.name} into {found.b.name}: "
            "all of one are dropped, and all of the other are new."
        )
    if found.changes:
        told.append("There are warnings below the drawing.")
    return told


def _of_weights(weights: Sequence[WeightDifference] | None) -> str:
    """How the weights of equal nets compare; nothing where they were not."""
    if weights is None:
        return ""
    differing = any(w.differing for w in weights)
    return ", but their weights are not" if differing else ", and so are their weights"


def comparison_json(found: Compared) -> dict[str, Any]:
    """The data of the page: two nets, the rows that they share, and what the categories are."""
    tables, a, b, mapping = Tables(), found.a, found.b, found.mapping
    sides = ("parent", "child") if found.related else ("old", "new")
    left = net_json(a, tables, outcomes=of_parent(mapping, a), other=b)
    right = net_json(b, tables, outcomes=of_child(mapping), other=a, verdicts=mapping.verdicts)
    return {
        "page": "diff",
        "kinds": kinds(mapping),
        "rows": [row._asdict() for row in rows((a, b))],
        "nets": [left | {"side": sides[0]}, right | {"side": sides[1]}],
        "tables": tables.as_json(),
        "links": links(mapping),
    }


def kinds(mapping: Mapping) -> list[dict[str, Any]]:
    """The legend: each category with its sign, its name and how much is of it."""
    totals = mapping.summary
    return [
        {
            "id": category,
            "sign": KINDS[category][0],
            "name": KINDS[category][1],
            "means": KINDS[category][2],
            "tensors": totals[category][0],
            "parameters": totals[category][1],
        }
        for category in CATEGORIES
    ]


def links(mapping: Mapping) -> list[list[str | int]]:
    """How many tensors of each category go from a component of the parent to one of the child."""
    counted: Counter[tuple[str, str, int]] = Counter()
    for entry in mapping.of_child:
        if entry.source is not None:
            source = ComponentName.of_tensor(entry.source)
            counted[source, entry.component, CATEGORIES.index(entry.category)] += 1
    return [[*key, count] for key, count in counted.items()]
