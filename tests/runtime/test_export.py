"""Exports: files of weights, and folders that diffusers loads alone."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from drawing_alone import FIXTURES, apart, by_diffusers
from fixture_specs import checked
from fixture_specs import growlang as command
from safetensors.torch import load_file
from tiny import full_disk, net, phase, plan, train, write_data
from torch import Tensor

import growlang
from growlang import atomic
from growlang.diagnostics import GrowlangError
from growlang.spec.recipe import Sample
from growlang.spec.samplers import DDIM
from growlang.torch_backend.initialisation import initialise
from growlang.torch_backend.lower import lower
from growlang.torch_backend.tensor_files import contents_hash
from growlang_runtime.evaluation.result import Evaluation, Result
from growlang_runtime.export.card import card, facts
from growlang_runtime.export.diffusers_folder import pipeline_code
from growlang_runtime.export.exporting import export
from growlang_runtime.export.grow_pipeline import GrowPipeline, require_usable
from growlang_runtime.sample import sample
from growlang_runtime.storage.weights import Weights, load


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose sampler and guidance use all that can be set."""
    folder = write_data(tmp_path_factory.mktemp("data"))
    said = Sample(
        sampler=DDIM(steps=4, eta=0.5),
        guidance=3.0,
        guidance_interval=[0.3, 1.0],
        guidance_rescale=0.7,
        prompts=["red", "blue sky"],
    )
    return train(plan(sample=said), folder, quiet=True).run


