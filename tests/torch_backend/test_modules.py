"""The catalogue and the modules agree, for every op and sampled arguments, shapes and scopes."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from symmetries import Call, calls
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from growlang.diagnostics import GrowlangError
from growlang.net import Rope, Shape, grid, tokens, vector
from growlang.net import Tensor as Declared
from growlang.net.axes import length
from growlang.ops import BUILT_IN, Condition, Op, Scope, op_of
from growlang.ops.activations import Swiglu
from growlang.torch_backend.attention import attend
from growlang.torch_backend.initialisation import draw
from growlang.torch_backend.modules import build
from growlang.torch_backend.registration import builder_of
from growlang.torch_backend.rotary import rotate

MODULES = tuple(
    name
    for name, op in BUILT_IN.items()
    if op.called_as != "internal" and (op.has_tensors or not issubclass(op, Condition))
)
"""The ops that a module computes: the compiler's own are calls, and frozen encoders no nodes."""
WITH_TENSORS = tuple(name for name in MODULES if BUILT_IN[name].has_tensors)
RESIDUAL = tuple(name for name in MODULES if BUILT_IN[name].is_residual)
ATTENDING = ("attention", "transformer")
COUNT = 30
VOCABULARY = 11


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same values in every test, whichever ops others were run for."""
    torch.manual_seed(0)


def test_every_op_that_needs_a_module_has_one() -> None:
    assert all(builder_of(BUILT_IN[name]) for name in MODULES)


def test_an_op_without_a_file_of_modules_is_told_where_its_module_belongs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    declared = type("Elsewhere", (Op,), {"call": "elsewhere", "__module__": "growlang.ops.missing"})
    monkeypatch.setitem(BUILT_IN, "elsewhere", declared)
    with pytest.raises(GrowlangError, match="the op `elsewhere` has no module") as error:
        builder_of(declared)
    assert "growlang/torch_backend/missing.py" in error.value.help


@cache
def some_calls(name: str) -> list[Call]:
    """Calls of an op, with arguments, inputs and scopes."""
    return calls(BUILT_IN[name], COUNT)


class Moved(nn.Module):
    """A value on the grid to which a change of resolution leads."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.moved = module.moved

    def forward(self, x: Tensor) -> Tensor:
        """As the module's skip reads it."""
        moved: Tensor = self.moved(x)
        return moved


def value(shape: Shape, batch: int, device: str) -> Tensor:
    """A random value of the shape; ids are zeros."""
    if shape.kind == "ids":
        return torch.zeros(batch, *shape.dims, dtype=torch.int64, device=device)
    return torch.randn(batch, *shape.dims, device=device)


def inputs(op: Op, x: Shape, scope: Scope, batch: int = 1, device: str = "meta") -> list[Tensor]:
    """What the op's module is called with: x, what the op reads, and tables of others."""
    values, axes = [value(x, batch, device)], op.axes(x, scope)
    for name in op.reads(scope):
        if name == "time":
            assert axes is not None
            given = vector(length(axes.inputs[len(values)]))
            values.append(value(given, batch, device))
        else:
            condition = scope.conditions[name]
            mask = torch.ones(batch, condition.positions, dtype=torch.bool, device=device)
            values += [value(condition, batch, device), mask]
    shapes = [tuple(map(length, table.axes)) for table in axes.tables] if axes else []
    return [*values, *(nn.Parameter(torch.randn(shape, device=device)) for shape in shapes)]


def drawn(op: Op, x: Shape, scope: Scope, *, fresh: bool = True) -> nn.Module:
    """The module on CPU, as initialised or (not fresh) with every parameter random."""
    module = build(op, x, scope, "cpu")
    table = {t.name: t for t in op.tensors(x, scope)}
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if fresh:
                parameter.copy_(draw(Declared(name, tuple(parameter.shape), table[name].init), 0))
            else:
                parameter.normal_(std=0.5, generator=generator)
    return module.eval()


