"""ViT of `transformers` with a classifier, in, grown, and out again: what it computes stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from fixture_specs import SHIPPED, Run, checked, edited
from fixture_specs import growlang as command
from safetensors.torch import load_file
from torch import Tensor
from transformers import ViTConfig, ViTForImageClassification

import growlang
from growlang.interop.choosing import fitting

SPEC = SHIPPED / "vit_b_16.grow"
SMALL = {"width": 24, "depth": 2, "heads": 3, "size": 48, "classes": 10}
SETTINGS: dict[str, Any] = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 96,
    "image_size": 48,
    "num_labels": 10,
}
CHILD = """grow 1

model wider grows "%s" {
  keep label
  grow stem, head by widen(exact)
  grow core by widen(exact), heads(zero), deepen(interleave)

  stem  patch(16, 40)
  core (prepend = [class_token])  transformer(40, heads = 5, qk_norm = false, eps = 1e-12) * 4
  head  classify(label, pool = first, eps = 1e-12)
}
"""
LARGER = """grow 1

model larger grows "%s" {
  keep label, stem, head
  grow core by resize(bicubic)

  image = image(%d)
  core (prepend = [class_token])  transformer(24, heads = 3, qk_norm = false, eps = 1e-12) * 2
}
"""
CLOSE = 1e-5
X = torch.randn(3, 3, 48, 48, generator=torch.Generator().manual_seed(1))


def made(folder: Path, **settings: Any) -> Path:
    """A folder as `save_pretrained` writes it, of weights far from where they begin."""
    torch.manual_seed(0)
    model = ViTForImageClassification(ViTConfig(**{**SETTINGS, **settings})).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    model.save_pretrained(folder)
    return folder


def theirs(folder: Path) -> Tensor:
    """What transformers computes."""
    with torch.no_grad():
        logits: Tensor = ViTForImageClassification.from_pretrained(folder)(X).logits
    return logits


def computed(path: Path) -> Tensor:
    """What our module computes with a file of weights."""
    with torch.no_grad():
        found: Tensor = growlang.load_weights(path).module()(X)
    return found


def small_spec(folder: Path) -> Path:
    """The shipped spec with the numbers of the small model."""
    return edited(
        SPEC,
        folder / "small.grow",
        *((f"= {a}\n", f"= {b}\n") for a, b in ((768, 24), (224, 48), (1000, 10))),
        *((f"{name}   = 12", f"{name}   = {n}") for name, n in (("depth", 2), ("heads", 3))),
    )


def imported(folder: Path, path: Path, spec: Path = SPEC, **params: Any) -> Run:
    said = {**SMALL, **params} if spec == SPEC else params
    options = [word for n, v in said.items() for word in ("--set", f"{n}={v}")]
    return command("import", "hf", folder, "--as", spec, "-o", path, *options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("hf") / "vit")


@pytest.fixture(scope="module")
def weights(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "vit.safetensors"
    run = imported(folder, path)
    assert run.status == 0, run
    return path


def apart(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max())


def test_vit_b_16_has_the_published_parameters() -> None:
    for name, count in (("vit_b_16", 86_567_656), ("vit_b_16_384", 86_859_496)):
        net = checked(SHIPPED / f"{name}.grow").net
        assert net.parameters == count
        assert fitting(net).model_type == "vit"


def test_an_imported_vit_computes_what_transformers_does(folder: Path, weights: Path) -> None:
    assert theirs(folder).abs().max() > 0.5
    assert apart(computed(weights), theirs(folder)) < CLOSE


def test_what_is_exported_is_the_same_bit_for_bit(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    growlang.export(weights, "hf", tmp_path / "out")
    ours, were = (load_file(f / "model.safetensors") for f in (tmp_path / "out", folder))
    assert ours.keys() == were.keys()
    assert all(torch.equal(ours[name], were[name]) for name in ours)
    said = json.loads((tmp_path / "out" / "config.json").read_text())
    assert {name: said[name] for name in SETTINGS} == SETTINGS
    assert apart(theirs(tmp_path / "out"), theirs(folder)) == 0


def test_a_grown_vit_computes_the_same_in_transformers(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    small = small_spec(tmp_path)
    (tmp_path / "wider.grow").write_text(CHILD % small.name)
    spec = growlang.load(tmp_path / "wider.grow")
    assert {v.level for v in spec.mapping.verdicts} == {"exact"}
    grown = spec.mapping.apply(growlang.load_weights(weights))
    growlang.compile(spec).save(tmp_path / "grown.safetensors", grown)
    assert apart(computed(tmp_path / "grown.safetensors"), theirs(folder)) < CLOSE
    growlang.export(tmp_path / "grown.safetensors", "hf", tmp_path / "out")
    assert apart(theirs(tmp_path / "out"), theirs(folder)) < CLOSE


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"qkv_bias": False}, "`qkv_bias` is false"),
        ({"layer_norm_eps": 1e-6}, "write `eps = 1e-6`"),
        ({"hidden_act": "gelu_new"}, "write `mlp = gelu_tanh(4)`"),
        ({"num_channels": 1}, "write `image = image(..., channels = 1)`"),
    ],
)
def test_a_config_of_something_else_is_refused(
    settings: dict[str, Any], said: str, tmp_path: Path
) -> None:
    run = imported(made(tmp_path / "hf", **settings), tmp_path / "a.safetensors")
    assert run.status == 2
    assert said in run.err


@pytest.mark.parametrize("side", [96, 80])
def test_positions_of_another_size_are_those_that_transformers_interpolates(
    side: int, folder: Path, weights: Path, tmp_path: Path
) -> None:
    small = small_spec(tmp_path)
    (tmp_path / "larger.grow").write_text(LARGER % (small.name, side))
    spec = growlang.load(tmp_path / "larger.grow")
    (verdict,) = (v for v in spec.mapping.verdicts if v.place == "core")
    assert verdict.level == "inexact"
    assert "positions become" in verdict.reason and "by `bicubic` interpolation" in verdict.reason
    larger = growlang.compile(spec).module()
    larger.load_state_dict(spec.mapping.apply(growlang.load_weights(weights)))
    x = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        model = ViTForImageClassification.from_pretrained(folder)
        expected = model(x, interpolate_pos_encoding=True).logits
        assert apart(larger(x), expected) < CLOSE
