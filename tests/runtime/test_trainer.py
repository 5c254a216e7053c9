from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import CORE, interrupt_at, metrics, net, phase, plan, train

from growlang.diagnostics import GrowlangError
from growlang.net import Input, Shape
from growlang.plans.plan import Plan
from growlang.spec.data import Source, WebDataset
from growlang.spec.objectives import Diffusion
from growlang.spec.recipe import Sample, Start
from growlang.torch_backend.tensor_files import contents_hash
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.weights import load
from growlang_runtime.train.ema import EMA
from growlang_runtime.train.optimizer import Optimizer
from growlang_runtime.train.result import TrainResult


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
        "seconds",
    }
    assert load(result.run).metadata["net_hash"] == net().net_hash


def test_the_loss_falls(data: Path) -> None:
    result = train(plan([phase(steps=150, batch=8)]), data)
    losses = [line["loss"] for line in metrics(result.run) if "loss" in line]
    assert sum(losses[-20:]) < 0.6 * sum(losses[:20])


def test_micro_batches_give_the_same_gradients(data: Path) -> None:
    whole, parts = train(plan(), data), train(plan(), data, "parts", micro_batch=3)
    losses = [[line["loss"] for line in metrics(r.run) if "loss" in line] for r in (whole, parts)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    for name, tensor in load(whole.run).tensors.items():
        torch.testing.assert_close(load(parts.run).tensors[name], tensor, atol=2e-3, rtol=0)


def test_a_micro_batch_that_splits_nothing_is_told(
    data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    batch = phase().settings.batch
    train(plan([phase(steps=1)]), data, "same", micro_batch=batch)
    assert "--micro-batch" not in capfd.readouterr().err
    train(plan([phase(steps=1)]), data, "more", micro_batch=batch + 1)
    told = f"--micro-batch {batch + 1} splits nothing: a batch has at most {batch} images"
    assert told in capfd.readouterr().err


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
    bare = Source(name="data", data=WebDataset(urls="data.tar", image="png", caption=None))
    refused("reads the caption, but the data source has none", plan([phase(data=[bare])]))
    model = net()
    encoder = {"op": "t5", "id": str(data / "no_encoder"), "width": 8}
    embedding = Input("text.embedding", "embedding", Shape("tokens", (4, 8)), "text")
    image, log_snr, _, mask = model.inputs
    inputs = (image, log_snr, embedding, mask)
    model = replace(model, encoders={"text": encoder}, inputs=inputs)
    refused("cannot load text encoder .*no_encoder`", plan(model=model))
    assert train(plan(), data).finished
