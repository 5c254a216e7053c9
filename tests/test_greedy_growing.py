"""The example with two resolutions: its data, its scores and its cells."""

from __future__ import annotations

import io
import sys
import tarfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
import torch
import typer
from fixture_specs import SHIPPED
from PIL import Image

import growlang
from growlang_runtime.report.previews import Previews

EXAMPLE = SHIPPED.parent / "examples" / "greedy_growing"
sys.path.append(str(EXAMPLE))

import measure  # noqa: E402
import prepare as emoji_prepare  # noqa: E402
import samples  # noqa: E402
import scoring  # noqa: E402
import showcase  # noqa: E402
import sizes  # noqa: E402
from arms import RECIPES, Arm  # noqa: E402
from cells import Cell  # noqa: E402
from metrics import details, downsampled, scores, upsampled  # noqa: E402
from perceived import Judge, Perceived  # noqa: E402
from pool import run_all  # noqa: E402
from results import from_json  # noqa: E402
from sets import (  # noqa: E402
    OBJECTS,
    colourfulness,
    prepare,
    prepare_large,
    read_shard,
    require_sets,
    shard,
    unseen_places,
)

CAPTIONS = OBJECTS.read_text("utf-8").splitlines()
SMALL = list(range(0, 64, 2))
FEW = (("core_steps", 1),)
CORE = Cell(Arm.core, 1, FEW)
FROZEN = Cell(Arm.frozen, 1, (*FEW, ("steps", 2)))


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the shards below `data`."""
    folder = tmp_path_factory.mktemp("out")
    prepare(folder / "data")
    return folder


@pytest.fixture(scope="module")
def real(out: Path) -> torch.Tensor:
    return samples.images_of(out / "data" / shard("reference"))


# --- the data ------------------------------------------------------------------------------------


def test_every_other_object_is_stored_at_32_px_only(out: Path) -> None:
    data = out / "data"
    training = list(read_shard(data / shard("objects")))
    reference = dict(read_shard(data / shard("reference")))
    assert [name for name, _ in training] == list(reference) == CAPTIONS
    assert len(set(CAPTIONS)) == 64
    assert [image.size for _, image in training] == [(32, 32), (64, 64)] * 32
    assert {image.size for image in reference.values()} == {(64, 64)}
    large = [(name, image) for name, image in training if image.width == 64]
    assert all(image.tobytes() == reference[name].tobytes() for name, image in large)
    assert unseen_places(data) == SMALL
    assert [name for name, _ in read_shard(data / shard("unseen"))] == CAPTIONS[::2]
    assert not {name for name, _ in read_shard(data / shard("others"))} & {*CAPTIONS}


def test_the_data_is_the_same_every_time(out: Path, tmp_path: Path) -> None:
    prepare(tmp_path)
    for name in ("objects", "reference", "unseen", "others"):
        assert (tmp_path / shard(name)).read_bytes() == (out / "data" / shard(name)).read_bytes()


def archives(folder: Path, points: Sequence[str]) -> tuple[Path, Path]:
    """Archives as npm gives them: an image and a name for each sequence of code points."""
    images, names = folder / "images.tgz", folder / "names.tgz"
    square = io.BytesIO()
    Image.new("RGBA", (8, 8), "#ff0000").save(square, "webp")
    rows = "".join(f"{p.upper()},object {p},objects\n" for p in points)
    table = f"hexcode,annotation,group\n{rows}".encode()
    with tarfile.open(images, "w:gz") as tar:
        for p in points:
            emoji_prepare.add(tar, f"package/assets/{p}.webp", square.getvalue())
    with tarfile.open(names, "w:gz") as tar:
        emoji_prepare.add(tar, "package/data/openmoji.csv", table)
    return images, names


def test_objects_of_one_first_code_point_are_on_one_side(tmp_path: Path) -> None:
    bases = [f"{0x1F400 + i:x}" for i in range(24)]
    points = [point for base in bases for point in (base, f"{base}-200d-2b1b")]
    prepare_large(tmp_path / "data", tmp_path, *archives(tmp_path, points))
    found = {
        name: {caption.split()[1].split("-")[0] for caption, _ in read_shard(path)}
        for name in ("objects", "unseen", "others")
        if (path := tmp_path / "data" / shard(name))
    }
    training = list(read_shard(tmp_path / "data" / shard("objects")))
    seen = {caption.split()[1].split("-")[0] for caption, image in training if image.width == 64}
    assert not found["unseen"] & seen and not found["objects"] & found["others"]
    assert found["objects"] | found["others"] == {*bases} and seen and found["unseen"]
    assert len(training) == 2 * len(found["objects"])


def test_sets_that_a_stop_left_in_part_are_made_again(tmp_path: Path) -> None:
    require_sets(tmp_path)
    whole = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for name in ("unseen", "others"):  # written last
        (tmp_path / shard(name)).unlink()
    require_sets(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == whole


def test_the_picture_has_the_first_objects_that_no_arm_saw(
    out: Path, real: torch.Tensor, tmp_path: Path
) -> None:
    for arm, drawing in showcase.ROWS.values():
        path = samples.path_of(Cell(arm, 7), drawing, out)
        path.parent.mkdir(parents=True, exist_ok=True)
        samples.ensure(path, CAPTIONS, "real", lambda: real)
    showcase.main(out, tmp_path / "rows.png", seed=7)
    with Image.open(tmp_path / "rows.png") as picture:
        assert picture.width > 2 * picture.height > 0


def test_grey_has_no_colour() -> None:
    grey, red = Image.new("RGB", (4, 4), "#808080"), Image.new("RGB", (4, 4), "#ff0000")
    assert colourfulness(grey) == 0 < colourfulness(red)


# --- the scores ----------------------------------------------------------------------------------


def test_true_images_have_no_error_and_are_all_found(real: torch.Tensor) -> None:
    found = scores(real[SMALL][:, None], real, SMALL)
    assert found[:3] == (32, 32, 0.0)
    assert (found.detail, found.amplitude) == pytest.approx((1, 1))


def test_images_of_other_objects_are_not_found(real: torch.Tensor) -> None:
    assert scores(real[SMALL].roll(1, 0)[:, None], real, SMALL).hits == 0


def test_hits_are_the_mean_over_the_draws(real: torch.Tensor) -> None:
    both = torch.stack([real[SMALL], real[SMALL].roll(1, 0)], 1)
    assert scores(both, real, SMALL).hits == 16


def test_the_error_is_the_root_of_the_mean_square(real: torch.Tensor) -> None:
    shifted = real[SMALL] + torch.tensor([0.3, -0.4, 0.0]).view(3, 1, 1)
    assert scores(shifted[:, None], real, SMALL).rmse == pytest.approx((0.25 / 3) ** 0.5)


def test_detail_is_the_correlation_of_what_pooling_removes(real: torch.Tensor) -> None:
    a, b = real[:1], real[1:2]
    pearson = torch.corrcoef(torch.cat([details(a), details(b)]))[0, 1].item()
    assert scores(a[:, None], real, [1]).detail == pytest.approx(pearson, abs=1e-5)
    assert downsampled(details(a).view_as(a)).abs().max() < 1e-6
    assert scores(a[:, None] + 0.5, real, [0]).detail == pytest.approx(1)


@pytest.mark.parametrize("side", [64, 128])
def test_small_samples_are_upsampled_so_that_pooling_gives_them_back(
    real: torch.Tensor, side: int
) -> None:
    small = downsampled(real)
    assert (downsampled(upsampled(small, side)) - small).abs().max() < 1e-5
    assert scores(small[SMALL][:, None], real, SMALL).hits == 32


# --- cells ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [64, 128])
@pytest.mark.parametrize("arm", Arm)
def test_every_arm_is_a_recipe(arm: Arm, side: int) -> None:
    params = (("core_steps", 8),) if arm is Arm.core else (("core_steps", 8), ("steps", 8))
    cell = Cell(arm, 3, params, side)
    phases = growlang.plan(cell.spec(), RECIPES[arm].name).phases
    assert sum(phase.steps or 0 for phase in phases) == 8
    assert {phase.settings.seed for phase in phases} == {3}


def test_a_cell_is_trained_drawn_and_scored_once(
    out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Previews, "draw", empty)  # not 40 steps each
    monkeypatch.setattr(scoring, "Judge", Fond)
    for cell in (CORE, FROZEN):
        measure.one(cell, out, 1, 1)
    capsys.readouterr()

    def run() -> str:
        measure.main(out, [1], [Arm.frozen], core_steps=1, steps=2, run=False)
        return capsys.readouterr().out

    table = run()
    found = from_json((out / "proof.json").read_text())
    assert [(row.arm, row.seed) for row in found.rows] == [("core", 1), ("frozen", 1)]
    assert {(row.unseen.objects, row.seen.objects) for row in found.rows} == {(32, 32)}
    core, frozen = found.rows
    assert core.core == frozen.core  # a frozen core has forgotten nothing
    assert [speed.phase for speed in frozen.speeds] == ["frozen"]
    assert len(frozen.losses) == 8 and core.losses == ()
    assert samples.path_of(FROZEN, "frozen", out).with_suffix(".png").exists()
    assert "discard, core frozen" in table and "from scratch" not in table
    monkeypatch.setattr(samples, "sample", None)
    for cell in (CORE, FROZEN):
        measure.one(cell, out, 1, 1)
    assert run() == table


def test_a_size_is_trained_drawn_and_scored(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = dict(list(read_shard(out / "data" / shard("reference")))[:4])
    monkeypatch.setattr(Previews, "draw", empty)
    monkeypatch.setattr(sizes, "emoji", lambda: few)
    monkeypatch.setattr(sizes, "Judge", Fond)
    sizes.main(tmp_path, [1], steps=2, run=False)
    assert sizes.from_json((tmp_path / "sizes.json").read_text()) == []
    sizes._one(sizes.USUAL, 1, 2, tmp_path, 1)
    sizes.main(tmp_path, [1], steps=2, run=False)
    (found,) = sizes.from_json((tmp_path / "sizes.json").read_text())
    assert (found.depth, found.width, found.seed, found.steps) == (*sizes.USUAL, 1, 2)
    assert found.alignment == 1.0 and found.error > 0
    assert "2.08 M" in capsys.readouterr().out


def empty(previews: Previews, *given: object) -> bool:
    """A picture of nothing, where one of samples is due."""
    path = given[-1]
    assert isinstance(path, Path)
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (4, 4)).save(path)
    return True


class Fond(Judge):
    """Likes everything, without a network."""

    def perceived(self, samples: torch.Tensor) -> Perceived:
        return Perceived(0.0, 1.0)

    def floor(self) -> Perceived:
        return Perceived(0.0, 1.0)


def test_tasks_are_told_as_they_end_and_log_what_they_print(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_all({"one": partial(print, "hello")}, tmp_path, jobs=2)
    assert (tmp_path / "one.log").read_text() == "hello\n"
    assert capsys.readouterr().out == "1 of 1: one\n"


def test_a_task_that_fails_is_told_with_its_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended:
        run_all({"three": partial(int, "none")}, tmp_path, jobs=1)
    assert ended.value.exit_code == 1
    assert "three stopped" in capsys.readouterr().out
    assert "invalid literal for int()" in (tmp_path / "three.log").read_text()


def test_a_task_that_stops_ends_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended:
        run_all({"two": stop}, tmp_path, jobs=1)
    assert ended.value.exit_code == 130
    assert capsys.readouterr().out.replace("\n", "") == f"two stopped: see {tmp_path}/two.log"


def stop() -> None:
    """End as a run does that a signal has stopped."""
    raise typer.Exit(130)


# --- networks that judge -------------------------------------------------------------------------


@pytest.mark.slow
def test_true_images_are_at_no_distance_and_fit_their_captions(
    out: Path, real: torch.Tensor, capsys: pytest.CaptureFixture[str]
) -> None:
    known = list(read_shard(out / "data" / shard("others")))[::20]
    images = samples.images_of(out / "data" / shard("others"))[::20]
    few = real[::3]
    judge = Judge(few, CAPTIONS[::3], images, [caption for caption, _ in known])
    own, mixed = judge.perceived(few[:, None]), judge.perceived(few.roll(1, 0)[:, None])
    assert own.distance == pytest.approx(0, abs=1e-3) == mixed.distance
    assert own.alignment == judge.floor().alignment > mixed.alignment
    assert judge.floor().distance > 0
    assert capsys.readouterr() == ("", "")  # no bar of the library that loads the text encoder
