"""`init SEL = ...`: the initialisation of tensors that a child does not take from its parent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from growlang.diagnostics import Diagnostic, Findings, Note, Span, stage
from growlang.diagnostics.literals import dimensions
from growlang.growth.moves import MovedTensor
from growlang.growth.transforms import Initialise, Like
from growlang.growth.wording import Reason, reason
from growlang.net import Net, Node, Tensor
from growlang.net.axes import Layer
from growlang.ops import axes_in, op_of
from growlang.resolve.contract import Contract, Initial
from growlang.spec.selectors import (
    AS_MANY,
    EQUAL_LENGTHS,
    Places,
    is_many,
    is_open,
    pairs,
    prefix,
)


class Initialisation(NamedTuple):
    """How an `init` statement initialises one tensor."""

    transform: Initialise | Like
    statement: Initial

    @property
    def reason(self) -> Reason:
        """What is said and where, for the mapping."""
        return reason(self.transform, self.statement.span, str(self.statement))


class _Refused(Exception):
    """An `init` that cannot hold, and the edit that mends it."""

    def __init__(
        self,
        message: str,
        help: str,
        notes: tuple[Note, ...] = (),
        code: str = "G309",
        span: Span | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.help, self.notes, self.code = message, help, notes, code
        self.span = span
        """The place of the mistake, where it is not the whole statement."""


@stage
def initialisations(
    findings: Findings,
    child: Net,
    parent: Net,
    contract: Contract,
    moves: Mapping[str, MovedTensor],
) -> dict[str, Initialisation]:
    """How tensors are initialised of which an `init` speaks; where several do, the last one holds.

    `moves` are the tensors that `moved` takes over, of which none may.
    """
    places, old = (Places([c.name for c in n.components], list(n.table)) for n in (child, parent))
    found: dict[str, Initialisation] = {}
    for statement in contract.inits:
        try:
            nodes = _named(statement, places, child, contract, moves)
            sources = _sources(statement, places, old)
            said = [_stated(statement, child, n, ts, sources, parent) for n, ts in nodes]
        except _Refused as refused:
            what = f"`init {statement.selector}` {refused.message}"
            place = refused.span or statement.span
            findings.add(refused.code, what, place, help=refused.help, notes=refused.notes)
            continue
        for one in said:
            found |= one
    return found


def initialised(net: Net, found: Mapping[str, Initialisation]) -> Net:
    """The net whose tensors are initialised as the statements say."""
    rows = {n: s.transform.init for n, s in found.items() if isinstance(s.transform, Initialise)}

    def of(node: Node) -> Node:
        tensors = (t._replace(init=rows.get(t.name, t.init)) for t in node.tensors)
        return replace(node, tensors=tuple(tensors))

    return replace(net, nodes=tuple(map(of, net.nodes))) if rows else net


Named = list[tuple[Node, list[Tensor]]]


def _named(
    statement: Initial,
    places: Places,
    child: Net,
    contract: Contract,
    moves: Mapping[str, MovedTensor],
) -> Named:
    """The nodes of which a statement speaks, each with the tensors of which it does."""
    names = places.matching(statement.selector)
    chosen = ((n, [t for t in n.tensors if t.name in names]) for n in child.nodes)
    nodes = [(node, tensors) for node, tensors in chosen if tensors]
    if not names:
        raise _Refused("matches nothing", places.available(statement.selector), code="G402")
    if past := places.past_the_end(statement.selector):
        many = AS_MANY * (statement.like is not None and is_many(statement.like))
        place = statement.selector.span
        raise _Refused(past.message, past.help + many, code="G402", span=place)
    if not nodes:
        raise _Refused("names no tensors", "remove it: there is nothing to initialise")
    for node, tensors in nodes:
        if span := contract.taken(node.component):
            where = f"`{node.component.selector}`, which is kept"
        elif moved := next((t.name for t in tensors if t.name in moves), None):
            where, span = f"`{moved}`, which is moved", moves[moved].statement.span
        if span:
            notes = (Note("taken from the parent here", span),)
            raise _Refused(f"names {where}", "name only what is redeclared or new", notes)
    return nodes


def _stated(
    statement: Initial,
    child: Net,
    node: Node,
    chosen: list[Tensor],
    places: dict[str, str],
    parent: Net,
) -> dict[str, Initialisation]:
    """What a statement says of the chosen tensors of a node."""
    if statement.value == "like":
        sources = {t.name: _like(statement, t, places, parent) for t in chosen}
        return {n: Initialisation(Like(source), statement) for n, source in sources.items()}
    rows = {t.name: t.init for t in chosen}
    match statement.value:
        case "zero":
            rows |= _zero(child, node, chosen)
        case "identity":
            rows |= _identity(child, node, chosen)
    return {n: Initialisation(Initialise(row), statement) for n, row in rows.items()}


def _layers(net: Net, node: Node) -> tuple[Layer, ...]:
    """The layers of a node, in order; none where its op does not declare them."""
    axes = axes_in(net, node)
    return axes.layers if axes else ()


def _declared(net: Net, node: Node) -> tuple[Layer, ...]:
    """The layers of a node. Raises _Refused where its op does not declare them."""
    if layers := _layers(net, node):
        return layers
    what = f"cannot tell the maps of `{node.path}`: the op `{node.op}` declares no axes"
    raise _Refused(what, "declare `axes` in the op's class; `zero` may also name tensors")


def _names(node: Node, layers: Iterable[Layer]) -> set[str]:
    return {f"{node.path}.{p.name}" for layer in layers for p in layer.parameters}


def _zero(net: Net, node: Node, chosen: list[Tensor]) -> dict[str, str]:
    """Of a whole op its last map, unless it adds nothing as it is; of a part of an op all."""
    if len(chosen) == len(node.tensors):
        if op_of(node.op).is_residual:
            return {}
        last = _names(node, [a for a in _declared(net, node) if a.place == "last"])
        chosen = [t for t in chosen if t.name in last]
    return {t.name: "zeros" for t in chosen}


def _identity(net: Net, node: Node, chosen: list[Tensor]) -> dict[str, str]:
    """Of a whole op its one map, unless it adds nothing as it is; of a part of an op each map."""
    whole, layers = len(chosen) == len(node.tensors), _declared(net, node)
    if whole and op_of(node.op).is_residual:
        layers = tuple(a for a in layers if a.place == "skip")
        chosen = [t for t in chosen if t.name in _names(node, layers)]
    weights = {f"{node.path}.{a.weight.name}": a.kind for a in layers}
    maps = [t for t in chosen if t.name in weights]
    wrong = next((t for t in maps if weights[t.name] != "map" or not _is_square(t)), None)
    if wrong or (whole and len(maps) > 1):
        what = (
            f"`{wrong.name}` is {dimensions(wrong.shape)}"
            if wrong
            else f"`{node.path}` has several maps"
        )
        help = "only square linear maps and convolutions can be: name those alone"
        raise _Refused(f"cannot be the identity: {what}", help)
    return {t.name: "identity" if t in maps else "zeros" for t in chosen}


def _is_square(tensor: Tensor) -> bool:
    """Whether a map is between equal widths, and its filters have a centre."""
    width, *rest = tensor.shape
    return rest[:1] == [width] and all(side % 2 for side in rest[1:])


def _sources(statement: Initial, places: Places, old: Places) -> dict[str, str]:
    """The parent's place with whose values each place of a `like` begins, as dotted paths."""
    selector, like = statement.selector, statement.like
    if like is None:
        return {}
    if not old.matching(like):
        message = f"names `{like}`, which the parent does not have"
        raise _Refused(message, old.available(like), code="G304", span=like.span)
    many = AS_MANY * (is_many(like) and is_many(selector))
    if past := old.past_the_end(like):
        message = f"takes `{like}`, which {past.message}"
        raise _Refused(message, past.help + many, code="G304", span=like.span)
    if not is_many(like):
        return dict.fromkeys(places.each(selector).values(), prefix(like))
    if is_open(like) or is_open(selector):
        message = f"takes one place or a range, not `{like}` for `{selector}`"
        raise _Refused(message, "write the range, such as `core.transformer[0..3]`")
    found = pairs(selector, places, like, old)
    if isinstance(found, str):
        raise _Refused(f"cannot be paired: {found}", EQUAL_LENGTHS)
    return dict(found)


