"""Applies the rules of `grow SELECTOR by RULE, ...`: the child's net, transforms, verdicts.

Stdlib only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from growlang.growing.arguments import Known, argument_obstacles, drawn_skip, lost, unresizable
from growlang.growing.choice import Choice, Manner, choose
from growlang.growing.dead import dead
from growlang.growing.matching import Match, Pair, match
from growlang.growing.norms import obstacle_of
from growlang.growing.resizing import Resizing
from growlang.growing.scales import scaled
from growlang.growing.space_growth import Growth
from growlang.growing.spaces import Place, spaces
from growlang.growing.tensors import Templates, tensors_of
from growlang.growth.transforms import Initialise, Transform
from growlang.growth.verdict import Obstacle
from growlang.net import ComponentName, Net, Node
from growlang.net.axes import Symmetry
from growlang.ops import CONDITIONS, axes_in, op_in, rebuilt


class Asked(NamedTuple):
    """How a component is to grow."""

    manner: Manner = Manner()
    resizing: Resizing = Resizing()


@dataclass(frozen=True)
class Engine:
    """A grown net: its nodes as they are now, and of every tensor its transform."""

    net: Net
    """The child's net, whose nodes keep what growth keeps: groups, frequencies, eps."""
    transforms: Mapping[str, Transform]
    obstacles: tuple[tuple[ComponentName, Obstacle], ...]
    """What keeps components from being exact."""
    growths: Mapping[int, Growth]
    match: Match


def grow(
    child: Net,
    parent: Net,
    pairs: Mapping[str, Pair],
    asked: Mapping[ComponentName, Asked],
    kept: Collection[str] = (),
) -> Engine:
    """Grow the nodes of `pairs`, by the child's path; `asked` are their components.

    `kept` are the components that stay as they are. Raises GrowlangError if there is no such op.
    """
    child = _with_numbers(child, parent, pairs)
    nodes = {node.path: node for node in child.nodes}
    pairs = {path: pair._replace(child=nodes[path]) for path, pair in pairs.items()}
    found = match(spaces(child), spaces(parent), pairs)
    blamed: list[tuple[ComponentName, Obstacle]] = []

    def blame(obstacles: Iterable[Obstacle]) -> None:
        blamed.extend((_component(obstacle.place), obstacle) for obstacle in obstacles)

    blame(found.obstacles)
    blame(_misfits(found, asked))
    blame(_untabled(found, kept))
    if any(o.kind == "impossible" for o in found.obstacles):
        return Engine(child, {}, tuple(blamed), {}, found)
    manners = _manners(found, asked)
    blame(_shared(found, asked, kept))
    chosen = choose(found, manners)
    blame(chosen.obstacles)
    with_scales = scaled(found, chosen.growths)
    blame(with_scales.obstacles)
    growths = with_scales.growths
    possible = not any(o.kind == "impossible" for _, o in blamed)
    blame(dead(found, growths) if possible else ())
    child = _with_groups(child, chosen, with_scales.eps, found)
    nodes = {node.path: node for node in child.nodes}
    for norm, groups in zip(chosen.norms, chosen.counts, strict=True):
        if possible and all(part in growths for part in norm.parts):
            obstacle = obstacle_of(norm, growths, groups)
            blame((obstacle,) if obstacle else ())
    now = {path: pair._replace(child=nodes[path]) for path, pair in pairs.items()}
    transforms = _transforms(found, child, now, growths, asked, manners) if possible else {}
    child = _with_inits(child, transforms)
    return Engine(child, transforms, tuple(dict.fromkeys(blamed)), growths, found)


