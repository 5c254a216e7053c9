"""The tensors that a run really starts with, from specs: kept, begun by `init`, drawn."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fixture_specs import checked
from torch import Tensor

from growlang.planning import plan
from growlang.torch_backend.initialisation import draw, initialise
from growlang.torch_backend.lower import lower
from growlang_runtime.storage.weights import Weights
from growlang_runtime.train.start import build, start_state

PARENT = """grow 1
model parent {
  image = image(8)
  time = fourier(8)
  stem patch(2, 8) | residual(8)
  core @ 4 transformer(8, heads = 2) * 2
  head unpatch(2)
}
data images = webdataset("data.tar")
train { data = images  batch = 2  phase all for 2 }
"""
CHILD = """grow 1
model child grows "parent.grow" {
  keep time
  drop stem, core, head
  init stem.patch[0] = like stem.patch[0]
  init core.transformer[*] = like core.transformer[1]
  init core.linear[0] = identity
  init stem.residual[0].skip = zero
  stem patch(2, 8) | residual(12) | residual(8)
  core @ 4 transformer(8, heads = 2) * 3 | linear(8)
  head conv(8, kernel = 1) | conv(8) | unpatch(2)
}
train { phase all for 2 }
"""


@pytest.fixture
def trained(tmp_path: Path) -> Weights:
    """Weights of the parent, each unlike any that are drawn."""
    path = tmp_path / "parent.grow"
    path.write_text(PARENT)
    net = checked(path).net
    tensors = {n: draw(t, 7) + 1 for n, t in net.table.items()}
    return Weights(tmp_path / "model.safetensors", net, tensors)


def started(path: Path, weights: Weights) -> dict[str, Tensor]:
    made = plan(checked(path))
    net = made.child_net()
    state = start_state(made, net, build(made, net, torch.device("cpu")), weights)
    for name, value in state.weights.items():
        assert torch.equal(state.ema.averages[name], value.detach())
    assert not state.optimizer.first
    return {name: value.detach() for name, value in state.weights.items()}


def test_each_tensor_begins_as_its_entry_says(tmp_path: Path, trained: Weights) -> None:
    path = tmp_path / "child.grow"
    path.write_text(CHILD)
    found, old = started(path, trained), trained.tensors
    net = checked(path).net
    for i in range(3):
        name = f"core.transformer.{i}.mlp.up.weight"
        assert torch.equal(found[name], old["core.transformer.1.mlp.up.weight"])
    assert torch.equal(found["stem.patch.0.proj.weight"], old["stem.patch.0.proj.weight"])
    assert torch.equal(found["time.linear1.weight"], old["time.linear1.weight"])
    assert torch.equal(found["core.linear.0.weight"], torch.eye(8))
    assert not found["stem.residual.0.skip.weight"].any()
    for name in ("core.position", "stem.residual.0.conv1.weight", "head.conv.1.weight"):
        assert torch.equal(found[name], draw(net.table[name], 0))


def test_what_is_dropped_and_declared_alike_begins_anew(tmp_path: Path, trained: Weights) -> None:
    """Though the nets are equal, so that every tensor of the parent would fit."""
    path = tmp_path / "child.grow"
    same = PARENT.split("\n")[5:7]
    path.write_text(
        'grow 1 model child grows "parent.grow" { keep stem, time drop core, head\n'
        + "\n".join(same)
        + "\n} train { phase all for 2 }"
    )
    assert checked(path).net.net_hash == trained.net.net_hash
    found = started(path, trained)
    assert torch.equal(
        found["stem.patch.0.proj.weight"], trained.tensors["stem.patch.0.proj.weight"]
    )
    fresh = initialise(lower(trained.net), trained.net, seed=0).state_dict()
    for name in ("core.transformer.0.mlp.up.weight", "head.unpatch.0.norm.weight"):
        assert torch.equal(found[name], fresh[name])