@pytest.fixture(scope="module")
def clip(t5: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small randomly initialised text half of CLIP, 12 wide."""
    from transformers import AutoTokenizer, CLIPTextConfig, CLIPTextModel

    folder = tmp_path_factory.mktemp("clip")
    AutoTokenizer.from_pretrained(t5).save_pretrained(folder)
    sizes = {"hidden_size": 12, "intermediate_size": 16, "num_hidden_layers": 1}
    torch.manual_seed(0)
    config = CLIPTextConfig(vocab_size=11, num_attention_heads=2, eos_token_id=1, **sizes)
    CLIPTextModel(config).save_pretrained(folder)
    return folder


class Untrained(NamedTuple):
    """A spec and weights that are all random, which stand for those of a loop of one's own."""

    spec: growlang.Checked
    weights: dict[str, Tensor]

    @staticmethod
    def of(path: Path, **params: str) -> Untrained:
        spec = checked(path, **params)
        module = initialise(lower(spec.net, "meta"), spec.net, 0)
        return Untrained(spec, {n: 0.1 + 0.9 * t for n, t in module.state_dict().items()})

    def export(self, output: Path) -> str:
        growlang.export(self.spec, "diffusers", output, weights=self.weights)
        return str(output)

    def sample(self, prompts: list[str], **given: Any) -> Tensor:
        return growlang.sample(self.spec, prompts, weights=self.weights, **given).tensor


def test_diffusers_draws_the_same_images_alone(
    run: Path, t5: Path, clip: Path, tmp_path: Path
) -> None:
    """Exports side by side, of nets of all kinds, offline, without growlang."""
    checkpoint = run / "checkpoints" / "step_00000004"
    retained = Untrained.of(FIXTURES / "retain" / "large.grow")
    named = Untrained.of(FIXTURES / "specs" / "own_images.grow")
    frozen = Untrained.of(
        FIXTURES / "export" / "encoders.grow", first=f'"{t5}"', second=f'"{clip}"'
    )
    scored = Untrained.of(FIXTURES / "export" / "numbers.grow")
    growlang.export(run, "diffusers", tmp_path / "out")
    growlang.export(run, "diffusers", tmp_path / "half", dtype="bf16")
    growlang.export(checkpoint, "diffusers", tmp_path / "older", ema=False, sampler="heun")
    words, classes = ["red", "", "blue sky"], ["square", "", "0"]
    texts = ["a red cat on the grass", "", "dog"]
    jobs: list[dict[str, Any]] = [
        {"folder": str(tmp_path / "out"), "prompts": words, "asked": {"seed": 3}},
        {"folder": str(tmp_path / "older"), "prompts": words, "asked": {"seed": 3}},
        {"folder": str(tmp_path / "out"), "prompts": words, "copy": str(tmp_path / "copy")},
        {"folder": str(tmp_path / "out"), "prompts": words, "scheduler": "EulerDiscreteScheduler"},
        {
            "folder": retained.export(tmp_path / "retained"),
            "prompts": words[:2],
            "asked": {"num_inference_steps": 3, "detail_scale": 0.5},
        },
        {
            "folder": named.export(tmp_path / "named"),
            "prompts": classes,
            "asked": {"num_inference_steps": 3, "guidance_scale": 2.0},
        },
        {
            "folder": frozen.export(tmp_path / "frozen"),
            "prompts": texts,
            "asked": {"num_inference_steps": 3, "guidance_scale": 2.0},
        },
        {
            "folder": scored.export(tmp_path / "scored"),
            "prompts": classes,
            "asked": {"numbers": {"score": 6.5}},
        },
        {"folder": str(tmp_path / "half"), "prompts": words, "half": True},
    ]
    found = by_diffusers(jobs, tmp_path)
    usual = sample(run, prompts=words).tensor
    wanted = [
        sample(run, prompts=words, seed=3).tensor,
        sample(checkpoint, prompts=words, seed=3, ema=False, sampler="heun").tensor,
        usual,
        sample(run, prompts=words, sampler="euler", steps=4).tensor,
        retained.sample(words[:2], steps=3, detail_scale=0.5),
        named.sample(classes, steps=3, guidance=2.0),
        frozen.sample(texts, steps=3, guidance=2.0),
        scored.sample(classes, numbers={"score": 6.5}),
    ]
    assert apart(wanted[-1], scored.sample(classes)) > 1e-3
    for index, (image, own) in enumerate(zip(found["images"], wanted, strict=False)):
        assert apart(image, own) < 1e-4, jobs[index]
    assert apart(found["images"][0], found["images"][1]) > 1e-3
    assert 0 < apart(found["images"][-1], usual) < 0.1
    assert found["shown"] == [8, 8, "L"]
    assert (tmp_path / "copy" / "spec.grow").exists()


def test_a_folder_says_what_it_is(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    growlang.export(run, "diffusers", folder, license="mit")
    said = json.loads((folder / "growlang.json").read_text())
    own = growlang.load_run(run).plan
    assert (said["net_hash"], said["run_hash"]) == (own.net_hash, own.run_hash)
    for name, digest in said["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    (code,) = (folder / "unet").glob("denoiser_*.py")
    assert own.net_hash[:12] in code.name
    assert (folder / "spec.grow").read_text() == own.source
    page = (folder / "README.md").read_text()
    front = page.split("---")[1]
    assert "library_name: diffusers" in front
    assert "pipeline_tag: text-to-image" in front
    assert 'license: "mit"' in front
    assert own.net_hash in page
    index = json.loads((folder / "model_index.json").read_text())
    assert index["scheduler"] == ["diffusers", "DDIMScheduler"]


def test_the_card_has_what_was_measured_of_these_weights(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "run")
    weights = load(copy)
    result = Result("fid", 12.3456, 1.5, "lower", {}, {"extractor": "inception"})
    for name, digest in (("model-1", contents_hash(weights.tensors)), ("model-2", "other")):
        found = Evaluation("run", None, {"sha256": digest}, {"seed": 7}, {}, (result,))
        (copy / "evaluation").mkdir(exist_ok=True)
        text = json.dumps(found.as_json())
        (copy / "evaluation" / f"{name}.json").write_text(text)
    (copy / "evaluation" / "torn.json").write_text("{")
    own = growlang.load_run(copy).plan
    page = card(weights, own, own.sample, facts(weights, own, ema=True), None)
    assert page.count("| fid | 12.35 | 1.5 |") == 1
    assert '"extractor": "inception"' in page
    assert '"seed": 7' in page


def test_an_unfinished_run_is_told_and_its_card_has_the_steps_that_were_done(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    live = shutil.copytree(run, tmp_path / "live")
    (live / "model.safetensors").unlink()
    newest = live / "checkpoints" / "step_00000004"
    growlang.export(live, "safetensors", tmp_path / "a.safetensors")
    assert capsys.readouterr().err == f"{live} is not finished: exporting step 4, {newest}\n"
    longer = plan([phase("a", steps=3), phase("b", steps=5), phase("c", steps=2)])
    weights = load(live)
    page = card(weights, longer, longer.sample, facts(weights, longer, ema=True), None)
    for row in ("| a | 3 |", "| b | 1 of 5 |", "| c | 0 of 2 |"):
        assert row in page
    assert "It is unfinished: these are the weights of step 4 of 10." in page
    assert "unfinished" not in card(load(run), longer, longer.sample, {}, None)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"interval": (1, 0)}, "guidance_interval must be two rising times from 0 to 1"),
        ({"interval": (0.5,)}, "guidance_interval must be two rising times from 0 to 1"),
        ({"steps": 0}, "num_inference_steps must be at least 1, but is 0"),
        ({"rescale": 2}, "guidance_rescale must be from 0 to 1, but is 2"),
    ],
)
def test_a_pipeline_refuses_settings_that_cannot_be(asked: dict[str, Any], said: str) -> None:
    usual = {"steps": 1, "interval": [0, 1], "rescale": 0, "eta": 0}
    usual |= {"detail_scale": 1, "detail_temperature": 1}
    require_usable(usual)
    with pytest.raises(ValueError, match=said):
        require_usable(usual | asked)
    assert "require_usable(said)" in pipeline_code()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"score": float("inf")}, "`score` is given inf, which is not finite"),
        ({"score": [1, 2]}, "`score` reads `json:score`, and 2 numbers are given"),
        ({"scores": 1}, "`scores` is no condition of numbers: score"),
    ],
)
def test_a_pipeline_refuses_numbers_that_no_condition_reads(
    given: dict[str, Any], said: str
) -> None:
    score = {"op": "number", "fields": ["json:score"], "usual": None, "null": True}
    config = SimpleNamespace(drawing={"conditions": {"score": score}})
    pipeline: Any = SimpleNamespace(unet=SimpleNamespace(config=config, device="cpu"))
    with pytest.raises(ValueError, match=said):
        GrowPipeline._numbers(pipeline, given, 1)
    with pytest.raises(ValueError, match="no prompts given"):
        GrowPipeline.__call__(pipeline, [])
    assert "unfit(name, row, fields)" in pipeline_code()