def _like(statement: Initial, tensor: Tensor, places: dict[str, str], parent: Net) -> str:
    """The parent's tensor of the same name below the other place."""
    depth = len(next(iter(places)).split(".")) if "" not in places else 0
    parts = tensor.name.split(".")
    place = places[".".join(parts[:depth])]
    source = ".".join([place, *parts[depth:]])
    help = (
        f"declare `{statement.selector}` as the parent declares `{statement.like}`, "
        "or name parts with the same shapes"
    )
    if source not in parent.table:
        raise _Refused(f"needs `{source}`, which the parent does not have", help)
    here, there = dimensions(tensor.shape), dimensions(parent.table[source].shape)
    if here != there:
        shapes = f"{here} here, and `{source}` {there} there"
        raise _Refused(f"does not fit: `{tensor.name}` is {shapes}", help)
    return source


# --- zeros in series -----------------------------------------------------------------------------


def _trained(
    child: Net,
    contract: Contract,
    moves: Mapping[str, MovedTensor],
    found: Mapping[str, Initialisation],
) -> frozenset[str]:
    """The tensors that begin with values of the parent's, which training has moved from zero."""
    kept = {t.name for n in child.nodes if contract.taken(n.component) for t in n.tensors}
    alike = {name for name, stated in found.items() if isinstance(stated.transform, Like)}
    return frozenset().union(kept, moves, alike)