def _transforms(
    found: Match,
    child: Net,
    pairs: Mapping[str, Pair],
    growths: Mapping[int, Growth],
    asked: Mapping[ComponentName, Asked],
    manners: Mapping[int, Manner],
) -> dict[str, Transform]:
    """The transform of every tensor of the pairs, whose nodes are those of `child`."""
    transforms: dict[str, Transform] = {}
    known: Templates = {}
    for path, pair in pairs.items():
        how = asked.get(pair.child.component, Asked())
        manner = _told_apart(found, path, how.manner, manners)
        resizing = how.resizing._replace(grids=_grids(pair, child, found.parent.net))
        for grown in tensors_of(found, pair, growths, manner, resizing, known):
            transforms[grown.name] = grown.transform
    return transforms


def _misfits(found: Match, asked: Mapping[ComponentName, Asked]) -> Iterator[Obstacle]:
    """What is declared of the nodes that growth does not lead to."""
    known: Known = {}
    for pair in found.pairs.values():
        if pair.is_drawn:
            yield from drawn_skip(pair, found.child)
        elif not pair.is_copy:
            how = asked.get(pair.child.component, Asked())
            extends = how.manner.extend is not None
            yield from argument_obstacles(pair, found, how.resizing, extends, known)
            yield from lost(pair, found)
            yield from unresizable(pair, found)


def _untabled(found: Match, kept: Collection[str]) -> Iterator[Obstacle]:
    """The nodes that take a table of a node that comes from nothing of the parent's."""
    owners = {t.name: node for node in found.child.net.nodes for t in node.tensors}
    for path, pair in found.pairs.items():
        for owner in (owners[name] for name in pair.child.tables):
            if owner.path not in found.pairs and owner.component not in kept:
                where = owner.component.selector
                why = f"it takes the table of {owner.path}, and `{where}` is neither kept nor grown"
                yield Obstacle("impossible", path, why, f"keep or grow `{where}` too")


def _component(place: str) -> ComponentName:
    """The component of what an obstacle speaks of, whose place begins with a path."""
    return ComponentName.of_tensor(f"{place.removeprefix('the result of ')}.")


def _with_numbers(child: Net, parent: Net, pairs: Mapping[str, Pair]) -> Net:
    """The child with the frequencies that its parent has: growth keeps what has a meaning."""
    changed: dict[str, Node] = {}
    known: dict[tuple[int, int], dict[str, int]] = {}
    for path, pair in pairs.items():
        node, old = pair.child, pair.parent
        if pair.is_drawn:
            continue
        key = id(node.declaration or node), id(old.declaration or old)
        if key not in known:
            known[key] = _kept_numbers(child, parent, pair)
        said = op_in(node).norm_eps
        kept, eps = known[key], old.scope.eps if said == op_in(old).norm_eps else node.scope.eps
        if kept or eps != node.scope.eps:
            changed[path] = rebuilt(node, child.shapes[node.inputs[0]], kept, eps)
    return _replaced(child, changed)


def _kept_numbers(child: Net, parent: Net, pair: Pair) -> dict[str, int]:
    """The numbers of a node that are its parent's: of spaces whose places have a meaning each."""
    old, new = axes_in(parent, pair.parent), axes_in(child, pair.child)
    if old is None or new is None:
        return {}
    before = old.spaces
    fixed = {
        name: before[name].size
        for name, space in new.spaces.items()
        if space.symmetry is Symmetry.FIXED
        and name in before
        and before[name].size != space.size
        and _is_number(child, pair.child, name)
    }
    now, was = _numbers(child, pair.child), _numbers(parent, pair.parent)
    carried = op_in(pair.child).carried & now.keys() & was.keys()
    return fixed | {name: was[name] for name in carried if was[name] != now[name]}


def _numbers(net: Net, node: Node) -> Mapping[str, int]:
    return op_in(node).numbers(net.shapes[node.inputs[0]], node.scope)


def _is_number(net: Net, node: Node, name: str) -> bool:
    return name in _numbers(net, node)