def test_the_card_names_transformers_where_a_text_encoder_needs_it(run: Path) -> None:
    own = growlang.load_run(run).plan
    page = card(load(run), own, own.sample, {}, None)
    assert "needs `torch` and `diffusers`, and not growlang" in page
    frozen = checked(FIXTURES / "export" / "encoders.grow", first='"a"', second='"b"').net
    page = card(Weights(Path("a"), frozen, {}), None, own.sample, {}, None)
    assert "needs `torch`, `diffusers` and `transformers`, and not growlang" in page


def test_the_card_of_a_grown_model_names_its_parent() -> None:
    child = plan(model=net("child"), parent=plan())
    weights = Weights(Path("a"), net("child"), {}, {"net_hash": "1"})
    page = card(weights, child, child.sample, facts(weights, child, ema=True), None)
    assert 'base_model: "tiny"' in page
    assert "# license: set it before you share" in page
    assert '"parent": {' in page


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp16"])
def test_weights_alone_have_their_names_and_the_spec_beside_them(
    run: Path, tmp_path: Path, dtype: Any
) -> None:
    for ema in (True, False):
        output = tmp_path / f"{ema}.safetensors"
        done = growlang.export(run, "safetensors", output, ema=ema, dtype=dtype)
        own = load(run, ema=ema).tensors
        found = load_file(done.path)
        assert found.keys() == own.keys()
        for name, tensor in own.items():
            assert torch.equal(found[name], tensor.to(found[name].dtype))
        assert {str(t.dtype) for t in found.values()} == {
            {"fp32": "torch.float32", "bf16": "torch.bfloat16", "fp16": "torch.float16"}[dtype]
        }
        assert done.spec == tmp_path / f"{ema}.grow"
        assert done.spec.read_text() == growlang.load_run(run).plan.source
    again = sample(tmp_path / "True.safetensors", prompts=["red"]).tensor
    assert apart(again, sample(run, prompts=["red"]).tensor) < (1e-6 if dtype == "fp32" else 0.1)