def refuse_dead(
    child: Net,
    contract: Contract,
    moves: Mapping[str, MovedTensor],
    found: Mapping[str, Initialisation],
    scratch: str,
) -> Iterator[Diagnostic]:
    """Refuse that two maps in series begin at zero: neither would ever get a gradient.

    `scratch` is a recipe in which nothing begins with the parent's values, if there is one.
    """
    if not found:
        return
    trained = _trained(child, contract, moves, found)
    net = initialised(child, found)
    refused: set[Span] = set()
    for recipe, learned in (("", trained), *([(scratch, frozenset[str]())] if scratch else [])):
        for first, second in _dead(net, learned):
            pair = (first, second)
            made = [found[n].statement for n in pair if child.table[n].init != "zeros"]
            if not made or made[-1].span in refused:
                continue
            refused.add(made[-1].span)
            help = "leave one of them at its default"
            yield Diagnostic(
                "G309",
                f"`{first}` and `{second}` are both zero in series: neither gets a gradient"
                + (f" in recipe `{recipe}`" if recipe else ""),
                made[-1].span,
                f"{help}: from scratch nothing starts from the parent's values" if recipe else help,
            )


def _dead(net: Net, trained: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Each two maps in series that begin at zero, none of which is `trained`."""
    zeros = {n.path: _zeros(net, n, trained) for n in net.nodes}
    nodes = {n.path: n for n in net.nodes}
    readers = Counter(name for n in net.nodes for name in n.inputs)
    for node in net.nodes:
        for first, second in pairwise(zeros[node.path]):
            if first.branch == second.branch or "" in (first.branch, second.branch):
                yield _weight(node, first), _weight(node, second)
        op = op_of(node.op)
        if not zeros[node.path] or op.is_residual or op.is_join:
            continue
        if before := _zero_before(node, nodes, readers, zeros):
            yield before, _weight(node, zeros[node.path][-1])


def _zeros(net: Net, node: Node, trained: frozenset[str]) -> list[Layer]:
    """The layers of a node that begin at zero and let nothing through then, in order."""
    zero = {t.name for t in node.tensors if t.init == "zeros"} - trained
    if not zero:
        return []
    return [a for a in _layers(net, node) if a.is_factor and _weight(node, a) in zero]


def _weight(node: Node, layer: Layer) -> str:
    return f"{node.path}.{layer.weight.name}"


def _zero_before(
    node: Node,
    nodes: Mapping[str, Node],
    readers: Mapping[str, int],
    zeros: Mapping[str, list[Layer]],
) -> str:
    """The last map before a node that puts out zero; empty where there is none.

    Not behind a value that others read as well: gradients come to it from those.
    """
    before = nodes.get(node.inputs[0])
    while before is not None and readers[before.path] == 1:
        op = op_of(before.op)
        if op.is_join:
            break
        if zeros[before.path] and not op.is_residual:
            return _weight(before, zeros[before.path][-1])
        before = nodes.get(before.inputs[0])
    return ""
