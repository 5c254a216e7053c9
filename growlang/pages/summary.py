"""The tables below a drawing, which a page has without its script too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from growlang.growth.mapping import CATEGORIES, Entry
from growlang.growth.verdict import Verdict
from growlang.pages.markup import Child, Html, element, joined, table
from growlang.tables.mappings import SIGNS

if TYPE_CHECKING:
    from growlang.pages.comparison import Compared
    from growlang.plans.weights_apart import WeightDifference


def section(title: str, *children: Child, id: str) -> Html:
    """A section with its heading."""
    return element("section", element("h2", title), *children, id=id)


def of_difference(found: Compared) -> Html:
    """What a difference says beside its drawing."""
    weights = found.weights
    return joined(
        _warnings(found.changes),
        _proposals(found),
        section("By component", _components(found), id="components"),
        verdicts(found.mapping.verdicts),
        section("Weights", _weights(weights), id="weights") if weights is not None else None,
    )


def _warnings(changes: Sequence[str]) -> Html | None:
    if not changes:
        return None
    return section("Warnings", element("ul", [element("li", c) for c in changes]), id="warnings")


def _proposals(found: Compared) -> Html | None:
    if not found.proposals:
        return None
    text = element("pre", "\n".join(found.proposals), tabindex=0)
    return section(f"To make {found.b.name} a child of {found.a.name}, write", text, id="proposals")


def _components(found: Compared) -> Html:
    head = ("", "component", "outcome", "tensors", "parameters", "reason")
    names = dict.fromkeys(c.name for net in (found.b, found.a) for c in net.components)
    rows: list[Sequence[Child]] = []
    for name, entries in found.mapping.by_component(names).items():
        groups = [(c, [e for e in entries if e.category == c]) for c in CATEGORIES]
        for category, group in groups:
            if group:
                count, parameters = f"{len(group):,}", f"{sum(e.parameters for e in group):,}"
                sign = element("span", SIGNS[category][0], class_=f"sign {category}")
                rows.append((sign, str(name), category, count, parameters, _reasons(group)))
        if not entries:
            rows.append(("", str(name), "no tensors", "0", "0", ""))
    return table(head, rows, (3, 4))


def _reasons(entries: Iterable[Entry]) -> str:
    """The reasons of some tensors: of each kind the first, and how many more there are."""
    kinds: dict[str, list[str]] = {}
    for reason in dict.fromkeys(e.reason for e in entries):
        kinds.setdefault(reason.what, []).append(str(reason))
    return "; ".join(
        first + (f" and {len(more)} more" if more else "") for first, *more in kinds.values()
    )


def verdicts(found: Sequence[Verdict]) -> Html | None:
    """What is proved of each component that grows."""
    if not found:
        return None
    reasons = any(v.reason for v in found)
    head = ("grown", "same function", *(["why not"] if reasons else []))
    rows = [(str(v.place), v.level, v.reason)[: len(head)] for v in found]
    return section("Same function", table(head, rows), id="verdicts")


def _weights(weights: Sequence[WeightDifference]) -> Html:
    head = ("component", "tensors", "differing", "|b - a| / |a|", "largest", "in")
    return table(head, [_weight(w) for w in weights], (1, 2, 3, 4))


def _weight(w: WeightDifference) -> Sequence[Child]:
    numbers = f"{w.tensors:,}", f"{w.differing:,}", f"{w.relative:.3g}", f"{w.largest:.3g}"
    return (w.component, *numbers, w.tensor)
