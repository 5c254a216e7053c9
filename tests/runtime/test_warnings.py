"""What a run warns of, and where: on stderr, and in its metrics."""

from pathlib import Path
from typing import Any

import pytest
from tiny import interrupt_at, metrics, net, phase, plan, train, write_data

from growlang.spec.objectives import Diffusion
from growlang.spec.recipe import Sample
from growlang.spec.samplers import DDIM
from growlang.spec.schedules import Cosine
from growlang_runtime.storage.run import recorded_plan
from growlang_runtime.train.result import TrainResult

LONG = [b"one two three four five", b"?!", b"a b c d", b"shade", b"", b"and one more that is long"]


def told(result: TrainResult) -> list[dict[str, Any]]:
    """What was said of captions, without the prompts of the grids."""
    return [
        line
        for line in metrics(result.run)
        if line.get("event") == "captions" or "captions" in line.get("text", "")
    ]


@pytest.mark.parametrize("workers", [1, 3])
def test_captions_that_are_not_read_whole_are_counted(tmp_path: Path, workers: int) -> None:
    write_data(tmp_path, captions=LONG)
    never = Diffusion(schedule=Cosine(base=8), drop=0.0)
    done = train(plan([phase(steps=6, objective=never)]), tmp_path, workers=workers)
    (counts,) = [line for line in told(done) if line["event"] == "captions"]
    assert counts == {
        "step": 6,
        "event": "captions",
        "condition": "text",
        "captions": 24,
        "cut": 8,
        "wordless": 8,
    }
    assert len([line for line in metrics(done.run) if "and truncated" in str(line)]) == 1
    assert len([line for line in metrics(done.run) if "found no words in" in str(line)]) == 1


def test_a_resumed_run_counts_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_data(tmp_path, captions=LONG)
    whole = train(plan([phase(steps=6)]), tmp_path, "whole", checkpoint_every=2)
    interrupt_at(monkeypatch, 3)
    train(plan([phase(steps=6)]), tmp_path, "parts", checkpoint_every=2)
    monkeypatch.undo()
    parts = train(plan([phase(steps=6)]), tmp_path, "parts", resume="must", checkpoint_every=2)
    assert told(parts) == told(whole)


def test_a_warm_up_longer_than_epochs_is_told_when_they_are_known(data: Path) -> None:
    done = train(plan([phase(steps=None, epochs=2.0, warmup=50)]), data)
    texts = [line["text"] for line in metrics(done.run) if line.get("event") == "warning"]
    assert texts == [
        "`warmup` is 50 steps, but recipe main has only 3: the learning rate never reaches `lr`"
    ]
    known = train(plan([phase(steps=3, warmup=50)]), data, "known")
    warned = [line for line in metrics(known.run) if line.get("event") == "warning"]
    assert not warned, "check tells it"


def test_prompts_of_the_spec_that_are_not_read_whole_are_told(data: Path) -> None:
    sample = Sample(sampler=DDIM(steps=1), prompts=["one two three four five", "", "?"])
    done = train(plan(sample=sample), data)
    texts = [line["text"] for line in metrics(done.run) if "text" in line]
    assert [text.split(" ", 1)[0] for text in texts] == ["prompt", "prompt"]


def test_a_child_of_a_run_that_read_other_words_is_told(data: Path) -> None:
    parent = plan(model=net("parent"), semantics=1)
    train(parent, data)
    child = plan(parent=parent, semantics=2)
    texts = [line["text"] for line in metrics(train(child, data).run) if "text" in line]
    assert [text for text in texts if "condition `text` keeps a word embedding" in text]


def test_settings_that_do_not_fit_the_length_are_told_when_it_is_known(data: Path) -> None:
    made = plan([phase(steps=None, epochs=35.0, ema=0.99)])
    (text,) = [line["text"] for line in metrics(train(made, data).run) if "text" in line]
    assert "averages over 100 steps, but recipe `main` has 53" in text
    assert text.endswith("write `ema = auto`, which is 0.62 here (growlang explain G410)")


def test_what_is_chosen_for_epochs_is_printed_and_kept(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = plan([phase(steps=None, epochs=4.0, ema="auto", warmup="auto", lr_schedule="auto")])
    interrupt_at(monkeypatch, 3)
    train(made, data)
    monkeypatch.undo()
    said = "chosen for 6 steps: ema = 0, warmup = 0, lr_schedule = wsd(decay = 0.2)"
    assert said in capsys.readouterr().err
    done = train(made, data, resume="must")
    (kept,) = recorded_plan(done.run).phases
    assert (kept.steps, kept.settings.ema, kept.settings.warmup) == (6, 0.0, 0)
    assert kept.auto == ["ema", "warmup", "lr_schedule"]
