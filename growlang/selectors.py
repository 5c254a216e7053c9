"""Selectors: which components and tensors of a model a selector names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from growlang.syntax.document import Selection, Selector, Step


def component_of(steps: Sequence[Step], components: Iterable[str]) -> list[str]:
    """The components whose place the first step names: `core`, `stage[256]`, `stage[*]`."""
    pattern = _pattern(steps[:1])
    return [c for c in components if _matches(pattern, c.split("."))]


def select(selection: Selection, components: Sequence[str], names: Sequence[str]) -> set[str]:
    """The tensors and tensorless components that a selection names.

    `names` are dotted tensor names; a component without tensors, such as a frozen encoder, is
    matched by its own name.
    """
    included = {n for s in selection.included for n in matching(s, components, names)}
    excluded = {n for s in selection.excluded for n in matching(s, components, names)}
    return included - excluded


def matching(selector: Selector, components: Sequence[str], names: Sequence[str]) -> set[str]:
    """The tensors and components that one selector names; empty where it matches nothing."""
    candidates = [*components, *names]
    if selector.steps == (Step("all"),):
        return set(candidates)
    pattern = _pattern(selector.steps)
    return {name for name in candidates if _matches(pattern, name.split("."))}


Segment = str | tuple[int, int] | None
"""A segment of a dotted name: a word, a range of indices, or any index."""


def _pattern(steps: Sequence[Step]) -> list[Segment]:
    pattern: list[Segment] = []
    for step in steps:
        pattern.append(step.name)
        if step.at is not None:
            pattern.append(None if step.at == "*" else step.at)
    return pattern


def _matches(pattern: Sequence[Segment], segments: Sequence[str]) -> bool:
    if len(segments) < len(pattern):
        return False
    for wanted, segment in zip(pattern, segments, strict=False):
        if isinstance(wanted, str):
            if wanted != segment:
                return False
        elif not segment.isdigit():
            return False
        elif wanted is not None:
            low, high = wanted
            if not low <= int(segment) <= high:
                return False
    return True
