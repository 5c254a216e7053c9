"""The graph of a net while it is built: values on their way, nodes, and the numbers of names."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from growlang.build.refusals import Refusals
from growlang.diagnostics import GrowlangError, KeyPath, Span
from growlang.net import CORE, Component, ComponentName, Input, Node, Shape, Tensor
from growlang.net.axes import length
from growlang.ops import BUILT_IN, Op, OpError, Scope
from growlang.ops.shared_modulation import SharedModulation
from growlang.resolve.model import Resolution
from growlang.spec.model import Model, Skips


class Wire(NamedTuple):
    """A value on its way through the net; `name` is empty where no node computes it."""

    name: str
    shape: Shape | None
    """None where an error left it unknown."""
    is_sure: bool = True
    """Whether no error before it is about resolutions, so that its own can be held to account."""
    is_joined: bool = False
    """Whether it is the core's result with an encoder's added, of which a level takes all."""
    has_own_width: bool = False
    """Whether `down` or `up` states its width, with which the next place need not begin."""


UNKNOWN = Wire("", None)


class Place(NamedTuple):
    """Where a pipe stands: prefix of its paths, its component, and how skips are handled."""

    prefix: str
    component: ComponentName
    pushes: bool = False
    pops: bool = False
    joins: Skips = "block"
    """How what takes a skip is joined to it, and what that is."""
    pairs: tuple[int, int] | None = None
    """Of the units of a core: below the first number they give skips, from the second on they
    take one."""


class Declared(NamedTuple):
    """What an op declares for one shape of its input; tensors are named relative to its place."""

    arguments: dict[str, Any]
    tensors: tuple[Tensor, ...]
    flops: int
    saved: int
    scope: Scope


@dataclass
class Graph:
    """What has been built so far, in the order of the net."""

    nodes: list[Node] = field(default_factory=list)
    inputs: list[Input] = field(default_factory=list)
    components: list[Component] = field(default_factory=list)
    skips: list[Wire] = field(default_factory=list)
    """Ends of residual ops that no other has taken yet; the last one is taken first."""
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    declared: dict[tuple[KeyPath, str, Shape], Declared] = field(default_factory=dict)
    """What the ops of the spec declare, each computed once for all its repeats."""
    has_position: bool = False
    """Whether the core's tokens have their position."""
    on_tokens: int = 0
    """How many ops on tokens the core has so far."""
    shared: SharedModulation | None = None
    """The map of the time embedding that blocks of the core share."""
    in_front: int = 0
    """How many tokens stand in front of the core's, as `prepend` says."""

    def path(self, prefix: str, name: str) -> str:
        """A path of its own for one of several equal things in a place."""
        number = self.counts[(prefix, name)]
        self.counts[(prefix, name)] += 1
        return f"{prefix}.{name}.{number}"


class Site(NamedTuple):
    """Where a net is built: of which model, in which scope, and who hears what is wrong."""

    resolution: Resolution
    refusals: Refusals
    graph: Graph
    scope: Scope = Scope()
    refused: frozenset[str] = frozenset()
    """The conditions that were refused, so that nothing is said about what reads them."""
    retained: ComponentName | None = None
    """The retained ends that are built, if they are not the model's own."""
    kept: frozenset[ComponentName] = frozenset()
    """Places of retained ends that keep their names."""
    modulation: str = ""
    """What an op is given in the place of the time embedding, where it is not that itself."""

    @property
    def model(self) -> Model:
        """The model that is built."""
        return self.resolution.model

    @property
    def extent(self) -> tuple[int, int]:
        """(height, width) of the image in pixels; zeros where there is none or it was refused."""
        return self.model.image.extent if self.model.image else (0, 0)

    def span(self, *path: str | int) -> Span:
        """The place of a value, or of the innermost thing around it that has one."""
        return self.refusals.span(*path)

    def place(self, name: ComponentName, side: str = "") -> Place:
        """Where the ops of a component stand, or of one side of a stage."""
        own = self.retained is None or name == CORE or name in self.kept
        path = name if own else f"{self.retained}.{name}"
        component = name if own or self.retained is None else self.retained
        return Place(f"{path}.{side}" if side else path, component)


def apply(
    site: Site, op: Op, wire: Wire, component: ComponentName, path: str, at: KeyPath = ()
) -> Wire:
    """Add an op's node; a finding and an unknown shape where it does not fit its input.

    `at` is the op's place in the spec. What the compiler places has none: where it does not fit,
    something before it was refused.
    """
    if wire.shape is None:
        return wire
    try:
        shape = op.output(wire.shape, site.scope)
        reads = [name for read in op.reads(site.scope) for name in _names(site, read)]
        tables = _tables(site, op, wire.shape)
        add(site, op, (wire.name, *reads), wire.shape, shape, component, path, at, tables)
    except OpError as error:
        if at:
            site.refusals.op(_mended(site, op, error), at)
        return UNKNOWN
    except Exception as error:
        if op.call in BUILT_IN:
            raise
        reason = f"{type(error).__name__}: {error}"
        message = f"{site.span(*at)}: the installed op `{op.call}` fails: {reason}"
        raise GrowlangError(message) from error
    return Wire(path, shape, wire.is_sure)


