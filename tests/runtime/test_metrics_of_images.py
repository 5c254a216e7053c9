"""Each metric: against a formula, or on a network of its class with random weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import plan
from torch import Tensor, nn

from growlang.diagnostics import GrowlangError
from growlang.spec import metrics as declared
from growlang.torch_backend.tensor_files import tensor_hash
from growlang_runtime.evaluation import align, distances, retrieval, texts
from growlang_runtime.evaluation.extractors import Extractor, clip, dino, efflite0, prepared
from growlang_runtime.evaluation.kept import Kept
from growlang_runtime.evaluation.pictures import Chunk, Pictures
from growlang_runtime.evaluation.subject import Measured, Subject
from growlang_runtime.storage.weights import Weights

CPU = torch.device("cpu")
WORDS = ("red", "green", "blue", "grey")
Subjects = Callable[..., Subject]


def images(count: int, seed: int, low: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(low, 256, (count, 3, 16, 16), generator=generator, dtype=torch.uint8)


@pytest.fixture
def subject(tmp_path: Path) -> Subjects:
    """Generated images, real ones and other real ones, with captions of one word."""

    def made(count: int = 8, captions: Sequence[str] = WORDS, low: int = 0) -> Subject:
        def pictures(name: str, seed: int, low: int = 0) -> Pictures:
            x = images(count, seed, low)

            def caption(places: range) -> tuple[str, ...]:
                return tuple(captions[place % len(captions)] for place in places)

            def chunk(places: range) -> Chunk:
                return Chunk(places, x[places.start : places.stop], caption(places))

            return Pictures(f"{name} {low}", count, chunk, caption, Kept(tmp_path / "kept"))

        parts = [pictures("drawn", 1, low), pictures("real", 2), pictures("further", 3)]
        return Subject(Weights(tmp_path, plan().child_net(), {}), plan(), *parts, tmp_path, CPU, 4)

    return made


# --- distances -----------------------------------------------------------------------------------


def features(seed: int, count: int = 60, shift: float = 0.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 5, generator=generator) + shift


def test_the_frechet_distance_is_that_of_the_formula() -> None:
    a, b = features(0).double().numpy(), features(1, shift=0.5).double().numpy()
    means = ((a.mean(0) - b.mean(0)) ** 2).sum()
    ca, cb = np.cov(a.T), np.cov(b.T)
    root = np.sqrt(np.linalg.eigvals(ca @ cb).astype(complex)).real.sum()
    expected = means + np.trace(ca) + np.trace(cb) - 2 * root
    found = distances.frechet(features(0), features(1, shift=0.5))
    assert found == pytest.approx(expected, rel=1e-6)
    assert distances.frechet(features(0), features(0)) == pytest.approx(0, abs=1e-6)


def test_cmmd_is_that_of_the_formula() -> None:
    a, b = features(0).double(), features(1, 70, 3.0).double()

    def mean(x: Tensor, y: Tensor) -> Tensor:
        squares = (x[:, None] - y[None]).square().sum(-1)
        return torch.exp(-squares / (2 * 10.0**2)).mean()

    expected = 1000 * (mean(a, a) + mean(b, b) - 2 * mean(a, b))
    assert distances.discrepancy(a, b) == pytest.approx(float(expected), rel=1e-9)


def test_the_kernel_distance_is_unbiased_and_leaves_random_states() -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    far = distances.kernel_distance(features(0), features(1, shift=1.0), 5, 40)
    assert far == distances.kernel_distance(features(0), features(1, shift=1.0), 5, 40) > 0.5
    assert abs(distances.kernel_distance(features(0), features(1), 5, 40)) < 0.3
    assert torch.equal(torch.get_rng_state(), before)


class Inception(nn.Module):
    """Features of an image as the network of StyleGAN2-ADA gives them, but 6 of them."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(3, 6)

    def forward(self, x: Tensor, return_features: bool = False) -> Tensor:
        return self.project(x.float().mean((2, 3)) / 255)


@pytest.fixture
def inception(tmp_path: Path) -> str:
    torch.manual_seed(0)
    with pytest.warns(DeprecationWarning):
        torch.jit.save(torch.jit.script(Inception()), tmp_path / "inception.pt")  # type: ignore[no-untyped-call]
    return "inception.pt"


def test_fid_and_kid_of_a_network_in_torchscript(subject: Subjects, inception: str) -> None:
    fid = distances.fid(declared.FID(weights=inception), subject())
    assert fid.floor is not None and fid.value >= 0
    assert fid.protocol["resize"] == "bilinear, in the network"
    assert fid.protocol.items() >= {"dimensions": 6, "generated": 8, "real": 8}.items()
    kid = declared.KID(weights=inception, subsets=3, subset_size=8)
    brighter = distances.kid(kid, subject(low=128))
    assert brighter.value > distances.kid(kid, subject()).value
    with pytest.raises(GrowlangError, match="needs at least 7 real images"):
        distances.fid(declared.FID(weights=inception), subject(6))
    with pytest.raises(GrowlangError, match="there is no file") as missing:
        distances.fid(declared.FID(weights="none.pt"), subject())
    assert missing.value.help and "curl -LO https://" in missing.value.help


