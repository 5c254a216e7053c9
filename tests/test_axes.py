"""What ops declare of their axes holds: nothing is left out, and every symmetry is one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from fixture_specs import SHIPPED, checked
from symmetries import Alone, Call, alone, axes_of, each, error, places
from torch import Tensor

from growlang.net import Scope, Shape, grid, tokens
from growlang.net.axes import POWERS, Axes, Axis, Parameter, Role, Segment, Space, Symmetry, length
from growlang.ops import BUILT_IN, CONDITIONS, axes_in, op_of

FROZEN = {name for name, c in CONDITIONS.items() if c.role == "embedding"}
"""Encoders that run outside the net: no module computes them."""
COMPUTED = {name: op for name, op in BUILT_IN.items() if name not in FROZEN}
ROLES = {
    name: {s.role for _, axes in each({name: op}, 8) for p in axes.parameters for s in p.axes[0]}
    for name, op in BUILT_IN.items()
}
EXACT = 1e-12


def inside(axis: Axis) -> list[Space]:
    """The spaces of an axis."""
    return [f for segment in axis for f in segment.factors if isinstance(f, Space)]


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_axis_of_an_op_is_covered(name: str) -> None:
    for call, axes in each({name: BUILT_IN[name]}, 12):
        op, x, scope = call
        maps = {m.weight.name for m in axes.maps}
        for parameter, tensor in zip(axes.parameters, op.tensors(x, scope), strict=True):
            assert tensor.name == parameter.name
            assert tensor.shape == tuple(map(length, parameter.axes))
            assert tensor.decay == (tensor.name in maps)
        assert length(axes.output) == op.output(x, scope).width


@pytest.mark.parametrize("name", BUILT_IN)
def test_an_op_tells_whether_it_has_tensors(name: str) -> None:
    has = any(axes.layers for _, axes in each({name: BUILT_IN[name]}, 12))
    assert BUILT_IN[name].has_tensors == has


@pytest.mark.parametrize("name", BUILT_IN)
def test_spaces_and_roles_fit_each_other(name: str) -> None:
    for _, axes in each({name: BUILT_IN[name]}, 12):
        parameters = [axis for p in axes.parameters for axis in p.axes]
        spaces = {s for axis in [*parameters, *axes.inputs, axes.output] for s in inside(axis)}
        assert spaces == set(axes.spaces.values()), "two spaces have one name"
        assert all(s.size % s.groups == 0 for s in spaces)
        for segment in (s for axis in parameters for s in axis):
            found = inside((segment,))
            assert (not found) == (segment.role in (Role.KERNEL, Role.POSITION))
            if any(s.symmetry is Symmetry.SCALED for s in found):
                assert segment.role in POWERS


@pytest.mark.parametrize("name", COMPUTED)
def test_inputs_are_those_of_the_module(name: str) -> None:
    for (op, _, scope), axes in each({name: COMPUTED[name]}, 12):
        reads: list[list[str]] = []
        for read in op.reads(scope):
            reads += [["time"]] if read == "time" else [[f"condition.{read}"], []]
        found = [[s.name for s in inside(a)] for a in axes.inputs[1 : len(reads) + 1]]
        if getattr(op, "modulation", "") == "shared":  # what the core's map makes of the time
            reads = [["x"] if read == ["time"] else read for read in reads]
        own = {"fourier": ["out"], "prepend": ["x"]}.get(name)  # what is read as it is
        found = [r if f == own else f for f, r in zip(found, reads, strict=True)]
        assert found == reads


@pytest.mark.parametrize("name", COMPUTED)
def test_symmetries_leave_the_function_as_it_is(name: str) -> None:
    for seed, (call, axes) in enumerate(each({name: COMPUTED[name]}, 16)):
        assert error(call, axes, seed) < EXACT, refusal(call, axes, seed)


def refusal(call: Call, axes: Axes, seed: int) -> str:
    """Which spaces of a call do not have the symmetry that they declare."""
    spaces = axes.spaces.values()
    wrong = [
        f"`{s.name}` ({s.symmetry})" for s in spaces if error(call, axes, seed, s.name) >= EXACT
    ]
    return f"{call.op!r} is another function once these spaces change: {', '.join(wrong) or 'all'}"


# --- roles and places, which permutations do not tell apart ---------------------------------------


def with_roles(roles: set[Role]) -> list[str]:
    """The ops that have one of some roles."""
    return [name for name, found in ROLES.items() if found & roles]


def put(weights: Mapping[str, Tensor], axes: Axes, role: Role, value: float) -> dict[str, Tensor]:
    """The weights for which everything in a role is `value`: zero rows of a weight, that bias."""
    found = {name: weight.clone() for name, weight in weights.items()}
    for parameter in axes.parameters:
        for dim, axis in enumerate(parameter.axes):
            where = places(axis, role).nonzero().flatten()
            alone = len(parameter.axes) == 1 or parameter.name == "table"
            constant = value if alone else 0.0
            found[parameter.name].index_fill_(dim, where, constant)
    return found


def by_tables(call: Call, axes: Axes) -> Alone:
    """The op alone; where it is given its modulation, that of its table."""
    op = alone(call, axes)
    if getattr(call.op, "modulation", "") == "shared":
        op.values[1].zero_()
    return op


@pytest.mark.parametrize("name", with_roles({Role.GATE}))
def test_nothing_passes_a_gate_of_zero(name: str) -> None:
    for call, axes in each({name: BUILT_IN[name]}, 12):
        some = getattr(call.op, "modulation", "") != "none" and call.op.is_residual
        if call.scope.time is not None and some and not getattr(call.op, "unmodulated", None):
            op = by_tables(call, axes)
            assert torch.equal(op(put(op.weights, axes, Role.GATE, 0)), op.values[0])


@pytest.mark.parametrize("name", with_roles({Role.NORM_SCALE, Role.SCALE}))
def test_scales_and_shifts_decide_what_readers_of_normalised_values_read(name: str) -> None:
    silent = {Role.NORM_SCALE: 0, Role.NORM_SHIFT: 0, Role.SCALE: -1, Role.SHIFT: 0}
    heard = False
    if name == "modulation":
        return  # it gives scales to others
    for call, axes in each({name: BUILT_IN[name]}, 12):
        op = by_tables(call, axes)
        weights = op.weights
        for role, value in silent.items():
            weights = put(weights, axes, role, value)
        result = op(weights)
        assert torch.equal(result, op(put(weights, axes, Role.NORMALISED, 0)))
        heard |= not torch.equal(result, op())
    assert heard


@pytest.mark.parametrize("name", with_roles({Role.VALUE}))
def test_attention_averages_values_and_compares_queries_with_keys(name: str) -> None:
    for call, axes in each({name: BUILT_IN[name]}, 12):
        op = alone(call, axes)
        outs = {a.weight.name for a in axes.layers if "attend" in a.branch and a.place == "last"}
        silent = {n: w * (n not in outs) for n, w in op.weights.items()}
        if not call.scope.numbers:
            torch.testing.assert_close(op(put(op.weights, axes, Role.VALUE, 0)), op(silent))
        is_normed = Role.KEY_NORM in {s.role for p in axes.parameters for s in p.axes[0]}
        joined = getattr(call.op, "joint", ())  # beside which a key is not constant
        if not (is_normed or call.scope.rope or joined):  # a constant key that is turned is none
            moved = put(op.weights, axes, Role.KEY, 3.0)
            biases = {p.name for p in axes.parameters if len(p.axes) == 1}
            weights = {n: moved[n] if n in biases else w for n, w in op.weights.items()}
            torch.testing.assert_close(op(weights), op(), rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("name", COMPUTED)
def test_without_its_last_layers_an_op_is_its_skip(name: str) -> None:
    """Its input, a map of that, what it joins, or nothing."""
    for call, axes in each({name: COMPUTED[name]}, 8):
        op, places = alone(call, axes), {layer.place for layer in axes.layers}
        if "last" not in places:
            continue
        if call.op.is_residual and call.op.called_as != "pipe":
            continue  # its input on another grid
        if getattr(call.op, "mlp", None) is False:
            continue  # waves, which no layer makes
        rest = op(_without(axes, op.weights, "last"))
        if call.op.is_residual and "skip" in places:
            assert rest.any()
            rest = op(_without(axes, op.weights, "last", "skip"))
        elif call.op.is_residual or (call.op.is_join and not call.op.others(*call[1:])):
            rest = rest[:, -op.values[0].shape[1] :] - op.values[0]  # behind tokens in front
        assert not rest.any(), (
            f"{call.op!r} does not give its skip once the layers of `place` last are zero: "
            "`is_residual`, or the `place` of a layer, is wrong"
        )


def _without(axes: Axes, weights: Mapping[str, Tensor], *places: str) -> dict[str, Tensor]:
    gone = {p.name for a in axes.layers if a.place in places for p in a.parameters}
    return {name: weight * (name not in gone) for name, weight in weights.items()}


# --- a declaration that is wrong ------------------------------------------------------------------


def rewritten(axes: Axes, change: Callable[[Segment], Segment]) -> Axes:
    """The axes with another segment for each."""

    def of(axis: Axis) -> Axis:
        return tuple(map(change, axis))

    def parameter(p: Parameter) -> Parameter:
        return p._replace(axes=tuple(map(of, p.axes)))

    layers = [
        layer._replace(weight=parameter(layer.weight), bias=layer.bias and parameter(layer.bias))
        for layer in axes.layers
    ]
    return Axes(tuple(map(of, axes.inputs)), of(axes.output), tuple(layers))


def space(name: str, **changes: Any) -> Callable[[Segment], Segment]:
    """Another space of a name."""

    def change(segment: Segment) -> Segment:
        factors = [
            f._replace(**changes) if isinstance(f, Space) and f.name == name else f
            for f in segment.factors
        ]
        return segment._replace(factors=tuple(factors))

    return change


def turned(segment: Segment) -> Segment:
    """The factors in the other order."""
    return segment._replace(factors=segment.factors[::-1])


def exchanged(segment: Segment) -> Segment:
    """Keys for values, and the other way round."""
    other = {Role.KEY: Role.VALUE, Role.VALUE: Role.KEY}
    return segment._replace(role=other.get(segment.role, segment.role))


GRID, TOKENS, TIMED = grid(12, 4, 4), tokens(5, 12), Scope(5)
HEADS = {"width": 12, "heads": 3}
SCALED, PERMUTED = Symmetry.SCALED, Symmetry.PERMUTED


@pytest.mark.parametrize(
    ("name", "args", "x", "wrong"),
    [
        ("residual", {"width": 6}, GRID, space("x", norm=None)),
        ("residual", {"width": 6}, GRID, space("hidden", norm=None)),
        ("residual", {"width": 6}, GRID, space("hidden", symmetry=SCALED)),
        ("residual", {"width": 6}, GRID, space("time", symmetry=SCALED)),
        ("transformer", HEADS, TOKENS, space("mlp.hidden", symmetry=SCALED)),
        ("transformer", HEADS, TOKENS, space("x", symmetry=SCALED)),
        ("attention", HEADS, TOKENS, turned),
        ("attention", HEADS, TOKENS, space("attend.self.head", symmetry=SCALED)),
        ("attention", {**HEADS, "qk_norm": False}, TOKENS, exchanged),
        ("idwt", {"width": 3}, GRID, turned),
        ("dwt", {"width": 3}, GRID, turned),
        ("fourier", {"width": 8}, Shape("vector", ()), space("frequencies", symmetry=PERMUTED)),
        ("position", {"kind": "sincos"}, TOKENS, space("x", symmetry=PERMUTED)),
    ],
)
def test_a_wrong_declaration_is_found(
    name: str, args: dict[str, Any], x: Shape, wrong: Callable[[Segment], Segment]
) -> None:
    call = Call(op_of(name).model_validate(args), x, TIMED)
    axes = axes_of(call)
    assert error(call, axes) < EXACT
    assert error(call, rewritten(axes, wrong)) > 1e-3


def test_a_refusal_names_the_space() -> None:
    call = Call(op_of("transformer").model_validate(HEADS), TOKENS, TIMED)
    wrong = rewritten(axes_of(call), space("mlp.hidden", symmetry=SCALED))
    assert refusal(call, wrong, 0).endswith("once these spaces change: `mlp.hidden` (scaled)")


# --- the shipped nets -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.grow")), ids=lambda path: path.stem)
def test_every_tensor_of_a_shipped_net_has_its_axes_once(path: Path) -> None:
    found = checked(path)
    for net in (found.net, *([found.parent.net] if found.parent else [])):
        shapes = Counter[tuple[str, tuple[int, ...]]]()
        for node in net.nodes:
            axes = axes_in(net, node)
            assert axes is not None
            assert len(axes.inputs) == len(node.inputs)
            for p in axes.parameters:
                shapes[f"{node.path}.{p.name}", tuple(map(length, p.axes))] += 1
            values = [net.shapes[name] for name in node.inputs]
            for axis, value in zip(axes.inputs, values, strict=True):
                assert not axis or value.kind == "ids" or length(axis) == value.width
        assert shapes == Counter((t.name, t.shape) for t in net.tensors())
