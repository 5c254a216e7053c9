"""Tokens in front of those of a core: U-ViT's and JiT's, computed by hand, and their refusals."""

from __future__ import annotations

from math import log, prod
from pathlib import Path

import pytest
import torch
from fixture_specs import SHIPPED, checked, findings
from torch import Tensor
from torch.nn import functional as F

from growlang.net import Net
from growlang.torch_backend.lower import LoweredNet, lower

U_VIT = """grow 1

model u_vit {
  image = image(8)
  label = classes(5, 16, null = false)
  time  = fourier(16, of = t, order = cos_sin, mlp = false)
  stem  patch(2, 16)
  core (skips = long, prepend = [label, time]) transformer(
    16, heads = 2, qk_norm = false, bias = [out, mlp, norm], modulation = none, eps = 1e-5
  ) * 3
  head  unpatch(2, norm = layer, act = none, eps = 1e-5) | conv(3)
}
"""
JIT = """grow 1

model jit {
  image = image(8)
  label = classes(5, 16)
  time  = fourier(16, of = t, add = [label])
  stem  patch(2, 16)
  core (
    position = rope(axes = 2, added = sincos_xy),
    prepend = [label], prepend_times = 3, prepend_at = 1
  ) transformer(
    16, heads = 2, norm = rms, modulation = block, affine = true
  ) * 3
  head  unpatch(2, norm = rms, act = none, modulate = true, affine = true)
}
"""
MIXED = """grow 1

model mixed {
  image = image(8)
  text  = words(12, tokens = 4, vocabulary = 20)
  time  = fourier(24)
  stem  patch(2, 16)
  core (position = none, prepend = [learned, text, time], prepend_times = 2) transformer(
    16, heads = 2
  ) * 1
  head  unpatch(2)
}
"""
IMAGE, LEVEL = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(3)), torch.rand(2)
LABEL, MASK = torch.tensor([3, 1]), torch.ones(2, 1, dtype=torch.bool)


def written(folder: Path, text: str) -> Net:
    """The net of a spec."""
    (folder / "a.grow").write_text(text)
    return checked(folder / "a.grow").net


def drawn(net: Net) -> LoweredNet:
    """The module of a net with weights that are all other than zero."""
    module, generator = lower(net, "cpu").eval(), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.3, generator=generator)
    return module


def called(net: Net, module: LoweredNet, given: dict[str, Tensor]) -> Tensor:
    """What a net computes of values by the names of its inputs."""
    out: Tensor = module(*[given[i.name] for i in net.inputs])
    return out


def block(x: Tensor, w: dict[str, Tensor]) -> Tensor:
    """A block of U-ViT (arXiv 2209.12152): attention and MLP behind LayerNorms, unmodulated."""

    def norm(x: Tensor, of: str) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], w[f"{of}.norm.weight"], w[f"{of}.norm.bias"], 1e-5)

    rows = norm(x, "attend.self") @ w["attend.self.qkv.weight"].T
    q, k, v = (part.reshape(*part.shape[:2], 2, 8).transpose(1, 2) for part in rows.chunk(3, -1))
    h = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    x = x + h @ w["attend.self.out.weight"].T + w["attend.self.out.bias"]
    h = F.gelu(norm(x, "mlp") @ w["mlp.up.weight"].T + w["mlp.up.bias"])
    return x + h @ w["mlp.down.weight"].T + w["mlp.down.bias"]


def test_u_vit_is_what_its_paper_computes(tmp_path: Path) -> None:
    net = written(tmp_path, U_VIT)
    module = drawn(net)
    w, part = dict(module.named_parameters()), module.get_submodule
    frequencies = torch.exp(-log(10_000) * torch.arange(8) / 8)
    angles = LEVEL[:, None] * frequencies
    time = torch.cat([angles.cos(), angles.sin()], 1)[:, None]
    label = w["label.embedding.weight"][LABEL][:, None]
    patches = part("stem.patch.0")(IMAGE).flatten(2).transpose(1, 2)
    table = torch.cat([w["core.prepend.position"], w["core.position"]])
    x = torch.cat([label, time, patches], 1) + table

    def of(number: int) -> dict[str, Tensor]:
        prefix = f"core.transformer.{number}."
        return {n.removeprefix(prefix): p for n, p in w.items() if n.startswith(prefix)}

    skip = block(x, of(0))
    x = torch.cat([block(skip, of(1)), skip], -1) @ w["core.merge.0.linear.weight"].T
    x = block(x + w["core.merge.0.linear.bias"], of(2))[:, 2:]
    expected = part("head.conv.0")(part("head.unpatch.0")(x.transpose(1, 2).reshape(2, 16, 4, 4)))
    given = {"image": IMAGE, "log_snr": LEVEL, "label.label": LABEL, "label.mask": MASK}
    torch.testing.assert_close(called(net, module, given), expected)


