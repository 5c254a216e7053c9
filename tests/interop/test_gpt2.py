"""GPT-2 of `transformers`, in, grown, and out again: what it computes stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from fixture_specs import SHIPPED, Run, checked, edited
from fixture_specs import growlang as command
from gpt2 import IDS, SETTINGS, SMALL, SPECS, logits, save, with_config
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModel

import growlang
from growlang.interop.choosing import fitting

CLOSE = 1e-5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GPT-2 as `save_pretrained` writes it."""
    return save(tmp_path_factory.mktemp("hf") / "small")


@pytest.fixture(scope="module")
def expected(folder: Path) -> Tensor:
    """What `transformers` computes with it."""
    return logits(folder)


@pytest.fixture(scope="module")
def weights(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a file of weights of a spec."""
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    assert imported(folder, path).status == 0
    return path


def imported(folder: Path, path: Path, spec: Path = SMALL, *options: str) -> Run:
    """What the command prints."""
    return command("import", "hf", folder, "--as", spec, "-o", path, *options)


def computed(path: Path) -> Tensor:
    """What our module computes with a file of weights."""
    with torch.no_grad():
        found: Tensor = growlang.load_weights(path).module()(IDS)
    return found


def apart(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max())


def test_an_imported_model_computes_what_transformers_does(weights: Path, expected: Tensor) -> None:
    assert expected.abs().max() > 1
    assert apart(computed(weights), expected) < CLOSE


def test_python_imports_what_the_command_does(folder: Path, weights: Path, tmp_path: Path) -> None:
    done = growlang.import_hf(folder, SMALL, tmp_path / "again.safetensors")
    assert done.path.read_bytes() == weights.read_bytes()
    with pytest.raises(growlang.GrowlangError, match="exists"):
        growlang.import_hf(folder, str(SMALL), str(done.path))


def test_an_imported_model_is_read_as_any_weights(weights: Path) -> None:
    assert command("diff", SMALL, weights).status == 0
    assert growlang.diff(SMALL, weights).equal


def test_what_is_exported_unchanged_is_the_same_bit_for_bit(
    weights: Path, folder: Path, tmp_path: Path
) -> None:
    growlang.export(weights, "hf", tmp_path / "out")
    ours, theirs = (load_file(f / "model.safetensors") for f in (tmp_path / "out", folder))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("name", ["twice", "half_more", "more_heads", "deeper"])
def test_a_grown_model_computes_the_same_in_transformers(
    name: str, weights: Path, expected: Tensor, tmp_path: Path
) -> None:
    spec = growlang.load(SPECS / f"{name}.grow")
    assert {v.level for v in spec.mapping.verdicts} == {"exact"}
    grown = spec.mapping.apply(growlang.load_weights(weights))
    growlang.compile(spec).save(tmp_path / "grown.safetensors", grown)
    growlang.export(tmp_path / "grown.safetensors", "hf", tmp_path / "out")
    assert apart(logits(tmp_path / "out"), expected) < CLOSE
    assert spec.net.parameters > checked(SMALL).net.parameters


def test_an_export_loads_without_a_word(
    weights: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    growlang.export(weights, "hf", tmp_path / "out")
    capfd.readouterr()
    _, said = AutoModel.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not any(said.values())
    assert "[transformers]" not in capfd.readouterr().err


def test_an_untied_head_has_its_own_map(tmp_path: Path) -> None:
    folder = save(tmp_path / "hf", tie_word_embeddings=False)
    spec = edited(SMALL, tmp_path / "untied.grow", ("tied = true, ", ""))
    assert imported(folder, tmp_path / "a.safetensors", spec).status == 0
    assert apart(computed(tmp_path / "a.safetensors"), logits(folder)) < CLOSE
    growlang.export(tmp_path / "a.safetensors", "hf", tmp_path / "out")
    assert apart(logits(tmp_path / "out"), logits(folder)) < CLOSE


def test_another_activation_eps_and_hidden_width_are_taken(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"activation_function": "gelu", "layer_norm_epsilon": 1e-3}
    folder = save(tmp_path / "hf", n_inner=72, **settings)
    text = SMALL.read_text().replace("gelu_tanh(4)", "3").replace("eps = 1e-5", "eps = 1e-3")
    (tmp_path / "a.grow").write_text(text)
    assert imported(folder, tmp_path / "a.safetensors", tmp_path / "a.grow").status == 0
    assert apart(computed(tmp_path / "a.safetensors"), logits(folder)) < CLOSE
    growlang.export(tmp_path / "a.safetensors", "hf", tmp_path / "out")
    assert json.loads((tmp_path / "out" / "config.json").read_text())["n_inner"] == 72
    assert apart(logits(tmp_path / "out"), logits(folder)) < CLOSE


def test_files_of_the_model_without_its_head_and_with_masks_are_read(
    folder: Path, expected: Tensor, tmp_path: Path
) -> None:
    """As the first published files: names without `transformer.`, masks, the table twice."""
    tensors = load_file(folder / "model.safetensors")
    renamed = {name.removeprefix("transformer."): t for name, t in tensors.items()}
    masks = {f"h.{i}.attn.bias": torch.ones(1, 1, 16, 16).tril() for i in range(2)}
    old = {**renamed, **masks, "lm_head.weight": renamed["wte.weight"].clone()}
    save_file(old, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    run = imported(tmp_path, tmp_path / "a.safetensors")
    assert run.status == 0
    assert "2 left out, such as `h.0.attn.bias`: the causal mask" in run.err
    assert "`lm_head.weight` is `transformer.wte.weight` once more" in run.err
    assert apart(computed(tmp_path / "a.safetensors"), expected) < CLOSE


def test_a_checkpoint_of_several_files_is_read(folder: Path, weights: Path, tmp_path: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    names = sorted(tensors)
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, held in parts.items():
        save_file({name: tensors[name] for name in held}, tmp_path / file)
    where = {name: file for file, held in parts.items() for name in held}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": where}))
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    assert imported(tmp_path, tmp_path / "out.safetensors").status == 0
    assert (tmp_path / "out.safetensors").read_bytes() == weights.read_bytes()


def test_half_precision_stays_what_it_is(tmp_path: Path) -> None:
    folder = save(tmp_path / "hf", dtype=torch.bfloat16)
    tensors = load_file(folder / "model.safetensors")
    save_file({n: t.bfloat16() for n, t in tensors.items()}, folder / "model.safetensors")
    assert imported(folder, tmp_path / "a.safetensors").status == 0
    stored = load_file(tmp_path / "a.safetensors")
    assert {t.dtype for t in stored.values()} == {torch.bfloat16}


def test_the_shipped_specs_are_gpt2() -> None:
    counts = {"gpt2_small": 124_439_808, "gpt2_medium": 354_823_168}
    for name, count in counts.items():
        net = checked(SHIPPED / f"{name}.grow").net
        assert net.parameters == count
        assert fitting(net).model_type == "gpt2"


def test_tokens_and_further_settings_are_taken_along(
    weights: Path, folder: Path, tmp_path: Path
) -> None:
    like = tmp_path / "like"
    like.mkdir()
    (like / "config.json").write_bytes((folder / "config.json").read_bytes())
    with_config(like, lambda said: said.update(n_embd=7, task_specific_params={"a": 1}))
    (like / "tokenizer.json").write_text("{}")
    growlang.export(weights, "hf", tmp_path / "out", like=like)
    said = json.loads((tmp_path / "out" / "config.json").read_text())
    found = [said[k] for k in ("n_embd", "eos_token_id", "task_specific_params", "resid_pdrop")]
    assert found == [SETTINGS["n_embd"], 60, {"a": 1}, 0.1]
    assert (tmp_path / "out" / "tokenizer.json").read_text() == "{}"
