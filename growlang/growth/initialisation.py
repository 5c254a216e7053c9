"""`init SEL = ...`: how tensors begin that a child declares and does not take from its parent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from growlang.diagnostics import Findings, Note, Span
from growlang.diagnostics.literals import dimensions
from growlang.growth.moves import Move
from growlang.net import Net, Node, Tensor
from growlang.ops import op_of
from growlang.resolve.contract import Contract, Initial
from growlang.spec.selectors import (
    AS_MANY,
    EQUAL_LENGTHS,
    Places,
    is_many,
    is_open,
    pairs,
    prefix,
    spelt,
)

JOINTS = ("position", "concat", "subtract", "add")
"""Ops whose result is not zero though the first value that they read is."""
BESIDE = ("bias", ".skip.weight", ".time.weight")
"""Ends of the names of tensors that no map of their op lies in series with."""


class Beginning(NamedTuple):
    """How an `init` lets one tensor begin."""

    init: str
    """A row of the initialisers."""
    like: str | None
    """The parent's tensor whose values it begins with, if it does."""
    statement: Initial

    @property
    def reason(self) -> str:
        """What is said and where, for the mapping."""
        return f"initialised {'' if self.like else 'as '}{self.statement}: {self.statement.span}"


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


def beginnings(
    child: Net,
    parent: Net,
    contract: Contract,
    findings: Findings,
    moves: Mapping[str, Move],
) -> dict[str, Beginning]:
    """How the tensors begin of which an `init` speaks; where several do, the last one holds.

    `moves` are the tensors that `moved` takes over, of which none may.
    """
    places, old = (Places([c.name for c in n.components], list(n.table)) for n in (child, parent))
    found: dict[str, Beginning] = {}
    for statement in contract.inits:
        try:
            nodes = _named(statement, places, child, contract, moves)
            sources = _sources(statement, places, old)
            said = [_begun(statement, n, chosen, sources, parent) for n, chosen in nodes]
        except _Refused as refused:
            what = f"`init {statement.selector}` {refused.message}"
            place = refused.span or statement.span
            findings.add(refused.code, what, place, help=refused.help, notes=refused.notes)
            continue
        for one in said:
            found |= one
    return found


def begun(net: Net, found: Mapping[str, Beginning]) -> Net:
    """The net whose tensors are initialised as the statements say."""

    def of(node: Node) -> Node:
        rows = [t._replace(init=found[t.name].init) if t.name in found else t for t in node.tensors]
        return replace(node, tensors=tuple(rows))

    return replace(net, nodes=tuple(map(of, net.nodes))) if found else net


Named = list[tuple[Node, list[Tensor]]]


def _named(
    statement: Initial, places: Places, child: Net, contract: Contract, moves: Mapping[str, Move]
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
        if span := contract.keep.get(node.component):
            where = f"`{spelt(node.component)}`, which is kept"
        elif moved := next((t.name for t in tensors if t.name in moves), None):
            where, span = f"`{moved}`, which is moved", moves[moved].statement.span
        if span:
            notes = (Note("taken from the parent here", span),)
            raise _Refused(f"names {where}", "name only what is redeclared or new", notes)
    return nodes


def _begun(
    statement: Initial, node: Node, chosen: list[Tensor], places: dict[str, str], parent: Net
) -> dict[str, Beginning]:
    """What a statement says of the chosen tensors of a node."""
    inits = {t.name: t.init for t in chosen}
    sources: dict[str, str] = {}
    match statement.value:
        case "zero":
            inits |= _zero(node, chosen)
        case "identity":
            inits |= _identity(node, chosen)
        case "like":
            sources = {t.name: _like(statement, t, places, parent) for t in chosen}
    return {n: Beginning(init, sources.get(n), statement) for n, init in inits.items()}


def _adds(node: Node, chosen: list[Tensor]) -> bool:
    """Whether a whole op is chosen that adds to what it reads, and adds nothing at first."""
    return len(chosen) == len(node.tensors) and op_of(node.op).adds


def _zero(node: Node, chosen: list[Tensor]) -> dict[str, str]:
    """Of a whole op its last map, unless it adds nothing as it is; of a part of an op all."""
    if _adds(node, chosen):
        return {}
    if len(chosen) == len(node.tensors):
        last = chosen[-1].name.rpartition(".")[0]
        chosen = [t for t in chosen if t.name.rpartition(".")[0] == last]
    return {t.name: "zeros" for t in chosen}


def _identity(node: Node, chosen: list[Tensor]) -> dict[str, str]:
    """Of a whole op its one map, unless it adds nothing as it is; of a part of an op each map."""
    whole = len(chosen) == len(node.tensors)
    if _adds(node, chosen):
        chosen = [t for t in chosen if ".skip." in t.name]
    maps = [t for t in chosen if not t.name.endswith("bias")]
    wrong = next((t for t in maps if not _is_square(t)), None)
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
    """Whether a tensor is a map between equal widths, whose filters have a centre.

    Weight decay tells maps from tables and norms, which it leaves out.
    """
    width, *rest = tensor.shape
    return tensor.decay and rest[:1] == [width] and all(side % 2 for side in rest[1:])


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
    child: Net, contract: Contract, moves: Mapping[str, Move], found: Mapping[str, Beginning]
) -> frozenset[str]:
    """The tensors that begin with values of the parent's, which training has moved from zero."""
    kept = {t.name for n in child.nodes if n.component in contract.keep for t in n.tensors}
    return frozenset().union(kept, moves, (n for n, begun in found.items() if begun.like))


