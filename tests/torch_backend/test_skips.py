"""How both sides of a stage are joined: `skips = level` computes up(low - down) + high."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fixture_specs import SPECS, checked, edited, findings

from growlang.net import Net
from growlang.torch_backend.initialisation import initialise
from growlang.torch_backend.lower import lower

LEVEL = SPECS / "level.grow"


def joins(net: Net) -> list[tuple[str, tuple[str, ...]]]:
    """The nodes that read two values of the U, with what they read."""
    return [(n.path, n.inputs) for n in net.nodes if n.op in ("concat", "subtract", "add")]


def test_one_skip_per_stage() -> None:
    assert joins(checked(LEVEL).net) == [
        ("stage.8.decode.subtract", ("core.grid.0", "stage.8.encode.down")),
        ("stage.8.decode.add", ("stage.8.decode.up", "stage.8.encode.residual.1")),
        ("stage.16.decode.subtract", ("stage.8.decode.residual.1", "stage.16.encode.down")),
        ("stage.16.decode.add", ("stage.16.decode.up", "stage.16.encode.residual.1")),
    ]


@pytest.mark.parametrize("skips", ["block", "none"])
def test_other_skips_join_otherwise(tmp_path: Path, skips: str) -> None:
    path = edited(LEVEL, tmp_path / "a.grow", ("skips = level", f"skips = {skips}"))
    found = joins(checked(path).net)
    assert [p.split(".")[3] for p, _ in found] == (["concat"] * 4 if skips == "block" else [])


def test_a_level_computes_its_formula() -> None:
    """The inner stage, whose coarser place is the core (arXiv 2410.19324)."""
    net = checked(LEVEL).net
    module = initialise(lower(net), net, seed=0)
    torch.manual_seed(0)
    values = {}
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.3)
        watched = ("encode.residual.1", "encode.down", "decode.up", "decode.residual.0")
        for name in watched:
            inner = module.get_submodule(f"stage.8.{name}")
            inner.register_forward_hook(
                lambda _, given, out, name=name: values.update({name: (given[0], out)})
            )
        core = module.get_submodule("core.transformer.0")
        core.register_forward_hook(lambda _, given, out: values.update(core=(given[0], out)))
        module(torch.randn(2, 3, 32, 32), torch.randn(2))
        high, down = values["encode.residual.1"][1], values["encode.down"][1]
        low = values["core"][1].transpose(1, 2).unflatten(2, (4, 4))
        joined = module.get_submodule("stage.8.decode.up")(low - down) + high
    torch.testing.assert_close(values["decode.residual.0"][0], joined, rtol=0, atol=0)
    assert not torch.allclose(joined, high)


def test_the_width_at_which_a_level_joins_is_the_encode_sides(tmp_path: Path) -> None:
    path = edited(
        LEVEL, tmp_path / "a.grow", ("decode residual(10) | norm", "decode norm | residual(10)")
    )
    up = next(n for n in checked(path).net.nodes if n.path == "stage.8.decode.up")
    assert up.output.width == 10


CHILD = """grow 1
model child grows "level.grow" {{
  keep core, time, stage[8], stage[16]
  drop stem, head
  image = image(64)
  {skips}
  stem patch(2, 6)
  stage @ 32 residual(6)
  head unpatch(2)
}}
"""


def test_a_child_joins_its_stages_as_its_parent(tmp_path: Path) -> None:
    (tmp_path / "level.grow").write_text(LEVEL.read_text())
    path = tmp_path / "child.grow"
    path.write_text(CHILD.format(skips=""))
    found = checked(path)
    assert [p.split(".")[3] for p, _ in joins(found.net)] == ["subtract", "add"] * 3
    assert found.resolved.model is not None
    assert found.resolved.model.skips == "level"
    path.write_text(CHILD.format(skips="skips = block"))
    refused = findings(path)
    assert {item.code for item in refused} == {"G302"}
    assert "remove `skips`" in refused[0].help


ADM = """grow 1

model adm {
  image = image(16)
  time  = fourier(32)
  skips = group
  stem  conv(16)
  stage @ 16 (down = residual(width = 16), up = residual(width = 32)) {
    encode residual(16)
    decode residual(16) * 2
  }
  stage @ 8 (down = residual(width = 32), up = residual(width = 32)) {
    encode (residual(32) | attention(32, heads = 2))
    decode (residual(32) | attention(32, heads = 2)) * 2
  }
  core @ 4 residual(32)
  head  unpatch(1, kernel = 3)
}
"""
U_VIT = """grow 1

