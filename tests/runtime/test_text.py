"""Training on texts: sequences, their order, and that nothing but the spec decides the weights."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from text_models import LENGTH, TEXTS, plan_of, write_lines
from tiny import interrupt_at, metrics, state, train
from typer.testing import CliRunner

import growlang
from growlang.cli import app
from growlang.cli.extras import missing
from growlang.diagnostics import GrowlangError
from growlang.spec.data import HF, Source, Text
from growlang.spec.objectives import NextToken
from growlang_runtime.data import corpus
from growlang_runtime.data.corpus import open_text
from growlang_runtime.data.hub import open_hf
from growlang_runtime.data.images import Indexes
from growlang_runtime.data.sequences import Sequences, Vocabulary
from growlang_runtime.diffusion.objective import loss_of, objective_of
from growlang_runtime.train.options import RunOptions
from growlang_runtime.train.planned import observed

WHOLE = b"".join(text.encode() + b"\0" for text in TEXTS)


def sequences(folder: Path, length: int = LENGTH, **changes: object) -> Sequences:
    source = Source(name="corpus", data=Text(path="*.jsonl")).model_copy(update=changes)
    indexes = Indexes(folder, cache=folder / "cache")
    return Sequences([source], Vocabulary(256, length), 0, indexes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_lines(tmp_path / "some.jsonl")
    return tmp_path


def test_an_epoch_has_every_token_as_a_target_once(folder: Path) -> None:
    found = sequences(folder)
    assert len(found) == (len(WHOLE) - 1) // LENGTH
    drawn = sorted(
        (bytes(found.draw(p).image.tolist()) for p in range(len(found))), key=WHOLE.index
    )
    expected = [WHOLE[at : at + LENGTH + 1] for at in range(0, len(found) * LENGTH, LENGTH)]
    assert drawn == expected


def test_each_epoch_has_an_order_of_its_own(folder: Path) -> None:
    found = sequences(folder)
    count = len(found)
    orders = [[found.draw(e * count + p).key for p in range(count)] for e in range(3)]
    assert len({tuple(order) for order in orders}) == 3
    assert len({frozenset(order) for order in orders}) == 1


def test_plain_text_is_one_text_and_files_follow_each_other(folder: Path) -> None:
    (folder / "a.txt").write_text("héllo\n")
    (folder / "b.txt").write_text("world")
    found = open_text(Text(path="{b,a}.txt"), folder, folder / "cache")
    whole = b"".join(bytes(np.asarray(file.ids)) for file in found.files)
    assert whole == b"world\0" + "héllo\n".encode() + b"\0"


def test_the_field_of_a_line(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"meta": {"body": "abc"}}\n\n{"meta": {"body": "d"}}\n')
    found = open_text(Text(path="x.jsonl", field="meta.body"), tmp_path, tmp_path)
    assert bytes(np.asarray(found.files[0].ids)) == b"abc\0d\0"


def test_tokens_are_made_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "settled", lambda path: [str(path), path.read_text()])
    first = open_text(Text(path="*.jsonl"), folder, folder / "cache")
    with monkeypatch.context() as patched:
        patched.setattr(corpus, "made_of", None)
        again = open_text(Text(path="*.jsonl"), folder, folder / "cache")
    assert again.identity == first.identity
    assert bytes(np.asarray(again.files[0].ids)) == WHOLE
    write_lines(folder / "some.jsonl", [*TEXTS, "more"])
    assert open_text(Text(path="*.jsonl"), folder, folder / "cache").identity != first.identity


def test_long_texts_are_held_out_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "PIECE", 16)
    text = "".join(f"{n:04}" for n in range(250))
    (tmp_path / "a.txt").write_text(text)
    source = Source(name="a", data=Text(path="a.txt"), holdout=0.3)
    indexes = Indexes(tmp_path, cache=tmp_path / "cache")
    both = [
        Sequences([source], Vocabulary(256, LENGTH), 0, indexes, held_out=held_out)
        for held_out in (False, True)
    ]
    total = sum(len(stream) for part in both for stream in part._streams)
    assert total == 1001
    assert 0.1 < len(both[1]) / (len(both[0]) + len(both[1])) < 0.5
    pieces = [(text + "\0")[at : at + 16] for at in range(0, 1001, 16)]
    for part, stream in ((part, part._streams[0]) for part in both):
        room = np.empty(len(stream), np.int64)
        stream.read(0, room)
        read = bytes(room.tolist()).decode()
        assert read == "".join(p for p in pieces if p in read)
        assert len(part) == (len(read) - 1) // LENGTH


def test_workers_do_not_change_a_run(folder: Path) -> None:
    made = plan_of(folder)
    found = [state(train(made, folder, out=f"runs_{n}", workers=n)) for n in (0, 1, 2)]
    assert found[0] == found[1] == found[2]
    losses = [line["loss"] for line in metrics(folder / "runs_0/bytes_8/main") if "loss" in line]
    assert losses[0] == pytest.approx(5.55, abs=0.2)  # log 256, as nothing is known yet


@pytest.mark.parametrize("step", [2, 5])
def test_a_resumed_run_ends_as_one_that_was_not_interrupted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    made = plan_of(folder)
    whole = train(made, folder, out="whole")
    with monkeypatch.context() as patched:
        interrupt_at(patched, step)
        assert train(made, folder, out="cut").signal
    resumed = train(made, folder, out="cut", resume="must")
    assert state(resumed) == state(whole)
    texts = [
        {p.name: p.read_text() for p in (result.run / "samples").iterdir()}
        for result in (whole, resumed)
    ]
    assert texts[0] == texts[1]
    assert sorted(texts[0]) == ["step_00000003.txt", "step_00000007.txt"]
    assert "to be" in texts[0]["step_00000003.txt"]


def test_a_run_does_not_go_on_with_other_text(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plan_of(folder)
    with monkeypatch.context() as patched:
        interrupt_at(patched, 2)
        train(made, folder)
    write_lines(folder / "some.jsonl", [*TEXTS[:-1], "in the main"])
    with pytest.raises(GrowlangError, match="data"):
        train(made, folder, resume="must")


def test_micro_batches_give_the_same_loss(folder: Path) -> None:
    made = plan_of(folder, **{", dropout = 0.1": ""})
    found = []
    for size in (None, 1):
        run = train(made, folder, out=f"runs_{size}", micro_batch=size).run
        found.append([line["loss"] for line in metrics(run) if "loss" in line])
    torch.testing.assert_close(*found)


def test_the_loss_of_held_out_text_is_measured(tmp_path: Path) -> None:
    write_lines(tmp_path / "some.jsonl", [f"{n}: {TEXTS[n % 4]}" for n in range(40)])
    result = train(plan_of(tmp_path, more="holdout = 20%"), tmp_path, validate_every=7)
    lines = [m for m in metrics(result.run) if m.get("event") == "validation"]
    assert [line["step"] for line in lines] == [3, 7]
    assert 0 < lines[1]["averaged"] < lines[0]["averaged"] < 6
    assert lines[0]["levels"] == []


def test_next_token_is_the_cross_entropy() -> None:
    torch.manual_seed(0)
    logits, ids = torch.randn(2, 3, 5), torch.randint(0, 5, (2, 4))
    loss = loss_of(NextToken(), None)  # type: ignore[arg-type]
    found = loss.losses(lambda x: logits, ids, ids, ids)
    probabilities = logits.softmax(-1)
    for row in range(2):
        each = [-probabilities[row, n, ids[row, n + 1]].log() for n in range(3)]
        assert float(found[row]) == pytest.approx(float(sum(each)) / 3)
    with pytest.raises(GrowlangError, match="no noise levels"):
        objective_of(NextToken(), None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ('text("none/*.txt")', 'texts "none/*.txt": no file matches'),
        ('text("table.csv")', "reads JSONL and plain text files"),
        ('text("latin.txt")', "is not UTF-8: invalid continuation byte at byte 1"),
        ('text("short.txt")', "has 4 tokens, and a sequence needs 9"),
        ('text("*.jsonl", field = "body")', "it has no field `body`"),
        ('text("*.jsonl", tokenizer = "no/such")', "cannot load the tokenizer `no/such`"),
    ],
)
def test_texts_that_cannot_be_used(
    folder: Path, data: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (folder / "table.csv").write_text("text\nabc\n")
    (folder / "latin.txt").write_bytes(b"h\xe9llo")
    (folder / "short.txt").write_text("abc")
    with pytest.raises(GrowlangError) as caught:
        train(plan_of(folder, data, **{"vocabulary = 256": "vocabulary = 300"}), folder)
    assert said in str(caught.value)
    assert caught.value.help


def test_lines_that_cannot_be_read_count_as_unusable(folder: Path) -> None:
    with (folder / "some.jsonl").open("a") as file:
        file.write('{"text": 3}\nnot json\n')
    with pytest.raises(GrowlangError, match=r"line 5.*no text in its field `text`"):
        train(plan_of(folder), folder)
    run = train(plan_of(folder), folder, max_corrupt=2).run
    corrupt = [line["key"] for line in metrics(run) if line.get("event") == "corrupt"]
    assert corrupt == ["line 5", "line 6"]


def test_a_tokenizer_of_a_folder(folder: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    from transformers import PreTrainedTokenizerFast

    words = {word: n for n, word in enumerate(sorted({*" ".join(TEXTS).split(), "<unk>", "</s>"}))}
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unk>"))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder / "words")
    data = 'text("*.jsonl", tokenizer = "words")'
    opened = open_text(Text(path="*.jsonl", tokenizer="words"), folder, folder / "cache")
    expected = [words[w] for text in TEXTS for w in [*text.split(), "</s>"]]
    assert opened.files[0].ids.tolist() == expected
    assert opened.tokenizer.decode(expected[:3]) == "to be or"
    train(plan_of(folder, data, **{"length = 8": "length = 4"}), folder)
    small = plan_of(folder, data, **{"vocabulary = 256": f"vocabulary = {len(words) - 1}"})
    with pytest.raises(GrowlangError, match=f"gives ids of {len(words)} tokens"):
        train(small, folder, out="other")


# --- datasets of the Hub -------------------------------------------------------------------------


class Rows:
    """A dataset as the package has it, of one column of texts."""

    _fingerprint = "abc"
    column_names = ("text", "title")

    def __init__(self, texts: list[Any]) -> None:
        self.texts = texts

    def select_columns(self, names: list[str]) -> Rows:
        assert names == ["text"]
        return self

    def iter(self, size: int) -> Iterator[dict[str, list[Any]]]:
        for at in range(0, len(self.texts), 3):
            yield {"text": self.texts[at : at + 3]}


def hub(monkeypatch: pytest.MonkeyPatch, loaded: Callable[..., Any]) -> None:
    """Put a package datasets there, of which `loaded` is `load_dataset`."""
    package = SimpleNamespace(load_dataset=loaded, config=SimpleNamespace())
    monkeypatch.setitem(sys.modules, "datasets", package)


def test_a_dataset_of_the_hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def loaded(*given: Any, **options: Any) -> Rows:
        assert sys.modules["datasets"].config.HF_HUB_OFFLINE
        asked.append((given, options))
        return Rows(list(TEXTS))

    hub(monkeypatch, loaded)
    found = state(train(plan_of(folder, 'hf("a/b", split = "test")'), folder, out="hub"))
    assert asked[0] == (("a/b", None), {"split": "test"})
    # The same texts as those of the file: the same weights.
    assert found == state(train(plan_of(folder), folder))


def test_what_is_wrong_with_a_dataset(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*given: Any, **options: Any) -> Any:
        raise FileNotFoundError("Couldn't find cache for a/b")

    hub(monkeypatch, absent)
    said = r"`a/b` from the local cache \(Couldn't find"
    with pytest.raises(GrowlangError, match=said) as caught:
        train(plan_of(folder, 'hf("a/b")'), folder)
    assert "datasets.load_dataset('a/b')" in str(caught.value.help)
    hub(monkeypatch, lambda *given, **options: Rows([]))
    with pytest.raises(GrowlangError, match="has no column `txt`") as caught:
        train(plan_of(folder, 'hf("a/b", field = "txt")'), folder)
    assert caught.value.help == "did you mean `text`?"
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ModuleNotFoundError) as lacking:
        train(plan_of(folder, 'hf("a/b")'), folder)
    told = missing(lacking.value)
    assert told is not None and told.help == 'pip install "growlang[hub]"'


def test_a_dataset_in_a_folder(folder: Path) -> None:
    pytest.importorskip("datasets")
    (folder / "lines").mkdir()
    write_lines(folder / "lines" / "train.jsonl")
    found = open_hf(HF(name="lines"), folder, folder / "cache")
    assert bytes(np.asarray(found.files[0].ids)) == WHOLE


# --- texts that a model writes -------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    write_lines(folder / "some.jsonl")
    return train(plan_of(folder, steps="40"), folder, log_every=100, quiet=True).run


def test_texts_depend_on_seed_prompt_and_place_alone(trained: Path) -> None:
    def texts(**options: Any) -> list[str]:
        return [*growlang.generate(trained, ["to be", "that", ""], length=12, **options)]

    first = texts(seed=1)
    assert first == texts(seed=1) == texts(seed=1, batch=1)
    assert first != texts(seed=2)
    assert len(set(growlang.generate(trained, "to", length=30, count=2))) == 2
    assert texts(seed=1, top_k=1) == texts(seed=2, temperature=0)


def test_texts_are_of_the_likeliest_tokens_at_temperature_0(trained: Path) -> None:
    run = growlang.load_run(trained)
    module = growlang.compile(Path(run.plan.spec)).module()
    module.load_state_dict(growlang.load_weights(trained))
    ids = list(b"to be or not")
    for _ in range(5):
        logits = module.eval()(torch.tensor([ids[-LENGTH:]]))[0, -1]
        ids.append(int(logits.argmax()))
    (text,) = growlang.generate(trained, "to be or not", length=5, temperature=0)
    assert text.encode() == bytes(ids[12:]).rstrip(b"\0")


def test_the_command_prints_texts(trained: Path) -> None:
    arguments = ["sample", str(trained), "-p", "to be", "--length", "5", "--temperature", "0"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0
    (text,) = growlang.generate(trained, "to be", length=5, temperature=0)
    assert done.stdout == f"to be{text}\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--guidance", "2"], "`--guidance` is for models of images"),
        (["-o", "x.png"], "`--output` is for models of images"),
    ],
)
def test_options_of_images_are_refused(trained: Path, options: list[str], said: str) -> None:
    with pytest.raises(GrowlangError) as caught:
        CliRunner().invoke(app, ["sample", str(trained), *options], catch_exceptions=False)
    assert said in str(caught.value)


def test_images_are_not_drawn_by_a_model_of_tokens(trained: Path) -> None:
    with pytest.raises(GrowlangError, match=r"growlang\.generate"):
        growlang.sample(trained, "to be")
    with pytest.raises(GrowlangError, match="`temperature` must be at least 0"):
        growlang.generate(trained, "to be", temperature=-1)


def test_a_plan_pins_the_files_of_texts(folder: Path) -> None:
    found = observed(plan_of(folder, 'text("*.jsonl")'), RunOptions(out=folder / "runs"))
    (pin,) = found.data
    (shard,) = pin.shards
    assert found.unread is None
    assert (shard.name, shard.samples, pin.samples) == ("some.jsonl", len(TEXTS), len(TEXTS))
    write_lines(folder / "some.jsonl", [*TEXTS, "and more"])
    (later,) = observed(plan_of(folder, 'text("*.jsonl")'), RunOptions(out=folder / "runs")).data
    assert later.identity != pin.identity