def refuse_dead(
    child: Net,
    contract: Contract,
    moves: Mapping[str, Move],
    found: Mapping[str, Beginning],
    scratch: str,
    findings: Findings,
) -> None:
    """Refuse that two maps in series begin at zero: neither would ever get a gradient.

    `scratch` is a recipe in which nothing begins with the parent's values, if there is one.
    """
    trained = _trained(child, contract, moves, found)
    net = begun(child, found)
    refused: set[Span] = set()
    for recipe, learned in (("", trained), *([(scratch, frozenset[str]())] if scratch else [])):
        for first, second in _dead(net, learned):
            pair = (first, second)
            made = [found[n].statement for n in pair if child.table[n].init != "zeros"]
            if not made or made[-1].span in refused:
                continue
            refused.add(made[-1].span)
            help = "leave one of them at its default"
            findings.add(
                "G309",
                f"`{first}` and `{second}` are both zero in series: neither gets a gradient"
                + (f" in recipe `{recipe}`" if recipe else ""),
                made[-1].span,
                help=f"{help}: from scratch nothing starts from the parent's values"
                if recipe
                else help,
            )


def _dead(net: Net, trained: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Each two maps in series that begin at zero, none of which is `trained`."""
    zeros = {n.path: _zeros(n, trained) for n in net.nodes}
    nodes = {n.path: n for n in net.nodes}
    readers = Counter(name for n in net.nodes for name in n.inputs)
    for node in net.nodes:
        yield from (
            pair for pair in pairwise(zeros[node.path]) if _branch(pair[0]) == _branch(pair[1])
        )
        if not zeros[node.path] or op_of(node.op).adds or node.op in JOINTS:
            continue
        if before := _zero_before(node, nodes, readers, zeros):
            yield before, zeros[node.path][-1]


def _zeros(node: Node, trained: frozenset[str]) -> list[str]:
    """The maps of a node that begin at zero."""
    return [
        t.name
        for t in node.tensors
        if t.init == "zeros" and t.name not in trained and not t.name.endswith(BESIDE)
    ]


def _branch(tensor: str) -> str:
    """What a tensor lies in of its op: the sublayers of a transformer are not in series."""
    return tensor.rsplit(".", 2)[0]


def _zero_before(
    node: Node,
    nodes: Mapping[str, Node],
    readers: Mapping[str, int],
    zeros: Mapping[str, list[str]],
) -> str:
    """The last map before a node that puts out zero; empty where there is none.

    Not behind a value that others read as well: gradients come to it from those.
    """
    before = nodes.get(node.inputs[0])
    while before is not None and before.op not in JOINTS and readers[before.path] == 1:
        if zeros[before.path] and not op_of(before.op).adds:
            return zeros[before.path][-1]
        before = nodes.get(before.inputs[0])
    return ""