model u_vit {
  image = image(8)
  stem  patch(2, 16)
  core (skips = long) transformer(16, heads = 2) * 6
  head  unpatch(2, norm = layer, act = none) | conv(3)
}
"""


def written(folder: Path, text: str) -> Net:
    """The net of a spec."""
    (folder / "a.grow").write_text(text)
    return checked(folder / "a.grow").net


def test_one_more_block_takes_what_comes_into_the_stage_and_groups_end_with_their_skip(
    tmp_path: Path,
) -> None:
    """ADM's (arXiv 2105.05233): behind the attention, from `down`, and from the stem."""
    net = written(tmp_path, ADM)
    nodes = {n.path: n for n in net.nodes}
    skips = [nodes[n.inputs[1]] for n in net.nodes if n.op == "concat"]
    found = [n.inputs[0] if n.op == "grid" else n.path for n in skips]
    assert found == [
        "stage.8.encode.attention.0",
        "stage.16.encode.down",
        "stage.16.encode.residual.0",
        "stem.conv.0",
    ]
    module = lower(net, "cpu")
    initialise(module, net, seed=0)
    image, level = torch.randn(2, 3, 16, 16), torch.zeros(2)
    assert module(image, level).shape == image.shape


def test_long_skips_pair_the_blocks_of_a_core_from_both_ends(tmp_path: Path) -> None:
    """U-ViT's (arXiv 2209.12152); of an even number two in the middle have none."""
    net = written(tmp_path, U_VIT)
    merges = [(n.inputs, n.tensors[0].shape) for n in net.nodes if n.op == "merge"]
    assert merges == [
        (("core.transformer.3", "core.transformer.1"), (16, 32)),
        (("core.transformer.4", "core.transformer.0"), (16, 32)),
    ]


def test_a_long_skip_computes_its_formula(tmp_path: Path) -> None:
    net = written(tmp_path, U_VIT.replace("* 6", "* 3"))
    module = lower(net, "cpu").eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.3)
    image = torch.randn(2, 3, 8, 8)
    w, part = dict(module.named_parameters()), module.get_submodule
    x = part("stem.patch.0")(image).flatten(2).transpose(1, 2) + w["core.position"]
    skip = part("core.transformer.0")(x)
    x = part("core.transformer.1")(skip)
    x = torch.cat([x, skip], -1) @ w["core.merge.0.linear.weight"].T + w["core.merge.0.linear.bias"]
    x = part("core.transformer.2")(x).transpose(1, 2).unflatten(2, (4, 4))
    expected = part("head.conv.0")(part("head.unpatch.0")(x))
    torch.testing.assert_close(module(image), expected)


BESIDE = SPECS.parent / "growth" / "adm.grow"


def test_a_stage_at_the_resolution_of_the_core_has_its_blocks_on_both_sides_of_it() -> None:
    """ADM's lowest level (arXiv 2105.05233): nothing changes the resolution between them."""
    net = checked(BESIDE).net
    nodes = {n.path: n for n in net.nodes}
    assert not {"stage.4.encode.down", "stage.4.decode.up"} & nodes.keys()
    assert nodes["core.residual.0"].inputs[0] == "stage.4.encode.spatial_attention.0"
    skips = [(p, n.inputs[0], n.inputs[1]) for p, n in nodes.items() if n.op == "concat"]
    assert skips[:2] == [
        ("stage.4.decode.concat.0", "core.residual.1", "stage.4.encode.spatial_attention.0"),
        ("stage.4.decode.concat.1", "stage.4.decode.spatial_attention.0", "stage.8.encode.down"),
    ]
    assert lower(net, "cpu")(torch.randn(1, 3, 8, 8), torch.zeros(1)).shape == (1, 3, 8, 8)


def test_a_core_that_moves_to_a_kept_stage_changes_it(tmp_path: Path) -> None:
    path = tmp_path / "moved.grow"
    path.write_text(
        f'grow 1\nmodel moved grows "{BESIDE}" {{\n  keep time, stem, stage[8], head\n'
        "  drop stage[4], core\n  core @ 8 residual(32)\n}\n"
    )
    (refused,) = findings(path)
    assert (refused.code, refused.message[:24]) == ("G201", "`down` has no effect: `s")
