"""Selectors: which components and tensors of a model a selector names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from growlang.diagnostics.spelling import nearest
from growlang.net import ComponentName
from growlang.syntax.document import Selection, Selector, Step

Steps = tuple[Step, ...]
AS_MANY = ", and a range of equal length on the other side"
N = TypeVar("N", bound=str)
EQUAL_LENGTHS = "ranges pair up, so they must be of equal length"


def component_of(steps: Sequence[Step], components: Iterable[N]) -> list[N]:
    """The components whose place the first step names: `core`, `stage[256]`, `stage[*]`."""
    return list(filter(_matcher(steps[:1]), components))


class PastTheEnd(NamedTuple):
    """What a selector does whose range names more than there is, and its mend."""

    message: str
    help: str


@dataclass(frozen=True)
class Places:
    """What selectors may name in a net; each selector and each selection is looked up once.

    `names` are dotted tensor names; a component without tensors, such as a frozen encoder, is
    matched by its own name.
    """

    components: Sequence[ComponentName]
    names: Sequence[str]
    _found: dict[Steps, frozenset[str]] = field(default_factory=dict)
    _chosen: dict[tuple[tuple[Steps, ...], ...], frozenset[str]] = field(default_factory=dict)
    _ends: dict[Steps, tuple[int, int]] = field(default_factory=dict)

    def matching(self, selector: Selector) -> frozenset[str]:
        """The tensors and components that a selector names; empty where it matches nothing."""
        steps = selector.steps
        if steps not in self._found:
            candidates = [*self.components, *self.names]
            matches = None if steps == (Step("all"),) else _matcher(steps)
            self._found[steps] = frozenset(filter(matches, candidates))
        return self._found[steps]

    def chosen(self, selection: Selection) -> frozenset[str]:
        """What a selection names, less what it takes away again."""
        sides = (selection.included, selection.excluded)
        key = tuple(tuple(selector.steps for selector in side) for side in sides)
        if key not in self._chosen:
            included, excluded = (frozenset().union(*map(self.matching, side)) for side in sides)
            self._chosen[key] = included - excluded
        return self._chosen[key]

    def past_the_end(self, selector: Selector) -> PastTheEnd | None:
        """What is wrong where a range of a selector, which matches something, is too long."""
        steps, message = selector.steps, ""
        for at, step in enumerate(steps):
            if isinstance(step.at, tuple) and step.at[0] < step.at[1]:
                first, last = self._indices(steps[:at], step.name)
                kept = max(step.at[0], first), min(step.at[1], last)
                if kept != step.at and not message:
                    above = step.at[1] > last
                    end = Step(step.name, (last, last) if above else (first, first))
                    place = Selector((*steps[:at], end), selector.span)
                    what = (
                        "runs past the end: the last"
                        if above
                        else "starts before the first place: the first"
                    )
                    message = f"{what} is `{place}`"
                steps = (*steps[:at], step._replace(at=kept), *steps[at + 1 :])
        if not message:
            return None
        return PastTheEnd(message, f"write `{Selector(steps, selector.span)}`")

    def _indices(self, before: Steps, name: str) -> tuple[int, int]:
        """The first and the last index of a name behind some steps, of which there are any."""
        steps = (*before, Step(name, "*"))
        if steps not in self._ends:
            matches = filter(None, map(_pattern(steps).match, [*self.components, *self.names]))
            inside = [[int(i) for i in m.groups()] for m in matches]
            found = [at[-1] for at in inside if _within(at, steps)]
            self._ends[steps] = min(found), max(found)
        return self._ends[steps]

    def each(self, selector: Selector) -> dict[tuple[int, ...], str]:
        """The places of a selector one by one: the rank of each in every range -> dotted path."""
        pattern, steps = _pattern(selector.steps), selector.steps
        if steps == (Step("all"),):
            return {(): ""}
        found: dict[tuple[int, ...], str] = {}
        for match in filter(None, map(pattern.match, [*self.components, *self.names])):
            at = tuple(map(int, match.groups()))
            if _within(at, steps):
                found[at] = match[0].removesuffix(".")
        many = [i for i, step in enumerate(s for s in steps if s.at is not None) if _spans(step)]
        ranks = [{n: r for r, n in enumerate(sorted({at[i] for at in found}))} for i in many]
        return {
            tuple(rank[at[i]] for rank, i in zip(ranks, many, strict=True)): found[at]
            for at in sorted(found)
        }

    def available(self, selector: Selector) -> str:
        """What there is where a selector that matches nothing goes wrong, as help."""
        return available(selector, self.components, self.names)


def prefix(selector: Selector) -> str:
    """The dotted path that a selector of one place spells: `stage[64].up` is `stage.64.up`."""
    parts = [
        part
        for step in selector.steps
        for part in (step.name, *([str(step.at[0])] if isinstance(step.at, tuple) else []))
    ]
    return ".".join(parts)


def pairs(
    old: Selector, before: Places, new: Selector, after: Places
) -> list[tuple[str, str]] | str:
    """Each place of `old` with its place of `new`, as dotted paths; else what keeps them apart.

    Selectors of one place are a pair whether or not there is such a place.
    """
    if not is_many(old) and not is_many(new):
        return [(prefix(old), prefix(new))]
    first, second = before.each(old), after.each(new)
    if first.keys() != second.keys():
        counts = [
            f"`{s}` is {len(at)} place{'s' * (len(at) != 1)}"
            for s, at in ((old, first), (new, second))
        ]
        return f"{counts[0]} and {counts[1]}"
    return [(first[at], second[at]) for at in first]


def is_many(selector: Selector) -> bool:
    """Whether a selector has a range or a `*`."""
    return any(map(_spans, selector.steps))


def is_open(selector: Selector) -> bool:
    """Whether a selector is `all` or has a `*`, which do not say how many places they are."""
    return any(step.at == "*" or step == Step("all") for step in selector.steps)


def _spans(step: Step) -> bool:
    return step.at is not None and (isinstance(step.at, str) or step.at[0] != step.at[1])


def available(selector: Selector, components: Sequence[ComponentName], names: Sequence[str]) -> str:
    """What there is where a selector that matches nothing goes wrong, as help for its message."""
    backwards = tuple(_rising(step) for step in selector.steps)
    if backwards != selector.steps:
        return f"ranges are ascending: write `{Selector(backwards, selector.span)}`"
    reached: Steps = ()
    for step in selector.steps:
        if not any(map(_matcher((*reached, step)), [*components, *names])):
            break
        reached = (*reached, step)
    if not reached:
        listed = [c.selector for c in components]
        return _suggested(str(selector.steps[0]), listed) or f"components: {', '.join(listed)}"
    found = below(reached, names)
    place = ".".join(map(str, reached))
    if not found:
        return f"`{place}` has nothing below it"
    if found[0].startswith("["):
        rest = selector.steps[len(reached) :]
        return f"it is indexed: write `{'.'.join(map(str, [f'{place}[*]', *rest]))}`"
    return _suggested(step.name, [b.split("[")[0] for b in found]) or (
        f"below `{place}` there {'are' if found[1:] else 'is'} {', '.join(found)}"
    )


def _rising(step: Step) -> Step:
    return Step(step.name, (min(step.at), max(step.at))) if isinstance(step.at, tuple) else step


def _suggested(name: str, known: Sequence[str]) -> str:
    close = [n for n in nearest(name, known) if n != name]
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
    pattern = _pattern(steps)

    def matches(name: str) -> bool:
        found = pattern.match(name)
        return found is not None and _within(map(int, found.groups()), steps)

    return matches


def _pattern(steps: Sequence[Step]) -> re.Pattern[str]:
    """What a dotted name begins with, whatever its indices are, each of which is a group."""
    segments: list[str] = []
    for step in steps:
        segments.append(re.escape(step.name))
        if step.at is not None:
            segments.append("([0-9]+)")
    return re.compile(r"\.".join(segments) + r"(?:\.|\Z)")


def _within(indices: Iterable[int], steps: Sequence[Step]) -> bool:
    """Whether each index is one of its step's."""
    ranges = [step.at for step in steps if step.at is not None]
    return all(
        isinstance(at, str) or at[0] <= index <= at[1]
        for at, index in zip(ranges, indices, strict=True)
    )
