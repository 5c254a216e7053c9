"""Blocks that share one map of the time: PixArt-alpha as diffusers has it (arXiv 2310.00426)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import PixArtTransformer2DModel
from torch import Tensor, nn

import growlang
from growlang.torch_backend.lower import LoweredNet, lower

DEPTH = 3
SPEC = f"""grow 1

model pixart {{
  image = image(8, channels = 4)
  text  = encoder("some", width = 20, tokens = 5)
  time  = fourier(48, features = 256, of = step, order = cos_sin)

  stem  patch(2, 48)
  core (position = sincos_xy) transformer(
    48, heads = 4, attend = [self, text], mlp = gelu_tanh(4), modulation = shared, qk_norm = false,
    unmodulated = [text], unnormed = [text]
  ) * {DEPTH}
  head  unpatch(2, norm = layer, act = none, modulate = table, channels = 8)
}}
"""
TOKENS = {"attn1": "self", "attn2": "text"}


@pytest.fixture
def theirs() -> PixArtTransformer2DModel:
    """A model of random weights."""
    model = PixArtTransformer2DModel(
        num_attention_heads=4,
        attention_head_dim=12,
        in_channels=4,
        out_channels=8,
        num_layers=DEPTH,
        cross_attention_dim=20,
        sample_size=8,
        patch_size=2,
        use_additional_conditions=False,
    ).eval()
    generator = torch.Generator().manual_seed(0)
    for value in model.requires_grad_(False).parameters():
        value.copy_(torch.randn(value.shape, generator=generator) * 0.1)
    return model


def ours(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a model of diffusers by our names."""
    maps = {
        "pos_embed.proj": "stem.patch.0.proj",
        "adaln_single.emb.timestep_embedder.linear_1": "time.linear1",
        "adaln_single.emb.timestep_embedder.linear_2": "time.linear2",
        "adaln_single.linear": "core.modulation",
        "proj_out": "head.unpatch.0.proj",
    }
    joined: dict[str, list[str]] = {}
    for n in range(DEPTH):
        block, own = f"transformer_blocks.{n}", f"core.transformer.{n}"
        maps |= {f"{block}.ff.net.0.proj": f"{own}.mlp.up", f"{block}.ff.net.2": f"{own}.mlp.down"}
        for part, name in TOKENS.items():
            maps[f"{block}.{part}.to_out.0"] = f"{own}.attend.{name}.out"
        maps[f"{block}.attn2.to_q"] = f"{own}.attend.text.q"
        joined[f"{own}.attend.self.qkv"] = [f"{block}.attn1.to_{p}" for p in "qkv"]
        joined[f"{own}.attend.text.kv"] = [f"{block}.attn2.to_{p}" for p in "kv"]
    found = {f"{to}.{p}": state[f"{of}.{p}"] for of, to in maps.items() for p in ("weight", "bias")}
    for to, parts in joined.items():
        found |= {
            f"{to}.{p}": torch.cat([state[f"{of}.{p}"] for of in parts]) for p in ("weight", "bias")
        }
    for n in range(DEPTH):
        table = state[f"transformer_blocks.{n}.scale_shift_table"]
        found[f"core.transformer.{n}.table"] = table.reshape(-1, 1)
    found["head.unpatch.0.table"] = state["scale_shift_table"].reshape(-1, 1)
    # Their head has the channels of a pixel last, a pixel shuffle first.
    for p in ("weight", "bias"):
        value = found[f"head.unpatch.0.proj.{p}"]
        moved = value.unflatten(0, (4, 8)).transpose(0, 1).flatten(0, 1)
        found[f"head.unpatch.0.proj.{p}"] = moved[:, :, None, None] if p == "weight" else moved
    return found


def lowered(tmp_path: Path) -> tuple[Any, LoweredNet]:
    path = tmp_path / "pixart.grow"
    path.write_text(SPEC)
    net = growlang.load(path).net
    return net, lower(net, "cpu").eval()


def test_pixart_is_as_diffusers_has_it(theirs: PixArtTransformer2DModel, tmp_path: Path) -> None:
    net, module = lowered(tmp_path)
    assert net.parameters == sum(p.numel() for p in theirs.parameters())
    module.load_state_dict(ours(theirs.state_dict()))
    generator = torch.Generator().manual_seed(1)
    image, text = (torch.randn(2, *s, generator=generator) for s in ((4, 8, 8), (5, 20)))
    step, mask = torch.tensor([17.0, 500.0]), torch.ones(2, 5, dtype=torch.bool)
    mask[1, 3:] = False
    wanted = theirs(image, text, timestep=step, encoder_attention_mask=mask, return_dict=False)[0]
    given = {"image": image, "log_snr": step, "text.embedding": text, "text.mask": mask}
    with torch.no_grad():
        found = module(*(given[i.name] for i in net.inputs))
    assert float((found - wanted).abs().max() / wanted.abs().max()) < 1e-5


def test_all_blocks_are_given_one_map(tmp_path: Path) -> None:
    net, module = lowered(tmp_path)
    (shared,) = (node for node in net.nodes if node.op == "modulation")
    readers = [node.path for node in net.nodes if shared.path in node.inputs]
    assert readers == [f"core.transformer.{n}" for n in range(DEPTH)]
    linear = module.get_submodule(shared.path)
    assert isinstance(linear, nn.Linear)
    assert tuple(linear.weight.shape) == (6 * 48, 48)
