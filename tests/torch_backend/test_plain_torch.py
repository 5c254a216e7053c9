"""Ops that keep numbers and an eps compute what plain torch computes with those."""

from __future__ import annotations

from collections.abc import Mapping
from math import pi
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from growlang.net import Component, Input, Net, Node, Scope, Shape, grid, tokens
from growlang.net.component_name import ComponentName
from growlang.ops import Op, op_of, rebuilt
from growlang.torch_backend.lower import lower

TIME, TEXT, MASKED = 6, tokens(5, 10), 2
EPS = 0.3
GRID, TOKENS = grid(12, 4, 4), tokens(7, 12)
Weights = Mapping[str, Tensor]


def computed(
    name: str,
    args: dict[str, Any],
    x: Shape,
    scope: Scope,
    numbers: Mapping[str, int] | None = None,
    eps: float | None = None,
) -> tuple[Tensor, Weights, list[Tensor]]:
    """The op alone in a net, its node rebuilt: result, weights and inputs, all random, float64."""
    op = op_of(name).model_validate(args)
    shapes = {"x": x}
    for read in op.reads(scope):
        shapes |= {read: Shape("vector", (TIME,))} if read == "time" else {}
        shapes |= {read: TEXT, f"{read}.mask": Shape("mask", (5,))} if read != "time" else {}
    node = Node("op", ComponentName("core"), name, {}, tuple(shapes), op.output(x, scope))
    node = rebuilt(_typed(node, op, scope), x, numbers, eps)
    inputs = tuple(Input(n, "image", shape) for n, shape in shapes.items())
    net = Net("alone", inputs, (node,), (Component(ComponentName("core"), node.output),), "op")
    module = lower(net, "cpu").double()
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5, generator=generator)
    values = [_value(shape, generator) for shape in shapes.values()]
    weights = {n.removeprefix("op."): w for n, w in module.state_dict().items()}
    assert {n: tuple(w.shape) for n, w in module.state_dict().items()} == {
        t.name: t.shape for t in node.tensors
    }
    return module(*values).detach(), weights, values


def _typed(node: Node, op: Op, scope: Scope) -> Node:
    read = {n: s for n, s in scope.conditions.items() if n in op.reads(scope)}
    return Node(
        **{**vars(node), "scope": scope._replace(conditions=read), "declaration": op},
    )


def _value(shape: Shape, generator: torch.Generator) -> Tensor:
    if shape.kind == "mask":
        return (torch.arange(shape.dims[0]) < shape.dims[0] - MASKED).expand(2, -1)
    return torch.randn(2, *shape.dims, generator=generator, dtype=torch.float64)


def same(result: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-12)


# --- grids -----------------------------------------------------------------------------------


def test_a_residual_has_its_groups_and_eps() -> None:
    numbers = {"norm1.groups": 3, "norm2.groups": 4}
    scope = Scope(time=TIME)
    result, w, (x, time) = computed("residual", {"width": 8}, GRID, scope, numbers, EPS)
    h = F.silu(F.group_norm(x, 3, w["norm1.weight"], w["norm1.bias"], EPS))
    h = F.conv2d(h, w["conv1.weight"], w["conv1.bias"], padding=1)
    h = F.group_norm(h, 4, w["norm2.weight"], w["norm2.bias"], EPS)
    modulation = F.linear(F.silu(time), w["time.weight"], w["time.bias"])[:, :, None, None]
    h = F.silu(h * (1 + modulation[:, :8]) + modulation[:, 8:])
    h = F.conv2d(h, w["conv2.weight"], w["conv2.bias"], padding=1)
    same(result, h + F.conv2d(x, w["skip.weight"], w["skip.bias"]))


def test_unpatch_has_its_groups_and_eps() -> None:
    numbers = {"norm.groups": 3}
    result, w, (x,) = computed("unpatch", {"factor": 2}, GRID, Scope(), numbers, EPS)
    h = F.silu(F.group_norm(x, 3, w["norm.weight"], w["norm.bias"], EPS))
    same(result, F.pixel_shuffle(F.conv2d(h, w["proj.weight"], w["proj.bias"]), 2))


def test_a_norm_of_a_grid_has_its_groups_and_eps() -> None:
    result, w, (x,) = computed("norm", {}, GRID, Scope(), {"groups": 4}, EPS)
    same(result, F.group_norm(x, 4, w["weight"], w["bias"], EPS))


# --- tokens ----------------------------------------------------------------------------------


def test_the_norms_of_tokens_have_their_eps() -> None:
    result, w, (x,) = computed("norm", {}, TOKENS, Scope(), eps=EPS)
    same(result, F.layer_norm(x, (12,), w["weight"], w["bias"], EPS))
    result, w, (x,) = computed("unembed", {}, TOKENS, Scope(vocabulary=9), eps=EPS)
    h = F.layer_norm(x, (12,), w["norm.weight"], w["norm.bias"], EPS)
    same(result, F.linear(h, w["proj.weight"]))