def test_efflite0_reads_images_as_it_was_trained(subject: Subjects) -> None:
    found = efflite0(CPU)
    assert found.projected(16).features(subject().reference, 4).shape == (8, 16)
    x = prepared(images(1, 0), 224, ((0.5,) * 3, (0.25,) * 3), CPU)
    assert x.shape == (1, 3, 224, 224) and float(x.abs().max()) <= 2


# --- models of transformers with random weights --------------------------------------------------


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[ENC]", "[DEC]"]
    words = [*special, *WORDS, "is", "it", "yes", "no", "?"]
    made = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=made,
        pad_token="[PAD]",
        unk_token="[UNK]",
        bos_token="[CLS]",
        eos_token="[SEP]",
        model_max_length=16,
    )


@pytest.fixture(scope="module")
def clip_model(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Path:
    from transformers import CLIPConfig, CLIPModel, CLIPProcessor
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    folder = tmp_path_factory.mktemp("clip")
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    small |= {"num_attention_heads": 2, "projection_dim": 8}
    text = small | {"vocab_size": 16, "max_position_embeddings": 16, "eos_token_id": 3}
    text |= {"bos_token_id": 2, "pad_token_id": 0}
    vision = small | {"image_size": 24, "patch_size": 8}
    torch.manual_seed(0)
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)).save_pretrained(
        folder
    )
    size = {"size": {"shortest_edge": 24}, "crop_size": {"height": 24, "width": 24}}
    CLIPProcessor(CLIPImageProcessorPil(**size), tokenizer).save_pretrained(folder)
    return folder


def test_cmmd_of_a_clip_model(subject: Subjects, clip_model: Path) -> None:
    found = clip(str(clip_model), "cmmd", CPU)
    vectors = found.features(subject().generated, 4)
    assert vectors.shape == (8, 8) and torch.allclose(vectors.norm(dim=1), torch.ones(8))
    value = distances.cmmd(declared.CMMD(weights=str(clip_model)), subject(100))
    assert value.protocol["size"] == 24 and value.protocol["antialias"] and value.value > 0


def test_clip_score_of_a_clip_model(subject: Subjects, clip_model: Path) -> None:
    metric = declared.CLIPScore(weights=str(clip_model))
    made = subject()
    found = texts.clip_score(metric, made)
    assert 0 <= found.value <= 100 and found.floor is not None
    from transformers import CLIPModel, CLIPProcessor

    model = CLIPModel.from_pretrained(clip_model).eval()
    processor = CLIPProcessor.from_pretrained(clip_model)
    (chunk,) = made.generated.chunks()
    read = processor(text=[*chunk.texts], images=[*chunk.images], return_tensors="pt", padding=True)
    with torch.no_grad():
        said = model(**read)
    cosines = (said.image_embeds * said.text_embeds).sum(1) * 100
    assert found.value == pytest.approx(max(0.0, float(cosines.mean())), abs=1e-3)


def test_fd_dino_of_a_dino_model(subject: Subjects, tmp_path: Path) -> None:
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    config = Dinov2Config(
        hidden_size=6, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14
    )
    Dinov2Model(config).save_pretrained(tmp_path / "dino")
    found = distances.fd_dino(declared.FDDINO(weights="dino"), subject())
    assert found.protocol["dimensions"] == 6 and found.protocol["size"] == 224
    assert found.value >= 0 and found.floor is not None
    other = dino(str(tmp_path / "dino"), "fd_dino", CPU)
    assert found.protocol["weights_sha256"] == other.weights
    with pytest.raises(GrowlangError, match="Hugging Face cache") as missing:
        distances.fd_dino(declared.FDDINO(weights="nobody/none"), subject())
    assert missing.value.help and "hf download nobody/none" in missing.value.help


