import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
import torch
from tiny import full_disk, interrupt_at, metrics, net, phase, plan, train, write_data

from growlang.diagnostics import GrowlangError
from growlang.net import Input, Shape
from growlang.plans.plan import Plan
from growlang.spec.recipe import DDIM, Cosine, Diffusion, Sample, Source, Start, WebDataset
from growlang.torch_backend.tensor_files import contents_hash, tensor_hash
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.record import Record
from growlang_runtime.storage.weights import load
from growlang_runtime.train.ema import EMA
from growlang_runtime.train.optimizer import Optimizer
from growlang_runtime.train.trainer import TrainResult

CORE = [name for name in net().table if name.startswith(("core", "text", "time"))]


def files_of(result: TrainResult) -> list[Path]:
    return sorted(path for path in result.run.rglob("*") if path.name != ".lock")


def state(result: TrainResult) -> dict[str, str]:
    """Hash of every tensor of the newest checkpoint: weights, averages and moments."""
    found, _ = checkpoint.newest(result.run / "checkpoints")
    assert found is not None
    return {name: tensor_hash(tensor) for name, tensor in found.tensors().items()}


def test_a_run_leaves_everything_a_user_needs(data: Path) -> None:
    result = train(plan(), data, sample_every=2)
    assert (result.step, result.finished, result.exit_status) == (4, True, 0)
    assert sorted(p.name for p in (result.run / "samples").iterdir()) == [
        "step_00000002.png",
        "step_00000004.png",
    ]
    steps = [line for line in metrics(result.run) if "loss" in line]
    assert [line["step"] for line in steps] == [1, 2, 3, 4]
    assert steps[0].keys() == {
        "step",
        "phase",
        "loss",
        "lr",
        "grad_norm",
        "images_per_s",
        "memory",
    }
    assert load(result.run).metadata["net_hash"] == net().net_hash


