"""Which of the parent's nodes each node of a grown component comes from. Stdlib only.

Nodes are aligned by the parts of their paths: `core.transformer.3` is the fourth transformer of
the core, `core.block.1.residual.0` the first residual op of its second `block`. Where there are
more of one kind than the parent has, `deepen` says where new ones go and what they copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from growlang.growing.matching import Pair
from growlang.growth.verdict import Obstacle
from growlang.net import Net, Node
from growlang.ops import op_in
from growlang.ops.prefix import Prepend

Where = Literal["interleave", "append", "prepend", "middle", "stack"]


class Deepening(NamedTuple):
    """How more repeats come about."""

    how: Where
    every: int | None = None
    init: Literal["zero", "copy", "default"] = "zero"


class Source(NamedTuple):
    """The block of the parent that a block comes from."""

    number: int
    is_new: bool = False


Tree = dict[tuple[str, int | None], "Tree | Node"]
"""The nodes of a place by the next part of their paths, and its number if it has one."""


def sources(deepening: Deepening, n: int, m: int) -> list[Source]:
    """Of each of `m` blocks the one of `n` that it comes from.

    Raises ValueError where `every` does not lead from one number to the other.
    """
    new = m - n
    match deepening.how:
        case "append":
            return [*map(Source, range(n)), *[Source(n - 1, True)] * new]
        case "prepend":
            return [*[Source(0, True)] * new, *map(Source, range(n))]
        case "stack":
            return [Source(i % n, i >= n) for i in range(m)]
        case "middle":
            half = (n + 1) // 2
            span = min(new, half)
            copied = [Source(half - span + i % span, True) for i in range(new)]
            return [*map(Source, range(half)), *copied, *map(Source, range(half, n))]
    if deepening.every is None:
        found = [i * n // m for i in range(m)]
        return [Source(i, at > 0 and found[at - 1] == i) for at, i in enumerate(found)]
    every = deepening.every
    if n + n // every != m:
        raise ValueError(f"one new behind every {every} of {n} makes {n + n // every}, not {m}")
    behind = [[Source(i)] + [Source(i, True)] * ((i + 1) % every == 0) for i in range(n)]
    return [source for group in behind for source in group]


class Blocks(NamedTuple):
    """The pairs of nodes of a component, and what keeps blocks from being paired."""

    pairs: Mapping[str, Pair]
    obstacles: tuple[Obstacle, ...]


def paired(child: Net, parent: Net, component: str, deepening: Deepening | None) -> Blocks:
    """Pair the nodes of a component that have tensors, and its positions."""
    found = _Pairing(deepening, {}, [])
    old = _tree(parent, component)
    for side, nodes in _tree(child, component).items():
        if side in old:
            found.align(nodes, old[side], side, Source(0), mirrored="decode" in side)
        else:
            found.unmatched(nodes)
    found.obstacles.extend(_rejoined(child, parent, component))
    found.obstacles.extend(_replaced(child, parent, component, found.pairs))
    return Blocks(found.pairs, tuple(found.obstacles))


def _rejoined(child: Net, parent: Net, component: str) -> Iterator[Obstacle]:
    """What is to be said of skips that join other blocks than the parent's do.

    They are last in, first out, so the parent's are the last ones.
    """
    ours, theirs = (_skips(net, component) for net in (child, parent))
    spare = [len(joins) - gives for joins, gives in (ours, theirs)]
    long = any(_has_long(net, component) for net in (child, parent))
    new, old = ours[0][::-1], theirs[0][::-1]
    same = all(a == b for a, b in zip(new, old, strict=False))
    if (long and len(new) != len(old)) or not same or spare[0] != spare[1]:
        why = "its skips would join other blocks than the parent's do"
        mend = "declare as many blocks as the parent, on both sides" if long else ""
        yield Obstacle("impossible", component, why, mend or "join them as the parent does")


def _replaced(
    child: Net, parent: Net, component: str, pairs: Mapping[str, Pair]
) -> Iterator[Obstacle]:
    """What is to be said of tokens in front that come before other blocks than the parent's do."""
    was = _before_prepended(parent, component)
    paths = _before_prepended(child, component)
    if was is None or paths is None:
        return
    known = [path for path in paths if path in pairs]
    if {pairs[path].parent.path for path in known if not pairs[path].is_copy} != set(was):
        why = "`prepend_at` puts the tokens in front before another block of the parent's"
        yield Obstacle("inexact", component, why, "count the blocks of the parent before it")


def _before_prepended(net: Net, component: str) -> list[str] | None:
    """The nodes with tensors before the tokens in front of a component; None where it has none."""
    paths = list[str]()
    for node in net.of(component):
        if node.op == Prepend.call:
            return paths
        if node.tensors:
            paths.append(node.path)
    return None


def _has_long(net: Net, component: str) -> bool:
    """Whether long skips join the blocks of a component."""
    return any(node.op == "merge" for node in net.of(component))


def _adds(node: Node) -> bool:
    """Whether a node adds one of several skips of a stage."""
    return node.op == "add" and node.path.rpartition(".")[2].isdigit()


