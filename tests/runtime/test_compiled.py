"""Compiled blocks: each by itself, with its names; what trains in a phase gets gradients."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny import metrics, net, phase, plan, state, train

from growlang.torch_backend.lower import lower
from growlang_runtime.distributed.sharding import blocks
from growlang_runtime.storage import checkpoint
from growlang_runtime.train.compiled import compile_blocks


def test_the_blocks_are_those_with_parameters_and_keep_their_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = lower(net())
    before = list(module.state_dict())
    assert list(blocks(module)) == [
        *("text", "time", "stem.patch.0", "stem.residual.0"),
        *("core.transformer.0", "head.unpatch.0"),
    ]
    calls: list[object] = []
    monkeypatch.setattr(torch.compiler, "reset", lambda: calls.append("reset"))
    monkeypatch.setattr(torch, "compile", lambda call, **how: calls.append(how) or call)
    compile_blocks(module)
    assert calls == ["reset", *[{"dynamic": False}] * 6]
    assert list(module.state_dict()) == before
    assert all(b._compiled_call_impl is not None for b in blocks(module).values())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of PyTorch's compiler about itself
def test_a_compiled_run_trains_what_an_eager_one_trains(data: Path) -> None:
    """Over a freeze and what follows it, with grids and checkpoints.

    Losses are near, and weights need not be: Adam turns the sign of a gradient near 0 into a step.
    """
    frozen = tuple(name for name in net().table if name.startswith("core"))
    phases = [phase("cold", 3, frozen=frozen), phase("warm", 3)]
    eager = train(plan(phases), data, "eager", quiet=True)
    fast = train(plan(phases), data, "fast", quiet=True, compile=True, sample_every=2)
    assert state(fast).keys() == state(eager).keys()
    found = [checkpoint.newest(r.run / "checkpoints")[0] for r in (fast, eager)]
    assert found[0] is not None
    assert found[1] is not None
    assert [f.record.environment.compile for f in found if f] == [True, False]
    for name in frozen:
        counts = [f.record.counts.optimizer[name] for f in found if f]
        assert counts == [3, 3], f"{name} trains in the second phase"
    losses = [[v["loss"] for v in metrics(r.run) if "loss" in v] for r in (fast, eager)]
    assert losses[0] == pytest.approx(losses[1], rel=2e-2)
