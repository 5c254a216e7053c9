"""The axes of an op: what stands along every axis of its inputs, its result and its tensors.

An axis consists of segments, one after the other: one for each part of what is fused or
concatenated. A segment is a product of factors, the outermost first: spaces of the op, and numbers
of places that nothing reorders (bands of a wavelet, pixels of a patch). Its role tells what the
tensor has to do with the values of its spaces.

An op's function stays as it is where the values of a space are permuted or scaled as the space
allows, and with them every segment of which it is a factor. A net's spaces are those of its ops,
joined where values flow from one to the next: `x` of an op is what comes out of the one before.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, NamedTuple

from growlang.net.net import Tensor


class Role(StrEnum):
    """What a tensor has to do along a segment with the values v of its spaces.

    Each follows a permutation of v. `POWERS` tells which follow a scaling of v, and how.
    """

    WRITES = "writes"
    """Rows of a map that computes v, and its bias; columns of a table whose rows are v."""
    READS = "reads"
    """Columns of a map of v as it is; rows of a table, of which v picks one."""
    NORMALISED = "normalised"
    """Columns of a map of v behind a norm of v."""
    DEPTHWISE = "depthwise"
    """Filters of v that mix no channels: each place is a map of itself."""
    NORM_SCALE = "norm scale"
    """What a norm of v multiplies by."""
    NORM_SHIFT = "norm shift"
    """What a norm of v adds."""
    SCALE = "scale"
    """Rows of a modulation that computes s: the normalised v is multiplied by 1 + s."""
    SHIFT = "shift"
    """Rows of a modulation that computes what is then added."""
    GATE = "gate"
    """Rows of a modulation that computes what a branch is multiplied by before it is added to v."""
    QUERY = "query"
    """Rows of a map that computes queries, heads x head."""
    KEY = "key"
    """Rows of a map that computes keys, heads x head."""
    VALUE = "value"
    """Rows of a map that computes what attention averages, heads x head."""
    QUERY_NORM = "query norm"
    """What the norm of queries multiplies by, the same in every head."""
    KEY_NORM = "key norm"
    """What the norm of keys multiplies by, the same in every head."""
    TIED_SCALE = "tied scale"
    """What a norm of v multiplies by, before a map whose columns are those of a table of v."""
    TIED_SHIFT = "tied shift"
    """What such a norm adds."""
    KERNEL = "kernel"
    """Offsets of a filter, in pixels; no space."""
    POSITION = "position"
    """Places of a sequence; no space."""


POWERS: Mapping[Role, int] = {
    Role.WRITES: 1,
    Role.QUERY: 1,
    Role.VALUE: 1,
    Role.DEPTHWISE: 0,
    Role.READS: -1,
    Role.KEY: -1,
}
"""Where v is multiplied by s, entries are by s to this power; a space that can be scaled has no
other roles. The scores of attention are products of queries and keys, which keep them."""


class Symmetry(StrEnum):
    """What the values of a space may undergo without a change of the op's function."""

    FIXED = "fixed"
    """Nothing: each place has a meaning of its own, such as a frequency."""
    PERMUTED = "permuted"
    """A permutation; where a GroupNorm reads them, of its groups and of the places of each."""
    SCALED = "scaled"
    """A permutation, and a factor for each place: only linear maps write and read them."""


class Normalisation(NamedTuple):
    """How an op normalises the values of a space."""

    kind: Literal["group", "layer", "rms"]
    groups: int = 1
    """The groups of a GroupNorm: runs of equal length."""


class Rows(NamedTuple):
    """What ids or labels pick places of: `extend` makes more of them."""

    are_hashed: bool = False
    """Whether an id is a hash modulo the number of rows, so that another number moves it."""
    have_null: bool = False
    """Whether the last row is that of no condition, which is not counted."""


class Space(NamedTuple):
    """Places that are permuted and scaled together, wherever an op writes or reads them.

    `name` is local to the op: `x` is its input's channels, `out` those of its result where they
    are others, `time` and `condition.NAME` those of what else it reads; `hidden`, `heads`, `head`
    (in `attend.NAME`, `mlp`) are its own, `vocabulary` and `classes` are what ids and labels pick.
    """

    name: str
    size: int
    symmetry: Symmetry = Symmetry.PERMUTED
    norm: Normalisation | None = None
    rows: Rows | None = None
    """Of what ids and labels pick."""

    @property
    def groups(self) -> int:
        """Into how many runs of equal length permutations may not reach: they move as blocks."""
        return self.norm.groups if self.norm else 1