@pytest.fixture(scope="module")
def blip(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Path:
    from transformers import BlipConfig, BlipForQuestionAnswering, BlipProcessor
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    folder = tmp_path_factory.mktemp("blip")
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    small |= {"num_attention_heads": 2, "projection_dim": 8}
    text = small | {"vocab_size": 16, "encoder_hidden_size": 16, "max_position_embeddings": 32}
    text |= {"bos_token_id": 5, "eos_token_id": 3, "sep_token_id": 3, "pad_token_id": 0}
    vision = small | {"image_size": 16, "patch_size": 8}
    torch.manual_seed(0)
    config = BlipConfig(text_config=text, vision_config=vision, projection_dim=8)
    BlipForQuestionAnswering(config).save_pretrained(folder)
    sides = BlipImageProcessorPil(size={"height": 16, "width": 16})
    BlipProcessor(sides, tokenizer).save_pretrained(folder)
    return folder


def test_dsg_asks_a_model_about_each_image(subject: Subjects, blip: Path, tmp_path: Path) -> None:
    rows = [{"prompt": w, "questions": [{"id": 1, "question": f"is it {w} ?"}]} for w in WORDS]
    (tmp_path / "asked.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    metric = declared.DSG(questions="asked.jsonl", weights=str(blip))
    found = texts.dsg(metric, subject())
    assert 0 <= found.value <= 1 and found.protocol["questions"] == 8
    with pytest.raises(GrowlangError, match='no questions about the prompt "pink"'):
        texts.dsg(metric, subject(captions=["pink"]))
    (tmp_path / "asked.jsonl").write_text('{"prompt": "red"}\n')
    with pytest.raises(GrowlangError, match=r"asked\.jsonl:1 has no questions"):
        texts.dsg(metric, subject())


def test_a_question_counts_where_those_that_it_needs_are_met() -> None:
    asked = (texts.Question(1, "a"), texts.Question(2, "b", (1,)), texts.Question(3, "c"))
    assert texts.share(asked, {1: True, 2: True, 3: False}) == pytest.approx(2 / 3)
    assert texts.share(asked, {1: False, 2: True, 3: True}) == pytest.approx(1 / 3)


# --- prompts -------------------------------------------------------------------------------------


def test_retrieval_counts_prompts_whose_image_is_the_nearest(subject: Subjects) -> None:
    made = subject(4)
    found = retrieval.retrieval(declared.Retrieval(side=4), made)
    copied = Subject(**{**vars(made), "generated": made.reference})
    assert retrieval.retrieval(declared.Retrieval(side=4), copied).value == 1.0
    assert found.details["of"] == 4 and found.details["chance"] == 0.25


def test_align_ridge_finds_a_linear_relation_and_is_bound_to_its_data() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 12, generator=generator)
    y = x @ torch.randn(12, 6, generator=generator)
    names = tuple(f"text {i}" for i in range(400))
    ridge = align.fitted(x[:300], y[:300], 0.01)
    found = align.scores(ridge, x[300:], names[300:], y[300:])
    assert found["auc"] > 0.98 and found["r_at_5"] > 0.6 and found["r_at_1_by_chance"] == 0.01
    shuffled = align.scores(ridge, x[300:].flip(0), names[300:], y[300:])
    assert 0.35 < shuffled["auc"] < 0.65


def test_images_are_compared_some_rows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [features(seed, 10) for seed in range(2)]
    ridge, names = align.fitted(*made, 0.01), tuple("aabcdeffgh")
    whole, near = align.scores(ridge, made[0], names, made[1]), retrieval.nearest_of(*made)
    most: list[int] = []
    cdist, ranks = torch.cdist, align._ranks

    def counted(compute: Callable[..., Any]) -> Callable[..., Any]:
        return lambda a, b: (most.append(len(a)), compute(a, b))[1]

    monkeypatch.setattr(torch, "cdist", counted(cdist))
    monkeypatch.setattr(align, "_ranks", counted(ranks))
    found = align.scores(ridge, made[0], names, made[1], rows=3)
    assert found == pytest.approx(whole, rel=1e-12)
    assert found["r_at_1_by_chance"] == 1 / 8
    assert retrieval.nearest_of(*made, rows=3) == near
    assert most == 2 * [3, 3, 3, 1]


def test_align_ridge_says_what_it_was_fitted_on(
    subject: Subjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    def embed(some: list[str]) -> Tensor:
        return torch.stack(
            [torch.full((4,), float(len(t))) + torch.eye(4)[len(t) % 4] for t in some]
        )

    def pixels(x: Tensor) -> Tensor:
        return x.float().mean((2, 3))

    said = {"input": "8-bit values"}
    monkeypatch.setattr(align, "minilm", lambda: (embed, "m" * 64))
    monkeypatch.setattr(align, "efflite0", lambda _: Extractor("means", "0" * 64, 3, said, pixels))
    metric = declared.AlignRidge()
    found: list[Measured] = [
        align.align_ridge(one, made)
        for one, made in (
            (metric, subject(100)),
            (metric, subject(100, low=9)),
            (metric, subject(100, WORDS[::-1])),
            (declared.AlignRidge(ridge=1.0), subject(100)),
        )
    ]
    hashes = [one.protocol["fitted_on_sha256"] for one in found]
    assert hashes[0] == hashes[1] and len(set(hashes)) == 3
    assert found[0].protocol["fitted_on"] == 75 and found[0].floor is not None
    with pytest.raises(GrowlangError, match="needs at least 100"):
        align.align_ridge(metric, subject(40))


def test_minilm_tells_captions_apart() -> None:
    embed, hashed = align.minilm()
    found = torch.nn.functional.normalize(embed(["a red apple", "an apple", "a rocket"]))
    assert found[0] @ found[1] > found[0] @ found[2]
    assert len(hashed) == 64 and tensor_hash(found) == tensor_hash(
        torch.nn.functional.normalize(embed(["a red apple", "an apple", "a rocket"]))
    )
