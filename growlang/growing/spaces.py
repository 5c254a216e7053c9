"""The spaces of a net: which axes of which tensors grow together. Stdlib only.

Each op declares the axes of its own tensors in spaces of its own. Here they are joined where values
flow: the `x` of one op is what comes out of the one before, a sum has one space for both of its
inputs, a concatenation has those of its parts one after the other. No model is traced.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from growlang.net import Net, Node, Shape
from growlang.net.axes import Axes, Axis, Parameter, Role, Space
from growlang.net.scope import Scope
from growlang.ops import axes_in, op_in

Value = tuple[int, ...]
"""The spaces along the channels of a value, one after the other."""


class Place(NamedTuple):
    """A space as an op knows it: `core.transformer.0` and its `mlp.hidden`."""

    node: str
    space: str

    def __str__(self) -> str:
        return f"{self.node}.{self.space}"


class Member(NamedTuple):
    """A use of a space by an op: alone, or as one of the parts of what the op reads."""

    node: Node
    space: Space
    place: Place


@dataclass(frozen=True)
class Spaces:
    """The spaces of a net by number. Two places with one number grow together."""

    net: Net
    sizes: tuple[int, ...]
    """Places of each space; of one that is another's, that of the other."""
    values: dict[str, Value]
    """The spaces of every value of the net, by its name."""
    local: dict[Place, Value]
    """The spaces that each place consists of."""
    axes: dict[str, Axes]
    """What each op declares, by its path; ops that declare nothing are left out."""
    named: dict[str, Mapping[str, Space]]
    """The spaces that each op names, by its path and their names."""
    normalised: frozenset[str]
    """The values that are those of a norm."""

    @cached_property
    def members(self) -> dict[int, list[Member]]:
        """The uses of each space, in the order of the net."""
        found: dict[int, list[Member]] = defaultdict(list)
        for node in self.net.nodes:
            if node.path not in self.named:
                continue
            for name, space in self.named[node.path].items():
                place = Place(node.path, name)
                for number in dict.fromkeys(self.local[place]):
                    found[number].append(Member(node, space, place))
        return dict(found)


def spaces(net: Net) -> Spaces:
    """The spaces of a net, whose ops may have been installed with packages.

    Raises GrowlangError if there is no such op.
    """
    joined = _Joined()
    for given in net.inputs:
        if given.role in ("image", "embedding"):
            joined.values[given.name] = (joined.new(given.shape.width),)
        else:
            joined.values[given.name] = ()
    axes: dict[str, Axes] = {}
    named: dict[str, Mapping[str, Space]] = {}
    names: dict[int, Mapping[str, Space]] = {}
    declared: dict[tuple[int, Shape, Scope], Axes | None] = {}
    for node in net.nodes:
        key = (id(op_in(node)) if node.declaration else id(node), net.shapes[node.inputs[0]])
        known = (*key, node.scope)
        if known not in declared or (len(node.inputs) > 1 and not node.tensors):
            declared[known] = axes_in(net, node)
        found = declared[known]
        if found is None:
            joined.values[node.path] = (joined.new(node.output.width),)
            continue
        if id(found) not in names:
            names[id(found)] = found.spaces
        axes[node.path], named[node.path] = found, names[id(found)]
        joined.take(node, found, named[node.path])
    return joined.done(net, axes, named)


@dataclass
class _Joined:
    """Joins spaces while it walks the net."""

    sizes: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)
    local: dict[Place, Value] = field(default_factory=dict)
    normalised: set[str] = field(default_factory=set)
    tables: dict[str, tuple[str, Parameter]] = field(default_factory=dict)
    """The tables that ops have, with the paths of their nodes."""

    def new(self, size: int) -> int:
        self.sizes.append(size)
        self.parents.append(len(self.parents))
        return len(self.parents) - 1

    def root(self, space: int) -> int:
        while self.parents[space] != space:
            self.parents[space] = self.parents[self.parents[space]]
            space = self.parents[space]
        return space

    def join(self, one: Value, other: Value) -> bool:
        """Make two values one; False where they do not have equal parts."""
        if [self.sizes[s] for s in one] != [self.sizes[s] for s in other]:
            return False
        for a, b in zip(one, other, strict=True):
            first, second = sorted((self.root(a), self.root(b)))
            self.parents[second] = first
        return True

    def take(self, node: Node, axes: Axes, named: Mapping[str, Space]) -> None:
        """Bind the spaces of an op: to the values that it reads, or to new ones."""
        for name, axis in zip(node.inputs, axes.inputs, strict=False):
            for segment in axis:
                for space in (f for f in segment.factors if isinstance(f, Space)):
                    self._read(Place(node.path, space.name), self.values[name])
        for name, shared in zip(node.tables, axes.tables, strict=True):
            self._share(node, shared, *self.tables[name])
        for name, space in named.items():
            place = Place(node.path, name)
            if place not in self.local:
                self.local[place] = (self.new(space.size),)
        for layer in axes.layers:
            if layer.kind == "table":
                self.tables[f"{node.path}.{layer.weight.name}"] = node.path, layer.weight
        output = tuple(
            number
            for segment in axes.output
            for space in segment.factors
            if isinstance(space, Space)
            for number in self.local[Place(node.path, space.name)]
        )
        self.values[node.path] = output
        passes = not axes.layers and self.normalised.issuperset(node.inputs)
        if _is_normalised(axes.output) or passes:
            self.normalised.add(node.path)

    def _share(self, node: Node, shared: Parameter, owner: str, table: Parameter) -> None:
        """Bind the spaces of a table that an op takes to those of the op that has it."""
        for ours, theirs in zip(shared.axes, table.axes, strict=True):
            for one, other in zip(ours, theirs, strict=True):
                for a, b in zip(one.factors, other.factors, strict=True):
                    if isinstance(a, Space) and isinstance(b, Space):
                        self._read(Place(node.path, a.name), self.local[Place(owner, b.name)])

    def _read(self, place: Place, value: Value) -> None:
        if not value:  # ids, labels and the noise level have no channels
            return
        if place not in self.local:
            self.local[place] = value
        elif not self.join(self.local[place], value):
            raise ValueError(f"{place} has parts of other sizes in its inputs")

    def done(
        self, net: Net, axes: dict[str, Axes], named: dict[str, Mapping[str, Space]]
    ) -> Spaces:
        def roots(value: Value) -> Value:
            return tuple([self.root(s) for s in value])

        return Spaces(
            net,
            tuple(self.sizes),
            {name: roots(value) for name, value in self.values.items()},
            {place: roots(value) for place, value in self.local.items()},
            axes,
            named,
            frozenset(self.normalised),
        )


def _is_normalised(axis: Axis) -> bool:
    return any(segment.role is Role.NORMALISED for segment in axis)
