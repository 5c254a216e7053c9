import threading
from pathlib import Path

import pytest
import torch
from tiny import net, phase, write_data

from growlang.diagnostics import GrowlangError
from growlang.spec.objectives import Diffusion
from growlang.spec.schedules import Cosine
from growlang_runtime.conditioning.conditioner import Conditioner
from growlang_runtime.data.images import Indexes
from growlang_runtime.train.batches import CPU, noise_times, open_data, step_batches


def test_epochs_become_steps_and_draws_go_on_over_phases(tmp_path: Path) -> None:
    write_data(tmp_path, count=6)
    phases = [phase("a", steps=3), phase("b", steps=None, epochs=1.5, batch=2), phase("c", steps=1)]
    data = open_data(phases, net(), Indexes(tmp_path))
    assert [d.phase.steps for d in data] == [3, 5, 1]
    assert [d.span.first for d in data] == [0, 3, 8]
    assert list(data[0].draws(2)) == [8, 9, 10, 11]
    assert list(data[1].draws(3)) == [12, 13]
    assert list(data[2].draws(8)) == [22, 23, 24, 25]
    seen = [data[0].images.draw(p).key for p in range(12)]
    seen += [data[1].images.draw(p).key for p in range(12, 18)]
    assert [len(set(seen[i : i + 6])) for i in (0, 6, 12)] == [6, 6, 6]


def test_a_phase_without_steps_is_refused(tmp_path: Path) -> None:
    write_data(tmp_path)
    with pytest.raises(GrowlangError, match="phase a has no steps"):
        open_data([phase("a", steps=0)], net(), Indexes(tmp_path))


def test_a_step_is_the_same_wherever_one_starts_and_with_any_workers(tmp_path: Path) -> None:
    write_data(tmp_path)
    (data,) = open_data([phase(steps=4)], net(), Indexes(tmp_path))
    conditioner = Conditioner(net())
    whole = list(step_batches(data, conditioner, 0, workers=1))
    rest = list(step_batches(data, conditioner, 2, workers=3))
    assert (len(whole), len(rest)) == (4, 2)
    for one, other in zip(whole[2:], rest, strict=True):
        assert torch.equal(one.x, other.x)
        assert torch.equal(one.noise.made, other.noise.made)
        assert torch.equal(one.t, other.t)
        assert torch.equal(one.conditions["text.ids"], other.conditions["text.ids"])
    assert not torch.equal(whole[0].noise.made, whole[1].noise.made)


def test_an_error_ends_the_threads_that_load_images(tmp_path: Path) -> None:
    write_data(tmp_path)
    drop = Diffusion(schedule=Cosine(base=8), drop={"colour": 0.5})
    (data,) = open_data([phase(steps=4, objective=drop)], net(), Indexes(tmp_path))
    batches = step_batches(data, Conditioner(net()), 0, workers=2)
    with pytest.raises(GrowlangError) as caught:
        next(batches)
    assert caught.value.__traceback__ is not None, "which holds what the threads are given"
    assert [t.name for t in threading.enumerate() if t.name.startswith("images")] == []


def test_times_of_a_step_cover_all_noise_levels_evenly() -> None:
    times = noise_times(7, range(40, 48)).sort().values
    assert ((times >= 0) & (times < 1)).all()
    torch.testing.assert_close(times.diff(), torch.full((7,), 1 / 8, dtype=torch.float64))
    assert not torch.equal(times, noise_times(7, range(48, 56)).sort().values)


def test_parts_of_a_batch_make_it_up_again(tmp_path: Path) -> None:
    write_data(tmp_path)
    (data,) = open_data([phase(steps=1)], net(), Indexes(tmp_path))
    (batch,) = step_batches(data, Conditioner(net()), 0, workers=1)
    parts = list(batch.parts(3, CPU))
    assert [len(p.x) for p in parts] == [3, 1]
    assert torch.equal(
        torch.cat([p.conditions["text.mask"] for p in parts]), batch.conditions["text.mask"]
    )
