"""Selectors: which components and tensors of a model a selector names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from math import inf

from growlang.syntax.document import Selector, Step


def component_of(steps: Sequence[Step], components: Iterable[str]) -> list[str]:
    """The components whose place the first step names: `core`, `stage[256]`, `stage[*]`."""
    return list(filter(_matcher(steps[:1]), components))


@dataclass(frozen=True)
class Places:
    """What selectors may name in a net; each selector is looked up once.

    `names` are dotted tensor names; a component without tensors, such as a frozen encoder, is
    matched by its own name.
    """

    components: Sequence[str]
    names: Sequence[str]
    _found: dict[tuple[Step, ...], frozenset[str]] = field(default_factory=dict)

    def matching(self, selector: Selector) -> frozenset[str]:
        """The tensors and components that a selector names; empty where it matches nothing."""
        steps = selector.steps
        if steps not in self._found:
            candidates = [*self.components, *self.names]
            matches = None if steps == (Step("all"),) else _matcher(steps)
            self._found[steps] = frozenset(filter(matches, candidates))
        return self._found[steps]

    def available(self, selector: Selector) -> str:
        """What there is where a selector that matches nothing goes wrong, as help."""
        return available(selector, self.components, self.names)


def spelt(component: str) -> str:
    """A component as a selector: `stage.256` is `stage[256]`."""
    return f"stage[{component.removeprefix('stage.')}]" if "." in component else component


def available(selector: Selector, components: Sequence[str], names: Sequence[str]) -> str:
    """What there is where a selector that matches nothing goes wrong, as help for its message."""
    backwards = tuple(_rising(step) for step in selector.steps)
    if backwards != selector.steps:
        return f"a range rises: write `{Selector(backwards, selector.span)}`"
    reached: tuple[Step, ...] = ()
    for step in selector.steps:
        if not any(map(_matcher((*reached, step)), [*components, *names])):
            break
        reached = (*reached, step)
    if not reached:
        listed = [spelt(c) for c in components]
        return _suggested(str(selector.steps[0]), listed) or f"there are {', '.join(listed)}"
    found = below(reached, names)
    place = ".".join(map(str, reached))
    if not found:
        return f"`{place}` has nothing below it"
    if found[0].startswith("["):
        rest = selector.steps[len(reached) :]
        return f"there are indices: write `{'.'.join(map(str, [f'{place}[*]', *rest]))}`"
    return _suggested(step.name, [b.split("[")[0] for b in found]) or (
        f"below `{place}` there {'are' if found[1:] else 'is'} {', '.join(found)}"
    )


def _rising(step: Step) -> Step:
    return Step(step.name, (min(step.at), max(step.at))) if isinstance(step.at, tuple) else step


def _suggested(name: str, known: Sequence[str]) -> str:
    close = [n for n in get_close_matches(name, known, n=1, cutoff=0.6) if n != name]
    return f"did you mean `{close[0]}`?" if close else ""


def below(steps: Sequence[Step], names: Sequence[str]) -> list[str]:
    """What comes next below some steps, with the range of its indices: `transformer[0..23]`."""
    depth = sum(1 + (step.at is not None) for step in steps)
    indices: dict[str, set[int]] = {}
    for name in filter(_matcher(steps), names):
        rest = name.split(".")[depth:]
        if rest and rest[0].isdigit():
            rest = ["", *rest]
        if rest:
            found = indices.setdefault(rest[0], set())
            found.update(int(r) for r in rest[1:2] if r.isdigit())
    return [
        name + (f"[{min(at)}..{max(at)}]" if len(at) > 1 else f"[{min(at)}]" if at else "")
        for name, at in indices.items()
    ]


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
