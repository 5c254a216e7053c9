"""Selectors: which components and tensors of a model a selector names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from math import inf

from growlang.syntax.document import Selector, Step


def component_of(steps: Sequence[Step], components: Iterable[str]) -> list[str]:
    """The components whose place the first step names: `core`, `stage[256]`, `stage[*]`."""
    return list(filter(_matcher(steps[:1]), components))


def matching(selector: Selector, components: Sequence[str], names: Sequence[str]) -> set[str]:
    """The tensors and components that one selector names; empty where it matches nothing.

    `names` are dotted tensor names; a component without tensors, such as a frozen encoder, is
    matched by its own name.
    """
    candidates = [*components, *names]
    if selector.steps == (Step("all"),):
        return set(candidates)
    return set(filter(_matcher(selector.steps), candidates))


def _matcher(steps: Sequence[Step]) -> Callable[[str], bool]:
    """Whether a dotted name begins with these steps."""
    segments: list[str] = []
    ranges: list[tuple[float, float]] = []
    for step in steps:
        segments.append(re.escape(step.name))
        if step.at is not None:
            segments.append("([0-9]+)")
            ranges.append((0, inf) if isinstance(step.at, str) else step.at)
    pattern = re.compile(r"\.".join(segments) + r"(?:\.|\Z)")

    def matches(name: str) -> bool:
        found = pattern.match(name)
        return found is not None and all(
            low <= int(index) <= high
            for (low, high), index in zip(ranges, found.groups(), strict=True)
        )

    return matches