def join(site: Site, op: Op, wire: Wire, other: Wire, component: ComponentName, path: str) -> Wire:
    """Add the node of an op that reads two values, which tell its arguments."""
    if wire.shape is None or other.shape is None:
        return UNKNOWN
    shape = op.output(wire.shape, site.scope)
    inputs = (wire.name, other.name)
    site.graph.nodes.append(Node(path, component, op.call, {}, inputs, shape))
    return Wire(path, shape, wire.is_sure)


def add(
    site: Site,
    op: Op,
    inputs: tuple[str, ...],
    x: Shape,
    output: Shape,
    component: ComponentName,
    path: str,
    at: KeyPath = (),
    tables: tuple[str, ...] = (),
) -> None:
    """Add a node with what its op declares for its input's shape `x`."""
    declared = _declared(site, op, x, (*([site.retained] if site.retained else []), *at))
    tensors = tuple(
        [
            Tensor(f"{path}.{name}", shape, init, decay)
            for name, shape, init, decay in declared.tensors
        ]
    )
    site.graph.nodes.append(
        Node(
            path,
            component,
            op.call,
            declared.arguments,
            inputs,
            output,
            tensors,
            declared.flops,
            declared.saved,
            site.refusals.span(*at) if at else None,
            declared.scope,
            tables,
            op,
        )
    )


def _mended(site: Site, op: Op, error: OpError) -> OpError:
    """The error, with the declaration of a condition where an op predicts it as a label."""
    label = getattr(op, error.argument or "", None) if op.ends_head else None
    condition = site.model.conditions.get(label) if isinstance(label, str) else None
    if condition and not condition.is_target and (call := condition.as_target()):
        error.help = f"declare it without its width: `{label} = {call}`"
    return error


def _declared(site: Site, op: Op, x: Shape, at: KeyPath) -> Declared:
    name = repr(op) if op.called_as == "internal" else op.call
    key, known = (at, name, x), site.graph.declared
    if key not in known:
        known[key] = _declare(op, x, _read(op, site.scope))
    return known[key]


@lru_cache(maxsize=1024)
def _declare(op: Op, x: Shape, scope: Scope) -> Declared:
    """What an op declares; equal ones do it once, such as those of a parent that a child keeps."""
    flops, saved = op.flops(x, scope), op.saved_activations(x, scope)
    return Declared(op.arguments(), op.tensors(x, scope), flops, saved, scope)


def _read(op: Op, scope: Scope) -> Scope:
    """The scope with the time and the conditions that an op reads."""
    reads = op.reads(scope)
    conditions = {name: scope.conditions[name] for name in reads if name in scope.conditions}
    return scope._replace(
        time=scope.time if "time" in reads else None,
        conditions=conditions,
        eps=scope.eps if op.norm_eps is None else op.norm_eps,
        pools={name: how for name, how in scope.pools.items() if name in conditions},
        rope=scope.rope if op.is_rotated else None,
        targets={n: c for n, c in scope.targets.items() if n in (op.attended or ())},
    )


def _tables(site: Site, op: Op, x: Shape) -> tuple[str, ...]:
    """The tensors of other nodes that an op takes. Raises OpError if one is not there or unfit."""
    if not op.tables:
        return ()
    found, axes = [], op.axes(x, site.scope)
    for owner, table in zip(op.tables, axes.tables if axes else (), strict=True):
        owners = [node for node in site.graph.nodes if node.op == owner]
        if len(owners) != 1:
            have = f"{len(owners)} of them" if owners else "none"
            raise OpError(
                f"`{op.call}` takes the table of `{owner}`, and before it the model has {have}",
                argument=op.tables_argument,
                help=f"write one `{owner}(width)` in the stem, or a map of its own: "
                f"`{op.tables_argument} = false`",
            )
        (tensor, *_), wanted = owners[0].tensors, tuple(map(length, table.axes))
        if tensor.shape != wanted:
            raise OpError(
                f"`{op.call}` takes the table of `{owner}`, which has {tensor.shape[-1]} channels, "
                f"but its input has {wanted[-1]}",
                argument=op.tables_argument,
                code="G205",
                help=f"put `linear({tensor.shape[-1]})` before it, or write a map of its own: "
                f"`{op.tables_argument} = false`",
            )
        found.append(tensor.name)
    return tuple(found)


def _names(site: Site, read: str) -> tuple[str, ...]:
    """The values that stand for what an op reads: of a condition its tokens and its mask."""
    if read == "time" and site.modulation:
        return (site.modulation,)
    if read == "time" or read in site.refused:
        return (read,)
    embedded = site.model.conditions[read].role == "embedding"
    return (f"{read}.embedding" if embedded else read, f"{read}.mask")