def _skips(net: Net, component: str) -> tuple[list[str], int]:
    """The ops whose results the joins of a component take, and how many of its own they are."""
    ops = {node.path: node.op for node in net.nodes}
    joins = [n for n in net.of(component) if n.op in ("concat", "merge") or _adds(n)]
    own = [n.inputs[1] for n in joins if n.inputs[1].startswith(f"{component}.")]
    return [ops.get(n.inputs[1], "") for n in joins], len(own)


def _tree(net: Net, component: str) -> dict[str, Tree]:
    """The nodes of a component by their side: `core`, `stage.16.encode`, `stage.16.decode`."""
    found: dict[str, Tree] = {}
    for node in net.of(component):
        if not node.tensors and op_in(node).resized != "positions":
            continue
        parts = node.path.removeprefix(component).strip(".").split(".")
        side = component
        if parts[0] in ("encode", "decode") and node.component.is_stage:
            side = f"{component}.{parts.pop(0)}"
        place = found.setdefault(side, {})
        while parts:
            kind = parts.pop(0)
            number = int(parts.pop(0)) if parts and parts[0].isdigit() else None
            if not parts:
                place[kind, number] = node
                break
            inner = place.setdefault((kind, number), {})
            assert isinstance(inner, dict)
            place = inner
    return found


class _Pairing(NamedTuple):
    deepening: Deepening | None
    pairs: dict[str, Pair]
    obstacles: list[Obstacle]

    def align(
        self, new: Tree | Node, old: Tree | Node, place: str, source: Source, mirrored: bool
    ) -> None:
        """Pair what is below a place; `source` tells whether the place is a new block."""
        if isinstance(new, Node) and isinstance(old, Node):
            self._pair(new, old, source)
            return
        if isinstance(new, Node) or isinstance(old, Node):
            self._impossible(place, "it is a block here, and an op in the other spec")
            return
        for kind in dict.fromkeys(kind for kind, _ in (*new, *old)):
            ours, theirs = (sorted(n or 0 for k, n in t if k == kind) for t in (new, old))
            if not theirs:
                self.unmatched({k: v for k, v in new.items() if k[0] == kind})
                continue
            numbered = (kind, None) not in new
            come_from = self._sources(place, kind, ours, theirs, mirrored)
            for at, found in zip(ours, come_from, strict=False):
                key = kind, at if numbered else None
                other = kind, found.number if numbered else None
                below = Source(0, found.is_new or source.is_new)
                if key in new and other in old:
                    self.align(new[key], old[other], f"{place}.{kind}", below, mirrored)

    def _sources(
        self, place: str, kind: str, ours: list[int], theirs: list[int], mirrored: bool
    ) -> list[Source]:
        n, m = len(theirs), len(ours)
        if m == n:
            return [Source(i) for i in range(n)]
        written = f"{place}.{kind}"
        if m < n:
            why = f"the parent has {n} of them, and {m} {'is' if m == 1 else 'are'} declared here"
            self._impossible(written, why, f"declare at least {n}")
            return []
        if self.deepening is None:
            why = f"the parent has {n} of them, and no rule says where more go"
            self._impossible(written, why, "add `deepen(interleave)`")
            return []
        try:
            found = sources(self.deepening, n, m)
        except ValueError as error:
            self._impossible(
                written,
                str(error),
                f"declare {n + n // (self.deepening.every or 1)}, or leave `every` out",
            )
            return []
        if not mirrored:
            return found
        return [Source(n - 1 - s.number, s.is_new) for s in reversed(found)]

    def _pair(self, new: Node, old: Node, source: Source) -> None:
        if new.op != old.op:
            self._impossible(new.path, f"it is `{new.op}` here, and `{old.op}` in the parent")
            return
        init = self.deepening.init if self.deepening and source.is_new else None
        if init is not None and init != "copy" and not op_in(new).is_residual:
            self._impossible(
                new.path,
                f"a new `{new.op}` cannot begin without an effect: it adds to nothing",
                "write `init = copy` in its `deepen`, which is not exact",
            )
        elif init == "copy":
            why = "new blocks are copies that compute from the start"
            mend = "write `init = zero`"
            self.obstacles.append(Obstacle("inexact", new.path, why, mend, "deepen"))
        self.pairs[new.path] = Pair(
            new, old, init is not None, is_silent=init == "zero", is_drawn=init == "default"
        )

    def unmatched(self, nodes: Tree | Node) -> None:
        """Nodes that the parent's component does not have, of any kind."""
        for node in _nodes(nodes):
            self._impossible(
                node.path,
                f"the parent's component has no `{node.op}` there",
                "growth adds no ops: drop the component, declare it here, and take over by `moved`",
            )

    def _impossible(self, place: str, why: str, mend: str = "") -> None:
        self.obstacles.append(Obstacle("impossible", place, why, mend))


def _nodes(tree: Tree | Node) -> Iterator[Node]:
    if isinstance(tree, Node):
        yield tree
    else:
        for below in tree.values():
            yield from _nodes(below)