def sublayer(
    x: Tensor, time: Tensor | None, w: Weights, branch: str, kind: str
) -> tuple[Tensor, Tensor | float]:
    """What enters a sublayer's branch, and the gate of what comes out."""
    width = (x.shape[-1],)
    scale, shift = w.get(f"{branch}.norm.weight"), w.get(f"{branch}.norm.bias")
    if kind == "layer":
        h = F.layer_norm(x, width, scale, shift, EPS)
    else:
        h = F.rms_norm(x, width, scale, EPS)
    if time is None:
        return h, 1.0
    rows = F.linear(F.silu(time), w[f"{branch}.modulation.weight"], w[f"{branch}.modulation.bias"])
    moved, factor, gate = rows[:, None].chunk(3, dim=-1)
    return h * (1 + factor) + moved, gate


def attention(
    h: Tensor, w: Weights, branch: str, heads: int, text: Tensor | None, mask: Tensor | None
) -> Tensor:
    """Attention of h to itself, or to the text, written out."""
    if text is None:
        q, k, v = F.linear(h, w[f"{branch}.qkv.weight"], w[f"{branch}.qkv.bias"]).chunk(3, -1)
    else:
        q = F.linear(h, w[f"{branch}.q.weight"], w[f"{branch}.q.bias"])
        k, v = F.linear(text, w[f"{branch}.kv.weight"], w[f"{branch}.kv.bias"]).chunk(2, -1)
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v))
    if f"{branch}.q_norm.weight" in w:
        q = F.rms_norm(q, q.shape[-1:], w[f"{branch}.q_norm.weight"], EPS)
        k = F.rms_norm(k, k.shape[-1:], w[f"{branch}.k_norm.weight"], EPS)
    allowed = None if mask is None else mask[:, None, None, :]
    merged = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed).transpose(1, 2).flatten(2)
    return F.linear(merged, w[f"{branch}.out.weight"], w[f"{branch}.out.bias"])


@pytest.mark.parametrize("kind", ["layer", "rms"])
@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("qk_norm", [True, False])
@pytest.mark.parametrize(("heads", "head_width"), [(3, None), (3, 4), (5, 4), (2, 3)])
def test_a_transformer_has_its_heads_its_hidden_channels_and_eps(
    kind: str, timed: bool, qk_norm: bool, heads: int, head_width: int | None
) -> None:
    args = {"width": 12, "heads": heads, "attend": ["self", "text"], "norm": kind}
    args |= {"qk_norm": qk_norm, "head_width": head_width}
    scope = Scope(time=TIME if timed else None, conditions={"text": TEXT})
    numbers, inner = {"mlp.hidden": 5}, heads * (head_width or 4)
    result, w, values = computed("transformer", args, TOKENS, scope, numbers, EPS)
    x, (text, mask), time = values[0], values[-2:], values[1] if timed else None
    for name, read in (("self", (None, None)), ("text", (text, mask))):
        h, gate = sublayer(x, time, w, f"attend.{name}", kind)
        x = x + gate * attention(h, w, f"attend.{name}", heads, *read)
    assert w["attend.self.out.weight"].shape == (12, inner)
    assert w["attend.text.kv.weight"].shape == (2 * inner, 10)
    h, gate = sublayer(x, time, w, "mlp", kind)
    h = F.gelu(F.linear(h, w["mlp.up.weight"], w["mlp.up.bias"]))
    assert h.shape[-1] == 5
    same(result, x + gate * F.linear(h, w["mlp.down.weight"], w["mlp.down.bias"]))


# --- the noise level -------------------------------------------------------------------------


def test_the_noise_level_has_its_frequencies() -> None:
    """Those of a narrower one, whose number a wider one keeps."""
    x, numbers = Shape("vector", ()), {"frequencies": 3}
    result, w, (log_snr,) = computed("fourier", {"width": 16}, x, Scope(), numbers)
    _, narrow, _ = computed("fourier", {"width": 6}, x, Scope())
    assert w["linear1.weight"].shape[1] == narrow["linear1.weight"].shape[1]
    frequencies = torch.tensor([2 * pi / 64, 2 * pi / 8, 2 * pi], dtype=torch.float64)
    angles = log_snr[:, None] * frequencies
    waves = torch.cat([angles.sin(), angles.cos()], 1)
    h = F.silu(F.linear(waves, w["linear1.weight"], w["linear1.bias"]))
    same(result, F.linear(h, w["linear2.weight"], w["linear2.bias"]))