def test_tokens_in_context_come_before_their_block_and_are_not_turned(tmp_path: Path) -> None:
    net = written(tmp_path, JIT)
    module = drawn(net)
    nodes = {node.path: node for node in net.nodes}
    ropes = [nodes[f"core.transformer.{n}"].scope.rope for n in range(3)]
    assert [rope and (rope.sides, rope.skipped) for rope in ropes] == [
        ((4, 4), 0),
        ((4, 4), 3),
        ((4, 4), 3),
    ]
    w, part = dict(module.named_parameters()), module.get_submodule
    given = {"image": IMAGE, "log_snr": LEVEL, "label.label": LABEL, "label.mask": MASK}
    seen: dict[str, Tensor] = {}
    for path in ("core.transformer.0", "core.transformer.1", "core.transformer.2"):
        part(path).register_forward_hook(
            lambda _, inputs, out, path=path: seen.update({path: inputs[0], f"{path}.out": out})
        )
    called(net, module, given)
    copies = w["label.embedding.weight"][LABEL][:, None].repeat(1, 3, 1)
    front = copies + w["core.prepend.position"]
    expected = torch.cat([front, seen["core.transformer.0.out"]], 1)
    torch.testing.assert_close(seen["core.transformer.1"], expected)
    assert (seen["core.transformer.0"].shape[1], seen["core.transformer.2.out"].shape[1]) == (
        16,
        19,
    )
    assert nodes["core.unprepend"].output.dims == (16, 16)


def test_other_widths_go_through_maps_and_all_are_repeated_in_order(tmp_path: Path) -> None:
    net = written(tmp_path, MIXED)
    module = drawn(net)
    w, part = dict(module.named_parameters()), module.get_submodule
    text, mask = torch.randn(2, 4, 12), torch.tensor([[True, True, False, False]] * 2)
    time, x = torch.randn(2, 24), torch.randn(2, 16, 16)
    own = [torch.zeros(2, 1, 16)]
    for name, value in (("text", text), ("time", time[:, None])):
        weight, bias = (w[f"core.prepend.proj.{name}.{kind}"] for kind in ("weight", "bias"))
        own.append(value @ weight.T + bias)
    front = torch.cat([*own, *own], 1) + w["core.prepend.position"]
    torch.testing.assert_close(
        part("core.prepend")(x, text, mask, time), torch.cat([front, x], dim=1)
    )


@pytest.mark.parametrize(("spec", "count"), [("u_vit_l_4", 286_827_652), ("jit_b_16", 131_123_712)])
def test_the_published_counts(spec: str, count: int) -> None:
    net = checked(SHIPPED / f"{spec}.grow").net
    assert sum(prod(tensor.shape) for tensor in net.tensors()) == count


@pytest.mark.parametrize(
    ("old", "new", "said", "mend"),
    [
        ("[label, time]", "[label, tme]", "lists `tme`, which is not", "in front: label, time"),
        ("[label, time]", "[label, label]", "lists `label` twice", ""),
        ("[label, time]", "label", "must be a list of conditions", ""),
        ("[label, time]", "[label, time], prepend_times = 0", "an integer of at least 1", ""),
        ("[label, time]", "[label, time], prepend_at = 1", "`skips = long` joins", "remove"),
        (
            "skips = long, prepend = [label, time]",
            "prepend = [label, time], prepend_at = 3",
            "`prepend_at` has no effect: the core has 3 ops on tokens",
            "at most `prepend_at = 2`",
        ),
        (") * 3", ") * 3 | residual(16)", "`residual` takes a grid, and tokens are in front", ""),
        ("modulation = none", "modulation = none, affine = false", "`affine = false` leaves", ""),
        ("mlp = false", "mlp = false, features = 8", "8 waves do not give 16 channels", "remove"),
    ],
)
def test_what_cannot_be(tmp_path: Path, old: str, new: str, said: str, mend: str) -> None:
    assert old in U_VIT
    (tmp_path / "a.grow").write_text(U_VIT.replace(old, new))
    (found,) = findings(tmp_path / "a.grow")
    assert said in found.message
    assert mend in (found.help or "")


def test_repeats_of_nothing_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.grow").write_text(
        JIT.replace("prepend = [label], ", "").replace(", prepend_at = 1", "")
    )
    (found,) = findings(tmp_path / "a.grow")
    assert "`prepend_times` has no effect" in found.message
    assert "`prepend = [label]`" in (found.help or "")
