"""Training to classify: the loss by its formula, accuracy on what is held out, resume, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from classifier import plan_of, write_digits
from PIL import Image
from tiny import interrupt_at, metrics, state, train
from torch import Tensor
from typer.testing import CliRunner

import growlang
from growlang.cli import app
from growlang.diagnostics import GrowlangError
from growlang.spec.objectives import Classify
from growlang_runtime.classification.cross_entropy import CrossEntropy, scores
from growlang_runtime.conditioning.conditioner import Conditioner
from growlang_runtime.data.corrupt import Budget
from growlang_runtime.diffusion.objective import objective_of
from growlang_runtime.train.batches import indexes_of
from growlang_runtime.train.validation import Validation

LOGITS = torch.randn(6, 10, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([3, 0, 9, 3, 1, 7])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_digits(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run long enough to know most digits."""
    folder = tmp_path_factory.mktemp("trained")
    write_digits(folder, 400)
    changes = (("first for 5", "first for 200"), ("batch     = 8", "batch     = 32"))
    made = plan_of(folder, *changes, (", dropout = 0.1", ""), ("lr = 1e-2", "lr = 3e-3"))
    return train(made, folder, log_every=100, validate_every=100, quiet=True).run


def losses(smoothing: float) -> Tensor:
    loss = CrossEntropy("label", smoothing).of_batch({"label.target": LABELS})
    return loss.losses(lambda x: LOGITS, LOGITS, LOGITS, LOGITS)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_the_cross_entropy_with_smoothed_targets(smoothing: float) -> None:
    logs = LOGITS.softmax(1).log()
    for row, found in enumerate(losses(smoothing)):
        own, all_ = logs[row, LABELS[row]], logs[row].mean()
        expected = -(1 - smoothing) * own - smoothing * all_
        assert float(found) == pytest.approx(float(expected), rel=1e-5)


def test_accuracy_counts_the_likeliest_class_and_the_five_likeliest() -> None:
    logits = torch.tensor([[9.0, 8, 7, 6, 5, 4], [0, 1, 2, 3, 4, 5]])
    for labels, top1, top5 in (([0, 5], 1, 1), ([4, 1], 0, 1), ([5, 0], 0, 0)):
        found = scores(logits, torch.tensor(labels))
        assert {name: float(v.mean()) for name, v in found.items()} == {
            "accuracy": top1,
            "accuracy_top5": top5,
        }
    assert scores(logits[:, :5], torch.tensor([0, 1])).keys() == {"accuracy"}


def test_a_resumed_run_ends_as_one_that_was_not_interrupted(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plan_of(folder)
    whole = train(made, folder, out="whole")
    with monkeypatch.context() as patched:
        interrupt_at(patched, 6)
        assert train(made, folder, out="cut").signal
    resumed = train(made, folder, out="cut", resume="must")
    assert state(resumed) == state(whole)
    texts = [(r.run / "samples/step_00000009.txt").read_text() for r in (whole, resumed)]
    assert texts[0] == texts[1]
    assert len(texts[0].splitlines()) == 8


def test_workers_and_micro_batches_do_not_change_the_losses(folder: Path) -> None:
    made = plan_of(folder, (", dropout = 0.1", ""))
    found = []
    for size, workers in ((None, 0), (3, 2)):
        result = train(made, folder, out=f"runs_{size}", micro_batch=size, workers=workers)
        found.append([line["loss"] for line in metrics(result.run) if "loss" in line])
    torch.testing.assert_close(*found)


def test_the_run_learns_and_says_its_accuracy(trained: Path) -> None:
    lines = [m for m in metrics(trained) if m.get("event") == "validation"]
    assert [line["step"] for line in lines] == [100, 200, 204]
    assert lines[0]["accuracy"] < lines[-1]["accuracy"] < 1
    assert lines[-1]["accuracy"] > 0.4
    assert lines[-1]["accuracy_top5"] > 0.9
    assert lines[-1]["levels"] == []


def test_accuracy_is_that_of_every_held_out_image(trained: Path) -> None:
    (found,) = growlang.evaluate(trained, metrics=["accuracy"])
    plan = growlang.load_run(trained).plan
    assert plan.validation is not None
    last = [m for m in metrics(trained) if m.get("event") == "validation"][-1]
    assert found.values["accuracy"] == pytest.approx(last["accuracy"])
    (result,) = found.results
    assert result.details["accuracy_top5"] == pytest.approx(last["accuracy_top5"])
    assert 60 < result.protocol["draws"] < 100
    assert result.better == "higher"


def test_of_a_mix_each_image_held_out_is_measured_once(folder: Path) -> None:
    write_digits(folder / "more", 30)
    more = 'data more = folder("more/digits", caption = none, label = "folder")\n\ntrain {'
    mixed = ("data      = digits", "data      = mix(digits = 0.2, more = 0.8)")
    made = plan_of(folder, ("train {", more), mixed)
    model = made.child_net()
    indexes = indexes_of(made, model, folder)
    measured = Validation(made, model, Conditioner(model), indexes, Budget(0, folder), 10**6)
    keys = [measured.mix.draw(p) for p in measured._places]
    assert len({(e.source, e.key) for e in keys}) == len(keys) == len(measured.mix)
    assert {e.source for e in keys} == {"digits", "more"}


def test_numbers_are_read_by_a_model_that_classifies(folder: Path) -> None:
    size = ("label = classes(10)", 'label = classes(10)\n  size  = number(16, from = "height")')
    attend = ("heads = 2,", "heads = 2, attend = [self, size],")
    assert train(plan_of(folder, size, attend), folder).finished


def test_the_module_gives_the_logits_of_images(trained: Path) -> None:
    module = growlang.load_weights(trained).module().eval()
    right = 0
    files = sorted((trained.parents[2] / "digits").rglob("*.png"))[::20]
    for file in files:
        pixels = torch.from_numpy(np.array(Image.open(file)).astype(np.float32) / 127.5 - 1)
        logits = module(pixels.permute(2, 0, 1)[None])
        assert logits.shape == (1, 10)
        right += int(logits.argmax()) == int(file.parent.name)
    assert right > len(files) / 2


def test_a_label_out_of_range_is_told(folder: Path) -> None:
    made = plan_of(folder, ("classes(10)", "classes(9)"), ("batch     = 8", "batch     = 80"))
    with pytest.raises(GrowlangError, match=r"its label 9 is out of range \(0 to 8\)"):
        train(made, folder)
    conditioner = Conditioner(growlang.load(folder / "digits_8.grow").net)
    with pytest.raises(GrowlangError, match="label 9 is out of range for `label`, which has 9"):
        conditioner.targets([0, 9])
    with pytest.raises(GrowlangError, match="the model predicts the label, but the data source"):
        conditioner.targets([0, None])


def test_a_classifier_is_not_sampled(trained: Path) -> None:
    for call in (growlang.sample, growlang.generate):
        with pytest.raises(GrowlangError, match="predicts `label`") as caught:
            call(trained, ["3"])
        assert "-m accuracy" in str(caught.value.help)
    with pytest.raises(GrowlangError, match="it draws nothing"):
        CliRunner().invoke(app, ["sample", str(trained)], catch_exceptions=False)
    with pytest.raises(GrowlangError, match="`fid` measures images, and the model predicts"):
        growlang.evaluate(trained, metrics=["fid"])
    with pytest.raises(GrowlangError, match="diffusers has one that denoises"):
        growlang.export(trained, "diffusers", trained / "out")
    with pytest.raises(GrowlangError, match="no noise levels"):
        objective_of(Classify(label="label"), growlang.load_weights(trained).net)
