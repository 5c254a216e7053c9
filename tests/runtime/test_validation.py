"""The loss on held-out images: what it changes (nothing), what it keeps, and how it goes on."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny import metrics, phase, plan, settings, state, train, write_data

from growlang.diagnostics import GrowlangError
from growlang.plans.plan import Plan
from growlang.spec.data import Source, WebDataset
from growlang.spec.recipe import Validation
from growlang.torch_backend.tensor_files import tensor_hash
from growlang_runtime.data import holdout
from growlang_runtime.data.holdout import is_held_out
from growlang_runtime.data.images import Images, Indexes
from growlang_runtime.data.keys import hashed
from growlang_runtime.report.metrics import Metrics
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.place import located
from growlang_runtime.storage.weights import load
from growlang_runtime.train import validation as module
from growlang_runtime.train.result import TrainResult
from growlang_runtime.train.trainer import Trainer
from growlang_runtime.train.validation import usual_interval

STEPS = 7


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many draws as there are levels: the net runs half as often as in seven steps."""
    monkeypatch.setattr(module, "DRAWS", 8)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Data to train on, and as much that is held out."""
    folder = write_data(tmp_path)
    shutil.copy(folder / "data.tar", folder / "apart.tar")
    return folder


def watched(held_out: str = "apart", **changes: Any) -> Plan:
    """A plan of seven steps that is validated on the images of a tar."""
    source = Source(name="apart", data=WebDataset(urls=f"{held_out}.tar", image="png"))
    chosen = Validation(data=[source], transform=settings().transform)
    return plan([phase(steps=STEPS, ema=0.5, **changes)], validation=chosen)


def sharing(share: float) -> Plan:
    """A plan that holds a share of its own data out."""
    (source,) = settings().data
    held = [source.model_copy(update={"holdout": share})]
    chosen = Validation(data=held, transform=settings().transform, holdout=share)
    return plan([phase(steps=2, data=held)], validation=chosen)


def validations(result: TrainResult) -> list[dict[str, Any]]:
    return [line for line in metrics(result.run) if line.get("event") == "validation"]


def best(result: TrainResult) -> tuple[int, dict[str, str]]:
    """The step of the best checkpoint, and the hash of each of its tensors."""
    found = checkpoint.read(result.run / "checkpoints/best")
    return found.step, {name: tensor_hash(t) for name, t in found.tensors().items()}


def test_a_run_that_is_validated_has_the_same_tensors(data: Path) -> None:
    without = plan([phase(steps=STEPS, ema=0.5)])
    plain = train(without, data, "plain")
    seen = train(watched(), data, validate_every=2)
    assert state(seen) == state(plain)
    assert (plain.run / "model.safetensors").read_bytes() == (
        seen.run / "model.safetensors"
    ).read_bytes()
    assert [line["step"] for line in validations(seen)] == [2, 4, 6, 7]


def test_each_validation_measures_the_same_draws(data: Path, monkeypatch: Any) -> None:
    drawn: list[list[str]] = []
    measured = module.Validation._measured

    def spied(self: Any, net: Any, part: Any) -> Any:
        drawn.append([tensor_hash(t) for t in (part.x, part.eps, part.t)])
        return measured(self, net, part)

    monkeypatch.setattr(module.Validation, "_measured", spied)
    result = train(watched(), data, validate_every=4)
    assert len(drawn) == 8
    assert drawn[: len(drawn) // 2] == drawn[len(drawn) // 2 :]
    first, last = validations(result)
    assert first["averaged"] > last["averaged"]
    levels = last["levels"]
    assert sum(level["averaged"] for level in levels) / 8 == pytest.approx(last["averaged"])
    assert [level["t"] for level in levels] == [(i + 0.5) / 8 for i in range(8)]
    assert [level["log_snr"] for level in levels] == sorted(
        (level["log_snr"] for level in levels), reverse=True
    )


def test_it_is_told_on_the_console_and_drawn(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = train(watched(), data, validate_every=4)
    line = next(li for li in capsys.readouterr().err.splitlines() if "validation" in li)
    assert line.startswith("main  step 4/7  validation 0.")
    assert "plain weights 0." in line
    assert line.endswith("  best")
    board = EventAccumulator(str(result.run / "tensorboard"))
    board.Reload()
    curve = board.Scalars("validation/averaged")
    assert [(point.step, pytest.approx(point.value)) for point in curve] == [
        (said["step"], said["averaged"]) for said in validations(result)
    ]


def test_the_best_weights_are_kept_and_found(data: Path) -> None:
    result = train(watched(), data, validate_every=1, checkpoint_every=1, keep_checkpoints=1)
    losses = {line["step"]: line["averaged"] for line in validations(result)}
    step, _ = best(result)
    assert losses[step] == min(losses.values())
    found = load(located(f"{result.run}@best"))
    assert found.step == step
    record = checkpoint.read(result.run / "checkpoints/best").record
    assert record.validation is not None
    assert record.validation.averaged == losses[step]


class Killed(BaseException):
    """What a process dies of that cannot be caught."""


@pytest.mark.parametrize("moment", ["before it is kept", "after it is kept", "after its line"])
def test_a_killed_run_goes_on_to_the_same_best(
    data: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    whole = train(watched(), data, "whole", validate_every=2, checkpoint_every=3)
    keep, write = checkpoint.save_best, Metrics.write

    def dying(folder: Path, record: Any, *rest: Any) -> Path:
        if record.step == 4 and moment == "before it is kept":
            raise Killed
        path = keep(folder, record, *rest)
        if record.step == 4 and moment == "after it is kept":
            raise Killed
        return path

    def died(self: Metrics, **values: Any) -> None:
        write(self, **values)
        if values["step"] == 4 and values.get("event") == "validation":
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(checkpoint, "save_best", dying)
        patch.setattr(Metrics, "write", died)
        train(watched(), data, "cut", validate_every=2, checkpoint_every=3)
    resumed = train(watched(), data, "cut", resume="must", validate_every=2, checkpoint_every=3)
    assert state(resumed) == state(whole)
    assert best(resumed) == best(whole)
    assert validations(resumed) == validations(whole)


def test_steps_that_are_done_again_are_best_as_they_were(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(watched(), data, "whole", validate_every=1, checkpoint_every=3)
    keep = checkpoint.save_best

    def dying(folder: Path, record: Any, *rest: Any) -> Path:
        path = keep(folder, record, *rest)
        if record.step == last:
            raise Killed
        return path

    told = [line["step"] for line in validations(whole) if line["best"] and 3 < line["step"] < 7]
    last = max(told)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(checkpoint, "save_best", dying)
        train(watched(), data, "cut", validate_every=1, checkpoint_every=3)
    resumed = train(watched(), data, "cut", resume="must", validate_every=1, checkpoint_every=3)
    assert validations(resumed) == validations(whole)
    assert best(resumed) == best(whole)


def test_the_best_survives_a_kill_while_it_is_replaced(data: Path, monkeypatch: Any) -> None:
    result = train(watched(), data, validate_every=7)
    folder = result.run / "checkpoints"
    (folder / "best").rename(folder / checkpoint.ASIDE)
    assert checkpoint.best_path(folder) == folder / checkpoint.ASIDE
    checkpoint.restore_best(folder)
    assert best(result)[0] == 7


def test_a_best_of_other_images_is_measured_anew(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped = Trainer._save

    def cut(self: Trainer, phase: Any) -> None:
        stopped(self, phase)
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Trainer, "_save", cut)
        train(watched(), data, validate_every=2, checkpoint_every=3)
    write_data(data, 4)
    (data / "data.tar").rename(data / "other.tar")
    write_data(data)
    resumed = train(watched("other"), data, resume="must", validate_every=2)
    assert "was validated on other images" in capsys.readouterr().err
    assert best(resumed)[0] > 3


# --- a share of the data -------------------------------------------------------------------------


def test_what_is_held_out_is_never_trained_on(data: Path) -> None:
    (source,) = sharing(0.5).phases[0].settings.data
    indexes, image = Indexes(data), plan().child_net().image
    sides = [
        Images([source], settings().transform, image, 0, indexes, held_out=held)
        for held in (False, True)
    ]
    trained, held = ({images.draw(p).key for p in range(12)} for images in sides)
    assert trained | held == {f"{i:03d}" for i in range(6)}
    assert trained & held == set()
    assert held == {key for key in trained | held if is_held_out(key, 0.5)}


def test_which_are_held_out_depends_on_the_key_alone_and_grows_with_the_share() -> None:
    keys = [f"{i:06d}" for i in range(4000)]
    small, large = ({k for k in keys if is_held_out(k, share)} for share in (0.02, 0.05))
    assert small < large
    assert (len(small), len(large)) == (69, 204)


def test_each_key_is_hashed_once_for_all_phases_and_the_validation(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[str] = []
    monkeypatch.setattr(holdout, "hashed", lambda key: keys.append(key) or hashed(key))
    first = sharing(0.5).phases[0]
    more = first.model_copy(update={"name": "more", "steps": 1})
    train(sharing(0.5).model_copy(update={"phases": [first, more]}), data, quiet=True)
    assert sorted(keys) == [f"{i:03d}" for i in range(6)]


def test_a_run_is_validated_on_its_share(data: Path) -> None:
    assert [line["step"] for line in validations(train(sharing(0.5), data))] == [1, 2]


@pytest.mark.parametrize(("share", "told"), [(0.0001, "holds out none"), (0.9999, "holds out all")])
def test_a_share_that_leaves_nothing_is_refused(data: Path, share: float, told: str) -> None:
    with pytest.raises(GrowlangError, match=told):
        train(sharing(share), data)
    assert not (data / "runs/tiny/main").exists()


def test_an_interval_without_anything_held_out_has_no_effect(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(plan(), data, validate_every=2)
    assert "--validate-every has no effect" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("steps", "batch", "every"),
    [
        (400, 16, 50),
        (1100, 16, 100),
        (20_000, 64, 100),
        (1_000_000, 256, 5000),
        (12, 4, 2),
        (1, 4, 1),
    ],
)
def test_the_usual_interval_costs_little_and_is_round(
    monkeypatch: pytest.MonkeyPatch, steps: int, batch: int, every: int
) -> None:
    monkeypatch.setattr(module, "DRAWS", 128)
    assert usual_interval(steps, batch) == every