# --- faults --------------------------------------------------------------------------------------


def test_nothing_is_overwritten_unless_it_is_an_earlier_export(run: Path, tmp_path: Path) -> None:
    file, folder = tmp_path / "a.safetensors", tmp_path / "folder"
    growlang.export(run, "safetensors", file)
    growlang.export(run, "diffusers", folder)
    (folder / "mine.txt").write_text("of the user")
    for to, output in (("safetensors", file), ("diffusers", folder)):
        with pytest.raises(GrowlangError, match=f"{output} exists") as error:
            growlang.export(run, to, output)  # type: ignore[arg-type]
        assert "--force" in error.value.help
        growlang.export(run, to, output, force=True)  # type: ignore[arg-type]
    assert not (folder / "mine.txt").exists()
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.tex").write_text("")
    with pytest.raises(GrowlangError, match="is no earlier export, and is not overwritten"):
        growlang.export(run, "diffusers", tmp_path / "work", force=True)
    assert (tmp_path / "work" / "thesis.tex").exists()


def test_a_full_disk_leaves_the_earlier_export(run: Path, tmp_path: Path) -> None:
    growlang.export(run, "diffusers", tmp_path / "out")
    before = {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    with full_disk(3000), pytest.raises(GrowlangError, match="the disk is full"):
        growlang.export(run, "diffusers", tmp_path / "out", force=True)
    with full_disk(3000), pytest.raises(GrowlangError, match="the disk is full"):
        growlang.export(run, "safetensors", tmp_path / "a.safetensors")
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_an_export_that_was_being_replaced_comes_back(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, aside = tmp_path / "out", tmp_path / ".out.old.tmp"
    growlang.export(run, "diffusers", out)
    out.rename(aside)  # as a kill between the two renames leaves it
    with pytest.raises(GrowlangError, match=f"{out} exists"):
        growlang.export(run, "diffusers", out)
    (out / "mine.txt").write_text("of the user")
    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, "replace", refused)
        with pytest.raises(PermissionError):
            growlang.export(run, "diffusers", out, force=True)
    assert (out / "mine.txt").exists()
    growlang.export(run, "diffusers", out, force=True)
    assert not (out / "mine.txt").exists()
    assert list(tmp_path.iterdir()) == [out]


def refused(*paths: Path) -> None:
    raise PermissionError(13, "Permission denied")


def test_what_cannot_be_written_is_told_before_the_weights_are_read(tmp_path: Path) -> None:
    lost = tmp_path / "no run"
    with pytest.raises(GrowlangError, match=r"out does not end in \.safetensors") as error:
        growlang.export(lost, "safetensors", tmp_path / "out")
    assert "out.safetensors" in error.value.help
    (tmp_path / "file").write_text("")
    with pytest.raises(GrowlangError, match="Not a directory"):
        growlang.export(lost, "diffusers", tmp_path / "file" / "out")
    with pytest.raises(GrowlangError, match="no weights at"):
        growlang.export(lost, "diffusers", tmp_path / "out")


def test_fp16_has_no_room_for_large_weights(run: Path, tmp_path: Path) -> None:
    weights = load(run)
    next(iter(weights.tensors.values()))[0] = 1e6
    with pytest.raises(GrowlangError, match="fp16 has no numbers as large") as error:
        export(weights, "safetensors", tmp_path / "a.safetensors", dtype="fp16")
    assert "bf16" in error.value.help
    assert not list(tmp_path.iterdir())


def test_the_command_prints_what_it_wrote(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.safetensors"
    done = command("export", str(run), "--to", "safetensors", "-o", str(out))
    assert (done.status, done.out) == (0, f"{out}\n{out.with_suffix('.grow')}\n")
    assert command("export", str(run), "--to", "onnx", "-o", str(out)).status == 2
