"""`grow SELECTOR by RULE, ...`: from the statements of a child to its grown tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from growlang.diagnostics import Findings, Note, stage
from growlang.growing.blocks import Deepening, paired
from growlang.growing.choice import Manner
from growlang.growing.engine import Asked, Engine, grow
from growlang.growing.matching import Pair
from growlang.growing.renaming import from_names, under_names
from growlang.growing.resizing import Resizing
from growlang.growing.space_growth import Growth
from growlang.growth.grown_net import Grown
from growlang.growth.space_json import GrownSpace
from growlang.growth.verdict import Obstacle, verdict
from growlang.net import ComponentName, Net
from growlang.resolve.contract import Growing
from growlang.resolve.model import Resolution
from growlang.rules import Rule
from growlang.rules.deepen import Deepen
from growlang.rules.extend import Extend
from growlang.rules.heads import Heads
from growlang.rules.resize import Resize
from growlang.rules.widen import Noise, Widen


@stage
def grown(findings: Findings, child: Net, parent: Net, resolution: Resolution) -> Grown | None:
    """Apply the rules of all grown components; None, with findings, where one does not hold.

    Of nets of which an op was refused nothing is said: that finding comes first.
    """
    before = under_names(parent, resolution.contract.renamed)
    statements = {
        name: growing
        for name, growing in resolution.contract.grow.items()
        if child.of(name) and before.of(name)
    }
    if not all(growing.is_sound for growing in resolution.contract.grow.values()):
        return None
    if not (_is_whole(child) and _is_whole(before)):
        return None
    pairs: dict[str, Pair] = {}
    blamed: list[tuple[ComponentName, Obstacle]] = []
    for name, growing in statements.items():
        blocks = paired(child, before, name, deepening(growing.rules))
        pairs |= blocks.pairs
        blamed += [(name, obstacle) for obstacle in blocks.obstacles]
    meant = {name: asked(growing.rules) for name, growing in statements.items()}
    made = grow(child, before, pairs, meant, resolution.contract.keep)
    blamed += made.obstacles
    impossible = [found for found in blamed if found[1].kind == "impossible"]
    for (name, *_), places in _alike(impossible or blamed).items():
        _refuse(findings, name, places, statements, resolution)
    if findings.items:
        return None
    verdicts = (
        verdict(component.name, [o for place, o in blamed if place == component.name])
        for component in child.components
        if component.name in statements
    )
    transforms = from_names(made.transforms, before, parent)
    return Grown(made.net, transforms, tuple(verdicts), grown_spaces(made))


def grown_spaces(made: Engine) -> tuple[GrownSpace, ...]:
    """The spaces that grow, those together that grow alike, such as the repeats of a block's."""
    members = made.match.child.members
    alike: dict[Growth, list[str]] = {}
    for number, growth in made.growths.items():
        if not growth.is_same and number in members:
            alike.setdefault(growth, []).append(str(members[number][0].place))
    return tuple(
        GrownSpace(tuple(places), g.old, g.new, g.how, g.index, g.shares, g.scale)
        for g, places in alike.items()
    )


def _is_whole(net: Net) -> bool:
    """Whether it is known what each node reads."""
    return all(node.inputs[0] in net.shapes for node in net.nodes)


def asked(rules: tuple[Rule, ...]) -> Asked:
    """How the spaces of a component grow, and its grids."""
    manner, resizing = Manner(), Resizing()
    for rule in rules:
        match rule:
            case Widen(how=how, break_=Noise(std=std)):
                manner = manner._replace(widen=how, break_="noise", noise=std)
            case Widen(how=how, break_=str(told)):
                manner = manner._replace(widen=how, break_=told)
            case Heads(how=heads):
                manner = manner._replace(heads=heads, widens_heads=True)
            case Extend(how=extend):
                manner = manner._replace(extend=extend)
            case Resize(how=filter_):
                resizing = Resizing(filter_)
    return Asked(manner, resizing)


def deepening(rules: tuple[Rule, ...]) -> Deepening | None:
    """How a component comes to more repeats, if a rule says so."""
    found = next((rule for rule in rules if isinstance(rule, Deepen)), None)
    return Deepening(found.how, found.every, found.init) if found else None


def _alike(
    blamed: Iterable[tuple[ComponentName, Obstacle]],
) -> dict[tuple[ComponentName, str, str], list[Obstacle]]:
    """The obstacles of each component that have one reason: repeats have the same."""
    found: dict[tuple[ComponentName, str, str], list[Obstacle]] = {}
    for name, obstacle in dict.fromkeys(blamed):
        found.setdefault((name, obstacle.kind, obstacle.why), []).append(obstacle)
    return found


def _refuse(
    findings: Findings,
    name: ComponentName,
    places: list[Obstacle],
    statements: Mapping[ComponentName, Growing],
    resolution: Resolution,
) -> None:
    """A finding where a rule cannot be applied, or does not keep its promise to be exact."""
    growing, obstacle = statements.get(name), places[0]
    if growing is None:
        return
    span, declared = growing.span, resolution.declared.get(name)
    notes = [Note("declared here", declared)] if declared else []
    why = f"{obstacle}{_more(len(places) - 1)}"
    if obstacle.kind == "impossible":
        message = f"`{name.selector}` cannot grow: {why}"
        findings.add("G321", message, span, help=obstacle.mend, notes=notes)
    elif obstacle.kind in ("inexact", "dead") and obstacle.rule in promises(growing.rules):
        what = (
            "would have a part that never trains"
            if obstacle.kind == "dead"
            else "would not compute what it did"
        )
        nearest = obstacle.mend or "write `widen(copy)`, without a promise"
        message = f"`{name.selector}` {what}: {why}"
        findings.add("G320", message, span, help=nearest, notes=notes)


def _more(places: int) -> str:
    """How many other places have the same reason."""
    return f" (and in {places} more place{'s' if places > 1 else ''})" if places else ""


def promises(rules: tuple[Rule, ...]) -> set[str]:
    """The rules that promise to be exact."""
    return {
        rule.call
        for rule in rules
        if (isinstance(rule, Widen | Extend) and rule.how == "exact") or isinstance(rule, Heads)
    }
