"""Models with retained ends are trained, interrupted, grown again and sampled."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

import pytest
import torch
from fixture_specs import checked, edited
from PIL import Image
from tiny import interrupt_at, metrics, state, train
from torch import Tensor
from torch.nn import functional as F

import growlang as api
from growlang.diagnostics import GrowlangError
from growlang.net.generations import held_by, refinements
from growlang.planning import plan
from growlang.torch_backend.generations import high, noise_in_detail, pooled
from growlang.torch_backend.lower import lower
from growlang_runtime.data.images import to_tensor
from growlang_runtime.diffusion.detail import with_detail
from growlang_runtime.diffusion.generations import joints
from growlang_runtime.sample import sample
from growlang_runtime.storage.weights import load
from growlang_runtime.train import detail
from growlang_runtime.train.freezing import freeze
from growlang_runtime.train.result import TrainResult

SPECS = Path(__file__).parent.parent / "fixtures" / "retain"
COUNT = 8
"""Images, whose number divides that of the draws that are measured."""


def pictures() -> list[Image.Image]:
    """Images of 72 x 72 with detail of all sizes."""
    generator = torch.Generator().manual_seed(0)
    found = []
    for _ in range(COUNT):
        x = sum(
            F.interpolate(torch.rand(1, 3, n, n, generator=generator), size=72, mode="bilinear")
            for n in (2, 12, 72)
        )
        assert isinstance(x, Tensor)
        pixels = (x[0] / 3 * 255).byte().permute(1, 2, 0).numpy()
        found.append(Image.fromarray(pixels))
    return found


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure on fewer images than a run does, of which each is drawn equally often."""
    monkeypatch.setattr(detail, "DRAWS", 8 * COUNT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The specs, their data, and runs of the base and the middle model."""
    path = tmp_path_factory.mktemp("retain")
    for spec in SPECS.glob("*.grow"):
        shutil.copy(spec, path)
    with tarfile.open(path / "dots.tar", "w") as tar:
        for i, picture in enumerate(pictures()):
            data = io.BytesIO()
            picture.save(data, "png")
            for ending, content in (("png", data.getvalue()), ("txt", b"dot %d" % i)):
                info = tarfile.TarInfo(f"{i:03d}.{ending}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detail, "DRAWS", 8 * COUNT)
        for name in ("base", "middle"):
            assert run(path, name).finished
    return path


def run(folder: Path, name: str, out: str = "runs", resume: str = "never") -> TrainResult:
    parent = {"base": None, "large": "middle"}.get(name, "base")
    known = {} if parent is None else {"parent_run": folder / "runs" / parent / "main"}
    made = plan(checked(folder / f"{name}.grow"))
    return train(made, folder, out, resume=resume, **known)


def weights(folder: Path, name: str, out: str = "runs") -> dict[str, Tensor]:
    return load(folder / out / name / "main").tensors


def test_what_is_retained_is_the_parents_and_stays(folder: Path) -> None:
    before, after = weights(folder, "base"), weights(folder, "middle")
    held = held_by(checked(folder / "middle.grow").net).old
    assert {n.split(".")[0] for n in held} == {"core", "text", "time", "stage", "retained"}
    for name in held:
        assert torch.equal(after[name], before[name.removeprefix("retained.12.")])
    fresh = after.keys() - held - {"retained.12.detail_variance"}
    assert fresh == {n for n in after if n.startswith(("stem.", "stage.12.", "head."))}
    assert any(after[n].any() for n in fresh if n.startswith("head.unpatch.0.proj"))


def test_the_variance_of_detail_is_that_of_the_data(folder: Path) -> None:
    net = checked(folder / "middle.grow").net
    small = [p.resize((24, 24), Image.Resampling.LANCZOS) for p in pictures()]
    x = torch.stack([to_tensor(p, net.image) for p in small]).double()
    expected = high(x, 2, "bicubic").square().mean((0, 2, 3)) / noise_in_detail(2, "bicubic")
    found = weights(folder, "middle")["retained.12.detail_variance"]
    torch.testing.assert_close(found.double(), expected, rtol=0.02, atol=0)
    assert (found != 1).all()


def test_the_errors_of_both_parts_are_logged(folder: Path) -> None:
    lines = [m for m in metrics(folder / "runs" / "middle" / "main") if "loss" in m]
    assert lines and all(m["detail_error"] > 0 and m["low_error"] > 0 for m in lines)
    first = [m for m in metrics(folder / "runs" / "base" / "main") if "loss" in m]
    assert not any("low_error" in m for m in first)


def test_an_interrupted_run_goes_on_bit_for_bit(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        interrupt_at(patch, 2)
        stopped = run(folder, "middle", "cut")
    assert (stopped.step, stopped.exit_status) == (2, 143)
    resumed = run(folder, "middle", "cut", "must")
    whole = TrainResult(folder / "runs" / "middle" / "main", 3, 3)
    assert resumed.finished and state(resumed) == state(whole)


def test_it_grows_again_and_is_sampled(folder: Path) -> None:
    assert run(folder, "large").finished
    before, after = weights(folder, "middle"), weights(folder, "large")
    for name, value in before.items():
        own = name.startswith(("stem.", "stage.12.", "head."))
        assert torch.equal(after[f"retained.24.{name}" if own else name], value)
    drawn = sample(folder / "runs" / "large" / "main", prompts=["dot 1", "dot 2"], steps=2).tensor
    assert drawn.shape == (2, 3, 72, 72)
    assert F.avg_pool2d(drawn, 6).abs().max() <= 1 + 1e-5


def test_settings_of_detail_leave_the_old_image_alone(folder: Path) -> None:
    """Whatever is drawn of detail, D of the sample is what it was; a scale of 0 draws none."""

    def drawn(**settings: float) -> Tensor:
        run = folder / "runs" / "middle" / "main"
        return sample(run, prompts=["dot 1"], steps=3, **settings).tensor

    usual, calm = drawn(), drawn(detail_temperature=0.0)
    half, none = drawn(detail_scale=0.5), drawn(detail_scale=0.0)
    for other in (calm, half, none):
        torch.testing.assert_close(pooled(other, 2), pooled(usual, 2), rtol=0, atol=2e-5)
        assert not torch.allclose(other, usual, atol=1e-3)
    torch.testing.assert_close(high(half, 2, "bicubic"), high(usual, 2, "bicubic") / 2)
    assert high(none, 2, "bicubic").abs().max() < 1e-5


def test_detail_is_scaled_in_all_generations(folder: Path) -> None:
    net = checked(folder / "large.grow").net
    (k, how), (last, above) = [(n.args["factor"], n.args["upsample"]) for n in refinements(net)]
    x = torch.randn(2, *net.image.dims, generator=torch.Generator().manual_seed(0)).double()
    found = with_detail(x, joints(net), 0.25)
    torch.testing.assert_close(high(found, last, above), high(x, last, above) / 4)
    before, after = pooled(x, last), pooled(found, last)
    torch.testing.assert_close(high(after, k, how), high(before, k, how) / 4)
    torch.testing.assert_close(pooled(after, k), pooled(before, k))


def test_a_model_without_retained_ends_has_no_detail(folder: Path) -> None:
    base = folder / "runs" / "base" / "main"
    with pytest.raises(GrowlangError, match="`detail_scale` has no effect: the model"):
        sample(base, prompts=["dot 1"], detail_scale=0.5)
    with pytest.raises(GrowlangError, match="`detail_scale` must be from 0 to 1, but is 2"):
        sample(base, prompts=["dot 1"], detail_scale=2.0)


def test_a_phase_may_release_what_is_retained(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "base.grow", tmp_path)
    released = ("phase all for 3", "phase all for 3 { train core, retained[12].head }")
    child = checked(edited(folder / "middle.grow", tmp_path / "middle.grow", released))
    (phase,) = child.phases("main")
    frozen = {".".join(name.split(".")[:3]) for name in phase.frozen}
    assert frozen == {
        *("text.embedding.weight", "retained.12.stem", "retained.12.detail_variance"),
        *("stage.6.encode", "stage.6.decode"),
        *(f"time.linear{i}.{part}" for i in (1, 2) for part in ("weight", "bias")),
    }
    module = lower(child.net, "cpu")
    freeze(module, frozenset(phase.frozen))
    modes = {n: module.get_submodule(n).training for n in ("core", "retained.12.stem", "head")}
    assert modes == {"core": True, "retained.12.stem": False, "head": True}


def test_the_promise_is_measured_on_the_data(folder: Path) -> None:
    found = api.verify(folder / "middle.grow", folder / "runs" / "base" / "main", real_inputs=True)
    means = {p.place: p.measured for p in found.promises if p.name == "means"}
    assert found.holds and list(means) == ["middle", "middle, on its data"]
    assert max(means.values()) < 1e-12


# --- transition = bridge --------------------------------------------------------------------------


def test_a_run_over_a_bridge_goes_on_bit_for_bit(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parent's function is a part of the net for four steps of six."""
    whole = run(folder, "bridged")
    net = checked(folder / "bridged.grow").net
    assert weights(folder, "bridged").keys() == net.table.keys()
    lines = [m for m in metrics(whole.run) if "loss" in m]
    assert ["low_error" in m for m in lines] == [True] * 4 + [False] * 2
    for step in (2, 4):
        with monkeypatch.context() as patch:
            interrupt_at(patch, step)
            assert run(folder, "bridged", f"cut{step}").step == step
        assert state(run(folder, "bridged", f"cut{step}", "must")) == state(whole)
