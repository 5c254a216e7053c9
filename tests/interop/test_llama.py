"""Llama: what is imported computes what transformers does, grows exactly, and is exported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from fixture_specs import SHIPPED, checked, edited
from fixture_specs import growlang as command
from gpt2 import IDS, SPECS, logits
from safetensors.torch import load_file
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

import growlang

SMALL = SPECS / "small_llama.grow"
SETTINGS: dict[str, Any] = {
    "vocab_size": 61,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 16,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500.0,
    "bos_token_id": None,
    "eos_token_id": None,
}
CLOSE = 1e-5


def save(folder: Path, **settings: Any) -> Path:
    """A model with weights far from where they begin, as `save_pretrained` writes it."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**{**SETTINGS, **settings}))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
    model.save_pretrained(folder)
    return folder


def computed(weights: Path) -> Tensor:
    """What growlang computes of weights that were imported."""
    with torch.no_grad():
        found: Tensor = growlang.load_weights(weights).module()(IDS)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("llama") / "hf")


@pytest.fixture(scope="module")
def weights(folder: Path) -> Path:
    path = folder.parent / "small.safetensors"
    run = command("import", "hf", folder, "--as", SMALL, "-o", path)
    assert run.status == 0, run.err
    return path


def test_what_is_imported_computes_what_transformers_does(folder: Path, weights: Path) -> None:
    expected = logits(folder)
    assert expected.abs().max() > 1
    assert float((computed(weights) - expected).abs().max()) < CLOSE


def test_what_is_exported_is_the_original(folder: Path, weights: Path, tmp_path: Path) -> None:
    growlang.export(weights, "hf", tmp_path / "out")
    again, first = (load_file(f / "model.safetensors") for f in (tmp_path / "out", folder))
    assert again.keys() == first.keys()
    assert all(torch.equal(again[name], first[name]) for name in first)
    said = json.loads((tmp_path / "out" / "config.json").read_text())
    assert said["rope_parameters"] == {"rope_theta": 500.0, "rope_type": "default"}
    assert float((logits(tmp_path / "out") - logits(folder)).abs().max()) < CLOSE


def test_the_base_of_the_frequencies_is_held_to_the_spec(tmp_path: Path) -> None:
    other = save(tmp_path / "hf", rope_theta=10_000.0)
    run = command("import", "hf", other, "--as", SMALL, "-o", tmp_path / "a.safetensors")
    assert run.status == 2
    assert "`rope_parameters.rope_theta` is 1e4" in run.err
    assert "write `core (position = rope(theta = 1e4))`" in run.err


def test_the_shipped_specs_are_llama() -> None:
    counts = {"llama2_7b": 6_738_415_616, "llama_pro_8b": 8_357_482_496}
    for name, count in counts.items():
        found = checked(SHIPPED / f"{name}.grow")
        assert found.net.parameters == count


GROWN = {
    "blocks": ("deepen(interleave)", [(") * 2", ") * 4")]),
    "width_and_heads": (
        "widen(exact)",
        [
            ("width = 48", "width = 72"),
            ("heads = 4, kv_heads = 2", "heads = 6, kv_heads = 3"),
            ("80 / width", "128 / width"),
        ],
    ),
    "queries": (
        "widen(exact)",
        [("heads = 4, kv_heads = 2", "heads = 8, kv_heads = 2, head_width = 12")],
    ),
}


@pytest.mark.parametrize("name", GROWN)
def test_a_grown_one_computes_the_same_in_transformers(
    name: str, folder: Path, weights: Path, tmp_path: Path
) -> None:
    """Blocks behind others that add nothing, as Llama Pro has them (arXiv 2401.02415)."""
    rules, edits = GROWN[name]
    grows = f'model grown grows "{SMALL}" {{\n  grow stem, core, head by {rules}\n'
    child = edited(SMALL, tmp_path / "grown.grow", ("model small_llama {", grows), *edits)
    spec = growlang.load(child)
    assert {v.level for v in spec.mapping.verdicts} == {"exact"}
    grown = spec.mapping.apply(growlang.load_weights(weights))
    growlang.compile(spec).save(tmp_path / "grown.safetensors", grown)
    growlang.export(tmp_path / "grown.safetensors", "hf", tmp_path / "out")
    assert float((logits(tmp_path / "out") - logits(folder)).abs().max()) < CLOSE