def test_the_loss_falls(data: Path) -> None:
    result = train(plan([phase(steps=150, batch=8)]), data)
    losses = [line["loss"] for line in metrics(result.run) if "loss" in line]
    assert sum(losses[-20:]) < 0.6 * sum(losses[:20])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_goes_on_bit_for_bit(
    data: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    phases = [
        phase("first", 5, frozen=CORE),
        phase("second", 4, batch=3, ema=0.5, own_schedule=True, warmup=2),
    ]
    model = net(dropout=0.3)
    whole = train(plan(phases, model), data)
    for step in (2, 5, 7):
        with monkeypatch.context() as patch:
            interrupt_at(patch, step, number)
            stopped = train(plan(phases, model), data, "cut", resume="may")
        assert (stopped.step, stopped.exit_status) == (step, 128 + number)
        assert not stopped.finished
    resumed = train(plan(phases, model), data, "cut", resume="must")
    assert resumed.finished
    assert state(resumed) == state(whole)
    measured = [
        [(line["step"], line["loss"], line["lr"]) for line in metrics(r.run) if "loss" in line]
        for r in (whole, resumed)
    ]
    assert measured[0] == measured[1]


SCRIPT = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[1].split(":")
import pytest
from tiny import interrupt_at, phase, plan, train
folder = Path(sys.argv[2])
interrupt_at(pytest.MonkeyPatch(), step=int(sys.argv[3]), number=int(sys.argv[4]))
result = train(plan([phase(steps=200)]), folder, "killed", resume="may", checkpoint_every=50)
sys.exit(result.exit_status)
"""


def test_a_killed_process_goes_on_bit_for_bit(data: Path) -> None:
    def stopped(step: int, number: int) -> tuple[int, str]:
        command = [sys.executable, "-c", SCRIPT, ":".join(sys.path), str(data)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        arguments = [str(step), str(int(number))]
        done = subprocess.run([*command, *arguments], env=environment, stderr=PIPE, text=True)
        return done.returncode, done.stderr

    status, told = stopped(20, signal.SIGTERM)
    assert (status, "continue with the same command and --resume" in told) == (143, True)
    status, _ = stopped(90, signal.SIGKILL)
    assert status == -signal.SIGKILL
    killed = train(plan([phase(steps=200)]), data, "killed", resume="must")
    assert state(killed) == state(train(plan([phase(steps=200)]), data))
    assert [line["step"] for line in metrics(killed.run) if "loss" in line] == list(range(1, 201))


def test_an_existing_run_is_refused_and_a_complete_one_says_so(
    data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first = train(plan(), data)
    with pytest.raises(GrowlangError, match="already exists"):
        train(plan(), data)
    before = files_of(first)
    for path in before:
        os.utime(path, ns=(1, 1))
    again = train(plan(), data, resume="must")
    assert again.finished
    assert "is finished: all 4 steps are done" in capfd.readouterr().err
    assert files_of(first) == before
    assert {path.stat().st_mtime_ns for path in before} == {1}


def test_a_torn_checkpoint_is_skipped_and_named(
    data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = train(plan([phase(steps=6)]), data)
    with monkeypatch.context() as patch:
        interrupt_at(patch, 4)
        stopped = train(plan([phase(steps=6)]), data, "cut", checkpoint_every=2)
    torn = stopped.run / "checkpoints" / "step_00000004"
    (torn / "state.safetensors").write_bytes(b"half")
    resumed = train(plan([phase(steps=6)]), data, "cut", resume="must", checkpoint_every=2)
    assert f"removed a damaged checkpoint: {torn}" in capfd.readouterr().err
    assert state(resumed) == state(whole)
    assert checkpoint.read(torn).step == 4


def test_a_damaged_checkpoint_never_takes_the_place_of_a_valid_one(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = plan([phase(steps=9)])
    with monkeypatch.context() as patch:
        interrupt_at(patch, 6)
        stopped = train(given, data, checkpoint_every=2)
    folder = stopped.run / "checkpoints"
    file = folder / "step_00000006" / "state.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\1")
    with monkeypatch.context() as patch:
        interrupt_at(patch, 5)
        train(given, data, resume="must", keep_checkpoints=1)
    assert [p.name for p in folder.iterdir()] == ["step_00000005"]
    found, torn = checkpoint.newest(folder)
    assert (found and found.step, torn) == (5, [])


def test_a_run_without_any_checkpoint_begins_again(data: Path, monkeypatch: Any) -> None:
    whole = train(plan(), data)
    with monkeypatch.context() as patch, pytest.raises(KeyError):
        patch.setattr(EMA, "update", lambda *_: {}["broken"])
        train(plan(), data, "cut")
    assert state(train(plan(), data, "cut", resume="must")) == state(whole)


def test_a_full_disk_stops_the_run_with_its_older_checkpoint(data: Path) -> None:
    given = plan([phase(steps=6, seed=3)])
    whole = train(given, data)
    largest = (whole.run / "checkpoints" / "step_00000006" / "state.safetensors").stat().st_size
    save = checkpoint.save
    with (
        full_disk(None) as limit,
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(GrowlangError, match=r"cannot write .*step_00000006: the disk") as error,
    ):

        def at_last(folder: Path, record: Record, *rest: Any) -> Path:
            if record.step == 6:
                limit(largest - 100)
            return save(folder, record, *rest)

        patch.setattr(checkpoint, "save", at_last)
        train(given, data, "full", checkpoint_every=4)
    assert "--resume" in error.value.help
    folder = data / "full" / "tiny" / "main"
    assert [p.name for p in (folder / "checkpoints").iterdir()] == ["step_00000004"]
    assert state(train(given, data, "full", resume="must")) == state(whole)


def test_micro_batches_give_the_same_gradients(data: Path) -> None:
    whole, parts = train(plan(), data), train(plan(), data, "parts", micro_batch=3)
    losses = [[line["loss"] for line in metrics(r.run) if "loss" in line] for r in (whole, parts)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    for name, tensor in load(whole.run).tensors.items():
        torch.testing.assert_close(load(parts.run).tensors[name], tensor, atol=2e-3, rtol=0)


def test_bf16_trains(data: Path) -> None:
    found = train(plan([phase(precision="bf16")]), data)
    exact = train(plan(), data, "fp32")
    losses = [[line["loss"] for line in metrics(r.run) if "loss" in line] for r in (found, exact)]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
    assert losses[0] != losses[1]


def grown(data: Path, **changes: Any) -> tuple[TrainResult, TrainResult, Plan]:
    """A parent that is trained, and its child with one more residual and a frozen core."""
    parent = plan()
    phases = [phase("frozen", 3, frozen=CORE), phase("joint", 2)]
    child = plan(phases, net("grown", residuals=2), parent, **changes)
    return train(parent, data), train(child, data), child


def test_a_child_keeps_its_frozen_core_bit_for_bit_and_proves_it(data: Path) -> None:
    parent, child, _ = grown(data)
    before = load(parent.run).tensors
    after = checkpoint.read(child.run / "checkpoints" / "step_00000003")
    for name in CORE:
        for part in ("model", "ema"):
            assert torch.equal(after.tensors()[f"{part}.{name}"], before[name]), name
        assert f"moment.first.{name}" not in after.tensors()
        assert after.record.counts.optimizer[name] == 0
        assert after.record.counts.ema[name] == 3
    proofs = [line for line in metrics(child.run) if line.get("event") == "frozen"]
    assert [(p["step"], p["at"], p["tensors"]) for p in proofs] == [
        (0, "start", len(CORE)),
        (3, "end", len(CORE)),
    ]
    assert proofs[0]["sha256"] == proofs[1]["sha256"]
    assert any(not torch.equal(load(child.run).tensors[n], before[n]) for n in CORE)


def test_a_parent_that_is_not_finished_is_told(
    data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        interrupt_at(patch, 2)
        parent = train(plan(), data)
    train(plan([phase(steps=1)], net("grown"), plan()), data)
    path = parent.run / "checkpoints" / "step_00000002"
    assert f"is not finished: starting from {path}" in capfd.readouterr().err


def test_the_plan_records_the_parents_contents(data: Path) -> None:
    parent, child, given = grown(data)
    assert given.parent is not None
    recorded = Plan.model_validate_json((child.run / "plan.json").read_text())
    assert recorded.parent is not None
    assert recorded.parent.weights_hash == contents_hash(load(parent.run).tensors)
    (parent.run / "model.safetensors").unlink()
    assert train(given, data, resume="must").finished


def test_moments_and_averages_are_carried_to_kept_tensors_and_new_ones_begin_at_zero(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Start(origin="parent", ema=False, moments="carry")
    parent = train(plan(), data)
    with monkeypatch.context() as patch:
        patch.setattr(Optimizer, "step", lambda *_: None)
        patch.setattr(EMA, "update", lambda *_: None)
        child = train(plan([phase(steps=1)], net("grown", residuals=2), plan(), start=start), data)
    carried, there = (checkpoint.newest(r.run / "checkpoints")[0] for r in (child, parent))
    assert carried is not None
    assert there is not None
    for name in net("grown", residuals=2).table:
        counts = [of[name] for of in (carried.record.counts.optimizer, carried.record.counts.ema)]
        if name in net().table:
            for part in ("moment.first", "moment.second", "ema"):
                kept = carried.tensors()[f"{part}.{name}"]
                assert torch.equal(kept, there.tensors()[f"{part}.{name}"])
            assert counts == [4, 4]
        else:
            assert f"moment.second.{name}" not in carried.tensors()
            assert counts == [0, 0]


def test_a_tensor_has_moments_from_its_first_update_on(data: Path) -> None:
    phases = [phase("frozen", 3, frozen=CORE), phase("joint", 2)]
    result = train(plan(phases), data)
    first, last = (
        checkpoint.read(result.run / "checkpoints" / f"step_{step:08d}").tensors("moment.second.")
        for step in (3, 5)
    )
    assert first.keys() == net().table.keys() - set(CORE)
    assert last.keys() == net().table.keys()


def test_a_changed_frozen_tensor_fails_the_run(data: Path, monkeypatch: Any) -> None:
    step = Optimizer.step

    def tamper(self: Optimizer, *arguments: Any) -> None:
        step(self, *arguments)
        with torch.no_grad():
            self.weights[CORE[0]].view(-1)[0] += 1e-6

    monkeypatch.setattr(Optimizer, "step", tamper)
    with pytest.raises(GrowlangError, match=f"frozen tensors changed in phase frozen: .*{CORE[0]}"):
        train(plan([phase("frozen", 3, frozen=CORE)]), data)
    assert not (data / "runs" / "tiny" / "main" / "model.safetensors").exists()


def test_a_run_can_start_from_a_path(data: Path) -> None:
    first = train(plan(), data)
    path = str((first.run / "model.safetensors").relative_to(data))
    for name, model in (("same", net("again")), ("child", net("grown", residuals=2))):
        start = Start(origin="path", path=path)
        given = plan([phase("p", 1, frozen=CORE)], model, plan(), start=start)
        found = load(train(given, data, name).run).tensors
        for tensor in CORE:
            assert torch.equal(found[tensor], load(first.run).tensors[tensor])


def test_a_path_is_recorded_by_its_contents_where_there_is_no_parent(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train(plan(), data)
    path = first.run / "model.safetensors"
    start = Start(origin="path", path=str(path.relative_to(data)))
    given = plan([phase(steps=3)], start=start)
    with monkeypatch.context() as patch:
        interrupt_at(patch, 2)
        stopped = train(given, data, "path")
    recorded = Plan.model_validate_json((stopped.run / "plan.json").read_text())
    assert recorded.weights_hash == contents_hash(load(first.run).tensors)
    path.unlink()
    assert train(given, data, "path", resume="must").finished


def test_a_missing_parent_leaves_no_folder_behind(data: Path) -> None:
    with pytest.raises(GrowlangError, match="is not trained yet"):
        train(plan(model=net("grown"), parent=plan()), data)
    assert not (data / "runs").exists()


@pytest.mark.parametrize("out", ["data.tar", "/proc/runs"])
def test_an_output_root_that_is_no_folder_is_refused(data: Path, out: str) -> None:
    with pytest.raises(GrowlangError, match=r"cannot write .*main: ") as error:
        train(plan(), data, out)
    assert "--out" in error.value.help


def test_what_fails_before_the_first_step_leaves_no_folder(data: Path) -> None:
    def refused(match: str, given: Plan) -> None:
        with pytest.raises(GrowlangError, match=match):
            train(given, data)
        assert not (data / "runs" / "tiny" / "main").exists()

    refused("cannot read the prompts file .*none.txt", plan(sample=Sample(prompts="none.txt")))
    refused("`drop` names `colour`", plan([phase(objective=Diffusion(drop={"colour": 0.1}))]))
    bare = Source(name="data", webdataset=WebDataset(urls="data.tar", image="png", caption=None))
    refused("reads the caption, but the data source has none", plan([phase(data=[bare])]))
    model = net()
    encoder = {"op": "t5", "id": str(data / "no_encoder"), "width": 8}
    embedding = Input("text.embedding", "embedding", Shape("tokens", (4, 8)), "text")
    image, log_snr, _, mask = model.inputs
    inputs = (image, log_snr, embedding, mask)
    model = replace(model, encoders={"text": encoder}, inputs=inputs)
    refused("cannot load text encoder .*no_encoder`", plan(model=model))
    assert train(plan(), data).finished


def test_the_environment_is_compared_on_resume(
    data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        interrupt_at(patch, 2)
        train(plan(), data)
    train(plan(), data, resume="must", micro_batch=2)
    assert "micro_batch is 2, but was None" in capfd.readouterr().err


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
