"""DiT of `diffusers`, in and grown: what it computes stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DiTTransformer2DModel
from diffusers.models.embeddings import get_2d_sincos_pos_embed
from fixture_specs import SHIPPED, Run, checked
from fixture_specs import growlang as command
from safetensors.torch import load_file
from torch import Tensor

import growlang
from growlang.torch_backend.conditions import sincos
from growlang.torch_backend.initialisation import initialise
from growlang.torch_backend.lower import lower

SPEC = SHIPPED / "dit_xl_2.grow"
SMALL = {"width": 24, "depth": 2, "heads": 3, "size": 8, "classes": 10}
SETTINGS = {
    "num_attention_heads": 3,
    "attention_head_dim": 8,
    "num_layers": 2,
    "sample_size": 8,
    "out_channels": 8,
    "num_embeds_ada_norm": 10,
    "norm_eps": 1e-6,
}
CLOSE = 1e-5
STEPS, LABELS = torch.tensor([0, 17, 500, 999]), torch.tensor([0, 3, 9, 10])
X = torch.randn(4, 4, 8, 8, generator=torch.Generator().manual_seed(1))


def made(**settings: Any) -> DiTTransformer2DModel:
    """A model with weights far from where they begin, and the tables of its first block in all."""
    torch.manual_seed(0)
    model = DiTTransformer2DModel(**{**SETTINGS, **settings}).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    first, *others = model.transformer_blocks
    for block in others:
        block.norm1.emb.load_state_dict(first.norm1.emb.state_dict())
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DiT as `save_pretrained` writes it."""
    path = tmp_path_factory.mktemp("hf") / "dit"
    made().save_pretrained(path)
    return path


def imported(folder: Path, path: Path, **params: Any) -> Run:
    """What the command prints."""
    said = {**SMALL, **params}
    options = [word for n, v in said.items() for word in ("--set", f"{n}={v}")]
    return command("import", "hf", folder, "--as", SPEC, "-o", path, *options)


def computed(path: Path) -> Tensor:
    """What our module computes of the same with a file of weights."""
    weights = growlang.load_weights(path)
    mask = torch.ones(4, 1, dtype=torch.bool)
    values = {"image": X, "log_snr": STEPS.float(), "label.label": LABELS, "label.mask": mask}
    with torch.no_grad():
        found: Tensor = weights.module()(*(values[i.name] for i in weights.net.inputs))
    return found


def test_dit_xl_2_has_the_published_parameters() -> None:
    assert checked(SPEC).net.parameters == 674_834_720


def test_an_imported_dit_computes_what_diffusers_does(folder: Path, tmp_path: Path) -> None:
    run = imported(folder, tmp_path / "dit.safetensors")
    assert run.status == 0, run
    model = DiTTransformer2DModel.from_pretrained(folder).eval()
    with torch.no_grad():
        wanted = model(X, STEPS, LABELS).sample
    assert wanted.abs().max() > 1
    assert float((computed(tmp_path / "dit.safetensors") - wanted).abs().max()) < CLOSE


def test_tables_that_differ_between_blocks_are_refused(tmp_path: Path) -> None:
    model = made()
    with torch.no_grad():
        model.transformer_blocks[1].norm1.emb.class_embedder.embedding_table.weight[3, 2] += 1
    model.save_pretrained(tmp_path / "hf")
    run = imported(tmp_path / "hf", tmp_path / "dit.safetensors")
    assert run.status == 2
    assert "copy the tables of the first block to all" in run.err
    assert not (tmp_path / "dit.safetensors").exists()


def test_another_config_is_refused_by_its_fields(folder: Path, tmp_path: Path) -> None:
    run = imported(folder, tmp_path / "dit.safetensors", heads=4, size=16)
    assert run.status == 2
    assert "num_attention_heads" in run.err and "sample_size" in run.err
    model = made(norm_eps=1e-5)
    model.save_pretrained(tmp_path / "hf")
    run = imported(tmp_path / "hf", tmp_path / "dit.safetensors")
    assert run.status == 2 and "norm_eps" in run.err
    assert json.loads((tmp_path / "hf" / "config.json").read_text())["norm_eps"] == 1e-5


def test_positions_are_those_of_diffusers() -> None:
    given = torch.zeros(1, 16, 24)
    theirs = get_2d_sincos_pos_embed(24, 4, base_size=4, output_type="pt").float()
    torch.testing.assert_close(sincos(given, 4, 4, True), theirs)
    assert not torch.allclose(sincos(given, 4, 4), theirs)


def test_a_dit_goes_back_to_diffusers_as_it_came(folder: Path, tmp_path: Path) -> None:
    weights = tmp_path / "dit.safetensors"
    assert imported(folder, weights).status == 0
    growlang.export(weights, "hf", tmp_path / "again")
    again = DiTTransformer2DModel.from_pretrained(tmp_path / "again").eval()
    model = DiTTransformer2DModel.from_pretrained(folder).eval()
    first, *others = again.transformer_blocks
    for block in others:
        own, same = block.norm1.emb.state_dict(), first.norm1.emb.state_dict()
        assert all(torch.equal(own[name], same[name]) for name in same)
    given, kept = model.state_dict(), again.state_dict()
    assert given.keys() == kept.keys()
    assert all(torch.equal(given[name], kept[name]) for name in given)
    with torch.no_grad():
        assert torch.equal(again(X, STEPS, LABELS).sample, model(X, STEPS, LABELS).sample)
    assert imported(tmp_path / "again", tmp_path / "second.safetensors").status == 0
    second = tmp_path / "second.safetensors"
    before, after = (load_file(path) for path in (weights, second))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_deeper_dit_is_written_too(tmp_path: Path) -> None:
    spec = checked(SPEC, **{n: str(value) for n, value in {**SMALL, "depth": 3}.items()})
    weights = initialise(lower(spec.net, "meta"), spec.net, 0).state_dict()
    growlang.export(spec, "hf", tmp_path / "deep", weights=weights)
    model = DiTTransformer2DModel.from_pretrained(tmp_path / "deep").eval()
    assert len(model.transformer_blocks) == 3