class Segment(NamedTuple):
    """A part of an axis: a product of spaces and numbers of places, the outermost first."""

    factors: tuple[Space | int, ...]
    role: Role


Axis = tuple[Segment, ...]
"""The segments of an axis, in order; none for a value that has no channels."""


def axis(role: Role, *factors: Space | int) -> Axis:
    """An axis of one segment; `+` makes one axis of several."""
    return (Segment(factors, role),)


def writes(*factors: Space | int) -> Axis:
    """Rows of a map that computes the values of the factors."""
    return (Segment(factors, Role.WRITES),)


def reads(*factors: Space | int) -> Axis:
    """Columns of a map of these values."""
    return (Segment(factors, Role.READS),)


def normalised(*factors: Space | int) -> Axis:
    """Columns of a map of these values behind their norm."""
    return (Segment(factors, Role.NORMALISED),)


def length(axis: Axis) -> int:
    """The number of places along an axis."""
    total = 0
    for factors, _ in axis:
        places = 1
        for factor in factors:
            places *= factor.size if isinstance(factor, Space) else factor
        total += places
    return total


class Parameter(NamedTuple):
    """A tensor by its axes, from which its shape follows; the other fields are `Tensor`'s."""

    name: str
    axes: tuple[Axis, ...]
    init: str
    decay: bool = False


class Layer(NamedTuple):
    """Tensors of an op that are computed with as one: a map, a norm or a table, and its bias.

    The layers of one `branch` lie in series, in their order: `last` gives what the branch adds to
    its input, or the op's result. A `skip` is a map of the op's input beside its branch.
    """

    name: str
    kind: Literal["map", "norm", "table"]
    weight: Parameter
    bias: Parameter | None = None
    branch: str = ""
    place: Literal["inside", "last", "skip"] = "inside"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The weight, and the bias if there is one."""
        return (self.weight, self.bias) if self.bias else (self.weight,)

    @property
    def is_factor(self) -> bool:
        """Whether it lies in series with the layers of its branch: of two zeros none is trained.

        A skip lies beside the branch, and a modulation without a gate leaves it as it is at zero;
        a table of modulations is added to a map of them.
        """
        roles = {segment.role for segment in self.weight.axes[0]}
        if self.place == "skip" or (self.kind == "table" and Role.SCALE in roles):
            return False
        return Role.SCALE not in roles or Role.GATE in roles


class Axes(NamedTuple):
    """Every axis of an op, and its layers in the order in which they are computed.

    `inputs` are the channels of each value that the op's module is called with, in order; ids and
    labels are those of what they pick, and a mask and the noise level have none. `output` are the
    channels of the result: of role `normalised` where its values are those of a norm. `tables` are
    tensors of other ops, with which the module is called after all inputs.
    """

    inputs: tuple[Axis, ...]
    output: Axis
    layers: tuple[Layer, ...] = ()
    tables: tuple[Parameter, ...] = ()

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters of all layers."""
        return tuple(p for layer in self.layers for p in layer.parameters)

    @property
    def maps(self) -> tuple[Layer, ...]:
        """The linear maps and convolutions, to whose weights weight decay applies."""
        return tuple(layer for layer in self.layers if layer.kind == "map")

    @property
    def spaces(self) -> dict[str, Space]:
        """The spaces by name."""
        own = (a for p in (*self.parameters, *self.tables) for a in p.axes)
        axes = [*self.inputs, self.output, *own]
        factors = [f for axis in axes for segment in axis for f in segment.factors]
        return {f.name: f for f in factors if isinstance(f, Space)}

    def tensors(self) -> tuple[Tensor, ...]:
        """The parameters with the shapes that follow from their axes."""
        return tuple(
            [
                Tensor(name, tuple([length(a) for a in axes]), init, decay)
                for layer in self.layers
                for name, axes, init, decay in layer.parameters
            ]
        )