def _with_groups(child: Net, chosen: Choice, eps: Mapping[str, float], found: Match) -> Net:
    """The child with the groups that were chosen for its norms, and the eps of scaled streams."""
    changed: dict[str, Node] = {}
    for path, pair in found.pairs.items():
        numbers, own = chosen.groups.get(path), eps.get(path)
        if numbers or own is not None:
            node = pair.child
            known = {n: g for n, g in (numbers or {}).items() if _is_number(child, node, n)}
            changed[path] = rebuilt(node, child.shapes[node.inputs[0]], known, own)
    return _replaced(child, changed)


def _with_inits(net: Net, transforms: Mapping[str, Transform]) -> Net:
    """The net whose tensors are initialised as their transforms say."""
    inits = {n: t.init for n, t in transforms.items() if isinstance(t, Initialise)}
    changed = {
        node.path: replace(
            node, tensors=tuple(t._replace(init=inits.get(t.name, t.init)) for t in node.tensors)
        )
        for node in net.nodes
        if any(inits.get(t.name, t.init) != t.init for t in node.tensors)
    }
    return _replaced(net, changed)


def _replaced(net: Net, changed: Mapping[str, Node]) -> Net:
    if not changed:
        return net
    return replace(net, nodes=tuple(changed.get(node.path, node) for node in net.nodes))


def _shared(
    found: Match, asked: Mapping[ComponentName, Asked], kept: Collection[str]
) -> Iterator[Obstacle]:
    """The spaces of which one component is to grow and another to stay, or to grow otherwise."""
    for number, parent in found.of.items():
        if found.child.sizes[number] == found.parent.sizes[parent]:
            continue
        members = found.child.members.get(number, [])
        grows = [m for m in members if m.node.component in asked]
        stays = next((m for m in members if m.node.component in kept), None)
        if stays and grows:
            kept_one = stays.node.component.selector
            why = f"its channels are those of {stays.place}, and `{kept_one}` is kept"
            mend = f"grow `{kept_one}` too, with a declaration of its own"
            yield Obstacle("impossible", str(grows[0].place), why, mend)
        hows = {asked[m.node.component].manner.widen: m for m in grows}
        if len(hows) > 1 and not any(m.node.op in CONDITIONS for m in members):
            (one, first), (other, second), *_ = hows.items()
            says = [f"by `widen({how})`" if how else "without `widen`" for how in (one, other)]
            why = (
                f"its channels are those of {first.place}, which grows {says[0]}, and it {says[1]}"
            )
            mend = "give both components the same `widen`"
            yield Obstacle("impossible", str(second.place), why, mend)


def _told_apart(found: Match, path: str, own: Manner, manners: Mapping[int, Manner]) -> Manner:
    """How a node's tensors grow where its spaces are shared: copies part as each space says."""
    numbers = (n for name in found.child.named[path] for n in found.child.local[Place(path, name)])
    given = [manners[number] for number in numbers if number in manners]
    noise = max((manner.noise for manner in given), default=0.0)
    resets = any(manner.break_ == "moments" for manner in given)
    return own._replace(noise=noise, break_="moments" if resets else own.break_)


def _grids(pair: Pair, child: Net, parent: Net) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Rows and columns of the positions of both, where the tokens come of a grid; else one row."""
    if op_in(pair.child).resized != "positions":
        return None
    return _grid(pair.parent, parent), _grid(pair.child, child)


def _grid(node: Node, net: Net) -> tuple[int, int]:
    before = next((n for n in net.nodes if n.path == node.inputs[0]), None)
    if before is not None and before.op == "tokens":
        _, height, width = net.shapes[before.inputs[0]].dims
        return height, width
    return 1, node.output.positions


def _manners(found: Match, asked: Mapping[ComponentName, Asked]) -> dict[int, Manner]:
    """How every space grows: as the first grown component asks that has it and widens."""
    manners: dict[int, Manner] = {}
    for number, members in found.child.members.items():
        for member in members:
            how = asked.get(member.node.component)
            if how and (number not in manners or manners[number].widen is None):
                manners[number] = how.manner
    return manners
