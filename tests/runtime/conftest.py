"""Real shards, written where a test asks for them."""

import io
import tarfile
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from mixes import TRANSFORM, Open, source
from PIL import Image
from tiny import write_data

from growlang.net import grid
from growlang.plans.plan import SEMANTICS
from growlang.spec.data import Source, Transform
from growlang_runtime.data.corrupt import Budget
from growlang_runtime.data.images import Images, Indexes

WriteTar = Callable[[str, Mapping[str, bytes]], Path]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Several threads are far slower on nets as small as those of the tests."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def open_images(tmp_path: Path, write_tar: WriteTar, png: Callable[..., bytes]) -> Open:
    """Opens mixes of source `a` (10 images, 12 to 21 wide) and `b` (7, 40 wide)."""
    for name, count in (("a", 10), ("b", 7)):
        members: dict[str, bytes] = {}
        for i in range(count):
            members[f"{name}{i}.png"] = png(12 + i, 16) if name == "a" else png(40, 30 + i)
            members[f"{name}{i}.txt"] = f"{name} number {i}".encode()
        write_tar(f"{name}.tar", members)

    def open_(
        *sources: Source,
        transform: list[Transform] = TRANSFORM,
        reads: Collection[str] = ("caption",),
        semantics: int = SEMANTICS,
        most: int = 0,
        **more: Any,
    ) -> Images:
        indexes = Indexes(tmp_path, reads, semantics=semantics, cache=tmp_path / "cache")
        budget = Budget(most, tmp_path)
        return Images(
            sources or [source("a")], transform, grid(3, 8, 8), 3, indexes, budget, **more
        )

    return open_


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with `data.tar` of images for the tiny net."""
    return write_data(tmp_path)


@pytest.fixture
def write_tar(tmp_path: Path) -> WriteTar:
    """Writes a tar of members, in their order, into the test's folder."""

    def write(name: str, members: Mapping[str, bytes]) -> Path:
        with tarfile.open(tmp_path / name, "w") as tar:
            for member, data in members.items():
                info = tarfile.TarInfo(member)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        return tmp_path / name

    return write


@pytest.fixture
def png() -> Callable[..., bytes]:
    """Encodes an image of one colour, or with a gradient if no colour is named."""

    def encode(width: int, height: int, colour: str | None = None) -> bytes:
        image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
        if colour is not None:
            image = Image.new("RGB", (width, height), colour)
        data = io.BytesIO()
        image.save(data, "png")
        return data.getvalue()

    return encode


@pytest.fixture(scope="session")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small randomly initialised T5, 16 wide, with a tokenizer of whole words."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    folder = tmp_path_factory.mktemp("t5")
    words = ["<pad>", "</s>", "<unk>", "a", "red", "green", "cat", "dog", "on", "the", "grass"]
    vocabulary = {word: i for i, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = T5Config(vocab_size=len(words), d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2)
    T5ForConditionalGeneration(config).save_pretrained(folder)
    return folder