@pytest.mark.parametrize("name", MODULES)
def test_module_has_the_parameters_and_the_output_of_the_catalogue(name: str) -> None:
    for op, x, scope in some_calls(name):
        out = op.output(x, scope)
        module = build(op, x, scope)
        have = {name: tuple(p.shape) for name, p in module.state_dict().items()}
        assert have == {t.name: t.shape for t in op.tensors(x, scope)}
        assert all(p.is_meta for p in module.parameters())
        assert not list(module.buffers())
        assert tuple(module(*inputs(op, x, scope, batch=2)).shape) == (2, *out.dims)


@pytest.mark.parametrize("name", MODULES)
def test_flops_are_those_that_torch_counts(name: str) -> None:
    for op, x, scope in some_calls(name):
        with FlopCounterMode(display=False) as counter:
            build(op, x, scope)(*inputs(op, x, scope))
        assert op.flops(x, scope) == counter.get_total_flops()


def kept(module: nn.Module, values: list[Tensor]) -> int:
    """Bytes that autograd keeps for the backward pass, besides the parameters."""
    held = [*module.parameters(), *(v for v in values if isinstance(v, nn.Parameter))]
    parameters = {p.untyped_storage().data_ptr() for p in held}
    storages: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            storages[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        out = module(*[v.requires_grad_(v.is_floating_point() and v.dim() > 1) for v in values])
    assert out.requires_grad or not held
    return sum(s.nbytes() for s in storages.values())


@pytest.mark.parametrize("name", WITH_TENSORS)
def test_saved_is_what_autograd_keeps(name: str) -> None:
    """Within 3 %; with one head 20 %, as keys and values are then views that keep the queries."""
    for op, x, scope in some_calls(name):
        module = drawn(op, x, scope, fresh=False).train()
        scalars = kept(module, inputs(op, x, scope, batch=3, device="cpu")) / 4 / 3
        tolerance = 0.2 if getattr(op, "heads", 0) == 1 else 0.03
        assert op.saved_activations(x, scope) == pytest.approx(scalars, rel=tolerance, abs=40)


@pytest.mark.parametrize("name", RESIDUAL)
def test_a_fresh_residual_op_is_its_input_or_the_map_of_it(name: str) -> None:
    for op, x, scope in some_calls(name):
        axes = op.axes(x, scope)
        assert axes is not None
        module, values = drawn(op, x, scope), inputs(op, x, scope, batch=2, device="cpu")
        if getattr(op, "modulation", "") == "shared":
            values[1].zero_()  # as a fresh map gives it
        skips = [module.get_submodule(a.name) for a in axes.layers if a.place == "skip"]
        skip = skips[0] if skips else nn.Identity()
        if op.called_as != "pipe":
            skip = nn.Sequential(Moved(module), skip)
        assert torch.equal(module(*values), skip(values[0])), (
            f'{op!r} adds to its input: no gate and no layer of `place` last has `init="zeros"`'
        )


@pytest.mark.parametrize("time", [None, 16])
@pytest.mark.parametrize("name", ATTENDING)
def test_masked_tokens_do_not_change_the_output(name: str, time: int | None) -> None:
    x, scope = tokens(6, 32), Scope(time, {"text": tokens(5, 8)})
    op = op_of(name).model_validate({"width": 32, "heads": 4, "attend": ["self", "text"]})
    module = drawn(op, x, scope, fresh=False)
    *before, text, mask = inputs(op, x, scope, batch=2, device="cpu")
    mask[:, 3:] = False
    out = module(*before, text, mask)
    hidden, seen = text.clone(), text.clone()
    hidden[:, 3:] = 7.0
    seen[:, :3] = 7.0
    assert torch.equal(module(*before, hidden, mask), out)
    assert not torch.allclose(module(*before, seen, mask), out)


def test_a_transformer_computes_its_formula() -> None:
    """Against the algebra of arXiv 2212.09748, written out for one head and a condition."""
    x, scope = tokens(6, 8), Scope(4, {"text": tokens(5, 3)})
    op = op_of("transformer").model_validate({"width": 8, "heads": 1, "attend": ["self", "text"]})
    module = drawn(op, x, scope, fresh=False)
    start, time, text, mask = inputs(op, x, scope, device="cpu")
    h = start
    p = dict(module.named_parameters())
    f = nn.functional

    def linear(name: str, value: Tensor) -> Tensor:
        return value @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    def rms(name: str, value: Tensor) -> Tensor:
        scale = (value.square().mean(-1, keepdim=True) + scope.eps).sqrt()
        return value / scale * p[f"{name}.weight"]

    def attention(place: str, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        scores = rms(f"{place}.q_norm", q) @ rms(f"{place}.k_norm", k).transpose(1, 2) / 8**0.5
        return linear(f"{place}.out", scores.softmax(-1) @ v)

    for place in ("attend.self", "attend.text", "mlp"):
        shift, scale, gate = linear(f"{place}.modulation", f.silu(time)).chunk(3, dim=-1)
        variance = h.var(-1, correction=0, keepdim=True) + scope.eps
        z = (h - h.mean(-1, keepdim=True)) / variance.sqrt()
        z = z * (1 + scale) + shift
        if place == "attend.self":
            z = attention(place, *linear(f"{place}.qkv", z).chunk(3, dim=-1))
        elif place == "attend.text":
            k, v = linear(f"{place}.kv", text).chunk(2, dim=-1)
            z = attention(place, linear(f"{place}.q", z), k, v)
        else:
            z = linear("mlp.down", f.gelu(linear("mlp.up", z)))
        h = h + gate * z
    torch.testing.assert_close(module(start, time, text, mask), h, rtol=1e-4, atol=1e-4)


def test_spatial_attention_computes_its_formula() -> None:
    """Attention over the positions of a grid, behind a GroupNorm (arXiv 2105.05233), as a sum."""
    x, scope = grid(8, 2, 3), Scope(eps=1e-5)
    op = op_of("spatial_attention").model_validate({"width": 8, "head_width": 4})
    module = drawn(op, x, scope, fresh=False)
    (pixels,) = inputs(op, x, scope, device="cpu")
    p, f = dict(module.named_parameters()), nn.functional
    normed = f.group_norm(pixels, 8, p["norm.weight"], p["norm.bias"], 1e-5)
    tokens = normed.flatten(2).transpose(1, 2)
    q, k, v = (tokens @ p["qkv.weight"].T + p["qkv.bias"]).chunk(3, dim=-1)
    heads = []
    for first in (0, 4):
        part = slice(first, first + 4)
        scores = (q[..., part] @ k[..., part].transpose(1, 2) / 2).softmax(-1)
        heads.append(scores @ v[..., part])
    out = torch.cat(heads, -1) @ p["out.weight"].T + p["out.bias"]
    expected = pixels + out.transpose(1, 2).reshape(pixels.shape)
    torch.testing.assert_close(module(pixels), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("norm", ["layer", "rms"])
def test_one_map_modulates_a_block_whose_norms_have_a_scale(norm: str) -> None:
    """Six chunks as DiT orders them (arXiv 2212.09748), and the norms of JiT (arXiv 2511.13720)."""
    x, scope, f = tokens(6, 8), Scope(4), nn.functional
    said = {"width": 8, "heads": 2, "norm": norm, "modulation": "block", "affine": True}
    op = op_of("transformer").model_validate(said)
    module, (start, time) = drawn(op, x, scope, fresh=False), inputs(op, x, scope, device="cpu")
    p = dict(module.named_parameters())
    rows = f.linear(f.silu(time), p["modulation.weight"], p["modulation.bias"])[:, None]
    shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = rows.chunk(6, dim=-1)

    def normed(place: str, value: Tensor) -> Tensor:
        if norm == "layer":
            affine = p[f"{place}.norm.weight"], p[f"{place}.norm.bias"]
            return f.layer_norm(value, (8,), *affine, eps=scope.eps)
        return f.rms_norm(value, (8,), p[f"{place}.norm.weight"], scope.eps)

    z = normed("attend.self", start) * (1 + scale_a) + shift_a
    h = start + gate_a * module.attend["self"].branch(z)
    z = normed("mlp", h) * (1 + scale_m) + shift_m
    wanted = h + gate_m * module.mlp.branch(z)
    torch.testing.assert_close(module(start, time), wanted, rtol=1e-5, atol=1e-5)


def test_a_residual_block_computes_its_formula() -> None:
    """Against the algebra of ADM (arXiv 2105.05233); 2 and 4 channels make groups of one."""
    x, scope = grid(2, 4, 4), Scope(6)
    op = op_of("residual").model_validate({"width": 4, "kernel": 1})
    module = drawn(op, x, scope, fresh=False)
    pixels, time = inputs(op, x, scope, device="cpu")
    p = dict(module.named_parameters())

    def conv(name: str, value: Tensor) -> Tensor:
        mapped = torch.einsum("oc,bchw->bohw", p[f"{name}.weight"][:, :, 0, 0], value)
        return mapped + p[f"{name}.bias"][:, None, None]

    def normed(name: str, value: Tensor) -> Tensor:
        variance, mean = torch.var_mean(value, (2, 3), correction=0, keepdim=True)
        affine = p[f"{name}.weight"][:, None, None], p[f"{name}.bias"][:, None, None]
        return (value - mean) / (variance + scope.eps).sqrt() * affine[0] + affine[1]

    silu = nn.functional.silu
    embedded = silu(time) @ p["time.weight"].T + p["time.bias"]
    scale, shift = embedded[:, :, None, None].chunk(2, dim=1)
    h = normed("norm2", conv("conv1", silu(normed("norm1", pixels)))) * (1 + scale) + shift
    expected = conv("skip", pixels) + conv("conv2", silu(h))
    torch.testing.assert_close(module(pixels, time), expected, rtol=1e-4, atol=1e-4)


def test_causal_attention_sees_earlier_tokens_only() -> None:
    x = tokens(6, 32)
    op = op_of("transformer").model_validate({"width": 32, "heads": 4, "causal": True})
    module = drawn(op, x, Scope(), fresh=False)
    first = torch.randn(1, 6, 32)
    second = first.clone()
    second[:, 4:] += 1
    torch.testing.assert_close(module(first)[:, :4], module(second)[:, :4], rtol=0, atol=0)
    assert not torch.allclose(module(first)[:, 4:], module(second)[:, 4:])


@pytest.mark.parametrize("causal", [False, True])
def test_plain_and_fused_attention_agree(causal: bool) -> None:
    q, k, v = torch.randn(3, 2, 4, 300, 8, dtype=torch.float64)
    mask = None if causal else torch.rand(2, 300) < 0.5
    fused = attend(q, k, v, mask, causal)
    allowed = torch.ones(300, 300).tril().bool() if mask is None else mask[:, None, None, :]
    scores = q @ k.transpose(-1, -2) / 8**0.5
    scores = scores.masked_fill(~allowed, -torch.inf) if causal or mask is not None else scores
    torch.testing.assert_close(fused, scores.softmax(-1) @ v)
    first = slice(None, 200)
    short = mask if mask is None else mask[:, first]
    plain = attend(q[:, :, first], k[:, :, first], v[:, :, first], short, causal)
    expected = scores[:, :, first, first].softmax(-1) @ v[:, :, first]
    torch.testing.assert_close(plain, expected)


def test_qk_norm_makes_scores_independent_of_the_scale_of_queries_and_keys() -> None:
    x = tokens(6, 32)
    args = {"width": 32, "heads": 4}
    value_in = torch.randn(1, 6, 32)

    def scaled(qk_norm: bool) -> tuple[Tensor, Tensor]:
        op = op_of("attention").model_validate(args | {"qk_norm": qk_norm})
        module = drawn(op, x, Scope(), fresh=False)
        before = module(value_in)
        with torch.no_grad():
            for name in ("attend.self.qkv.weight", "attend.self.qkv.bias"):
                module.get_parameter(name)[:64].mul_(3)  # rows of the queries and the keys
        return before, module(value_in)

    torch.testing.assert_close(*scaled(True), rtol=1e-4, atol=1e-4)
    before, after = scaled(False)
    assert not torch.allclose(before, after, rtol=1e-2)


def test_unembed_gives_the_products_with_the_rows_of_its_map() -> None:
    x, scope = tokens(4, 6), Scope(vocabulary=VOCABULARY)
    module = drawn(op_of("unembed").model_validate({}), x, scope, fresh=False)
    p = dict(module.named_parameters())
    embedded = torch.randn(2, 4, 6)
    variance, mean = torch.var_mean(embedded, -1, correction=0, keepdim=True)
    normed = (embedded - mean) / (variance + scope.eps).sqrt() * p["norm.weight"] + p["norm.bias"]
    logits = torch.einsum("vc,blc->blv", p["proj.weight"], normed)
    torch.testing.assert_close(module(embedded), logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_unpatch_puts_pixels_where_patch_took_them(factor: int) -> None:
    image, scope = grid(3, 8, 12), Scope(channels=3)
    channels = 3 * factor**2
    patch = op_of("patch").model_validate({"factor": factor, "width": channels})
    unpatch = op_of("unpatch").model_validate({"factor": factor})
    first = drawn(patch, image, scope)
    last = drawn(unpatch, patch.output(image, scope), scope)
    last.norm = nn.Identity()
    with torch.no_grad():
        first.get_parameter("proj.weight").copy_(
            torch.eye(channels).reshape(channels, 3, factor, factor)
        )
        last.get_parameter("proj.weight").copy_(torch.eye(channels)[:, :, None, None])
    pixels = torch.rand(2, 3, 8, 12)
    torch.testing.assert_close(last(first(pixels)), nn.functional.silu(pixels))


@pytest.mark.parametrize("name", WITH_TENSORS)
def test_bf16_autocast_stays_finite_and_close(name: str) -> None:
    for op, x, scope in some_calls(name):
        module, values = drawn(op, x, scope), inputs(op, x, scope, batch=2, device="cpu")
        expected = module(*values)
        with torch.autocast("cpu", torch.bfloat16):
            out = module(*values)
        if out.requires_grad:  # which waves alone do not
            out.float().square().mean().backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in module.parameters())
        torch.testing.assert_close(out.float(), expected, rtol=0.1, atol=0.1)


def test_gelu_may_be_its_approximation_by_tanh() -> None:
    """0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), arXiv 1606.08415, sec. 2."""
    x, scope = tokens(3, 8), Scope()
    args = {"width": 8, "heads": 2}
    plain, said, other = (
        drawn(op_of("transformer").model_validate(args | more), x, scope, fresh=False)
        for more in (
            {},
            {"mlp": {"gelu": {"widths": 4.0}}},
            {"mlp": {"gelu_tanh": {"widths": 4.0}}},
        )
    )
    embedded = torch.randn(2, 3, 8)
    assert torch.equal(plain(embedded), said(embedded))
    attended = super(type(other), other).forward(embedded)
    mlp = other.mlp
    h = mlp.up(mlp.norm(attended))
    inner = (2 / torch.pi) ** 0.5 * (h + 0.044715 * h**3)
    expected = attended + mlp.down(0.5 * h * (1 + inner.tanh()))
    torch.testing.assert_close(other(embedded), expected)
    assert not torch.allclose(other(embedded), plain(embedded), rtol=0, atol=1e-4)


@pytest.mark.parametrize("call", ["relu", "swiglu", "geglu"])
def test_the_mlp_computes_what_its_activation_says(call: str) -> None:
    """Of a gated one a map times the activation of another (arXiv 2002.05202)."""
    x = tokens(3, 8)
    args = {"width": 8, "heads": 2, "mlp": {call: {"widths": 1.5, "multiple": 8}}}
    op = op_of("transformer").model_validate(args)
    block = drawn(op, x, Scope(), fresh=False)
    embedded = torch.randn(2, 3, 8)
    attended = super(type(block), block).forward(embedded)
    mlp = block.mlp
    assert mlp.down.weight.shape == (8, 16)
    h = mlp.norm(attended)
    inner = {
        "relu": lambda: mlp.up(h).clamp(min=0),
        "swiglu": lambda: mlp.gate(h) * torch.sigmoid(mlp.gate(h)) * mlp.up(h),
        "geglu": lambda: mlp.gate(h) * torch.special.ndtr(mlp.gate(h)) * mlp.up(h),
    }[call]()
    torch.testing.assert_close(block(embedded), attended + mlp.down(inner))


def test_rope_turns_pairs_of_channels_by_their_place() -> None:
    """R(m) q . R(n) k depends on m - n alone (arXiv 2104.09864), by rows and columns of a grid."""
    q, k = (torch.randn(1, 1, 1, 8, dtype=torch.float64) for _ in "qk")
    rope = Rope(100.0, (3, 4), skipped=1)
    turned = rotate(q.expand(1, 1, 13, 8), k.expand(1, 1, 13, 8), rope, 8)
    scores = (turned[0] @ turned[1].mT)[0, 0]
    assert torch.equal(turned[0][0, 0, 0], q[0, 0, 0]), "what is before them is not turned"
    places = [(row, column) for row in range(3) for column in range(4)]
    for a, (row, column) in enumerate(places):
        for b, (other, beside) in enumerate(places):
            if row < 2 and other < 2 and column < 3 and beside < 3:
                torch.testing.assert_close(scores[1 + a, 1 + b], scores[6 + a, 6 + b])
    angle = torch.tensor(2 * 100.0 ** (-2 / 4), dtype=torch.float64)  # column 2, the second pair
    x, y = q[0, 0, 0, 6], q[0, 0, 0, 7]
    expected = torch.stack((x * angle.cos() - y * angle.sin(), y * angle.cos() + x * angle.sin()))
    torch.testing.assert_close(turned[0][0, 0, 3, 6:], expected)


def test_heads_share_keys_and_values_one_after_the_other() -> None:
    """Two heads of queries each (arXiv 2305.13245): as if keys and values were there twice."""
    args = {"width": 12, "heads": 4, "qk_norm": False}
    x, scope = tokens(5, 12), Scope()
    few = drawn(op_of("attention").model_validate(args | {"kv_heads": 2}), x, scope, fresh=False)
    all_ = drawn(op_of("attention").model_validate(args), x, scope, fresh=False)
    state = few.state_dict()
    for name in ("attend.self.qkv.weight", "attend.self.qkv.bias"):
        q, k, v = state[name].split([12, 6, 6])
        twice = [part.unflatten(0, (2, 3)).repeat_interleave(2, 0).flatten(0, 1) for part in (k, v)]
        state[name] = torch.cat([q, *twice])
    all_.load_state_dict(state)
    embedded = torch.randn(2, 5, 12)
    torch.testing.assert_close(few(embedded), all_(embedded))


@pytest.mark.parametrize("bias", [True, False, ["out", "norm"], []])
def test_parts_have_a_bias_where_it_is_said(bias: bool | list[str]) -> None:
    args = {"width": 8, "heads": 2, "attend": ["self", "text"], "bias": bias}
    scope = Scope(conditions={"text": tokens(2, 6)})
    op = op_of("transformer").model_validate(args)
    block = build(op, tokens(3, 8), scope, "cpu")
    has = {
        name.removesuffix(".bias").split(".")[-1] for name in block.state_dict() if ".bias" in name
    }
    parts = {"qkv": {"qkv", "q", "kv"}, "out": {"out"}, "mlp": {"up", "down"}, "norm": {"norm"}}
    said = parts if bias is True else bias or []
    assert has == {name for part in said for name in parts[part]}


@pytest.mark.parametrize(
    ("widths", "multiple", "width", "hidden"),
    [(8 / 3, 256, 4096, 11_008), (8 / 3, 1, 768, 2048), (8 / 3, 64, 24, 64), (4.0, 256, 64, 256)],
)
def test_hidden_channels_are_rounded_up_to_a_multiple(
    widths: float, multiple: int, width: int, hidden: int
) -> None:
    assert Swiglu(widths=widths, multiple=multiple).hidden(width) == hidden


def test_gelu_with_a_number_of_widths_is_that_number() -> None:
    args = {"width": 8, "heads": 2}
    usual, said = (
        op_of("transformer").model_validate(args | {"mlp": mlp})
        for mlp in (3.0, {"gelu": {"widths": 3.0}})
    )
    assert usual == said and usual.arguments() == said.arguments()
    other = op_of("transformer").model_validate(args | {"mlp": {"gelu_tanh": {"widths": 3.0}}})
    assert op_of("transformer").model_validate(other.arguments()) == other
