"""The example with two resolutions: its data, what its scores mean, and its command."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from fixture_specs import SHIPPED
from PIL import Image

import growlang
from growlang_runtime.report.previews import Previews

EXAMPLE = SHIPPED.parent / "examples" / "two_resolutions"
sys.path.append(str(EXAMPLE))

import measure  # noqa: E402
from measure import Arm, Steps  # noqa: E402
from metrics import Scores, details, downsampled, scores, upsampled  # noqa: E402
from prepare import OBJECTS, REFERENCE, TRAINING, prepare, read_shard  # noqa: E402
from results import Row, as_json, as_markdown, as_table, from_json  # noqa: E402

SMALL = list(range(0, 64, 2))


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the shards below `data`."""
    folder = tmp_path_factory.mktemp("out")
    prepare(folder / "data")
    return folder


@pytest.fixture(scope="module")
def real(out: Path) -> torch.Tensor:
    return measure.images_of(out / "data" / REFERENCE)


# --- the data ------------------------------------------------------------------------------------


def test_every_other_object_is_stored_at_32_px_only(out: Path) -> None:
    training = list(read_shard(out / "data" / TRAINING))
    reference = dict(read_shard(out / "data" / REFERENCE))
    assert [name for name, _ in training] == list(reference) == OBJECTS
    assert len(set(OBJECTS)) == 64
    assert [image.size for _, image in training] == [(32, 32), (64, 64)] * 32
    assert {image.size for image in reference.values()} == {(64, 64)}
    large = [(name, image) for name, image in training if image.width == 64]
    assert all(image.tobytes() == reference[name].tobytes() for name, image in large)


def test_the_data_is_the_same_every_time(out: Path, tmp_path: Path) -> None:
    prepare(tmp_path)
    for name in (TRAINING, REFERENCE):
        assert (tmp_path / name).read_bytes() == (out / "data" / name).read_bytes()


# --- the scores ----------------------------------------------------------------------------------


def test_true_images_have_no_error_and_are_all_found(real: torch.Tensor) -> None:
    found = scores(real[SMALL], real, SMALL)
    assert found[:3] == (32, 32, 0.0)
    assert found.detail == pytest.approx(1)


def test_images_of_other_objects_are_not_found(real: torch.Tensor) -> None:
    assert scores(real[SMALL].roll(1, 0), real, SMALL).hits == 0


def test_the_error_is_the_root_of_the_mean_square(real: torch.Tensor) -> None:
    shifted = real[SMALL] + torch.tensor([0.3, -0.4, 0.0]).view(3, 1, 1)
    assert scores(shifted, real, SMALL).rmse == pytest.approx((0.25 / 3) ** 0.5)


def test_detail_is_the_correlation_of_what_pooling_removes(real: torch.Tensor) -> None:
    a, b = real[:1], real[1:2]
    pearson = torch.corrcoef(torch.cat([details(a), details(b)]))[0, 1].item()
    assert scores(a, real, [1]).detail == pytest.approx(pearson, abs=1e-5)
    assert downsampled(details(a).view_as(a)).abs().max() < 1e-6
    assert scores(a + 0.5, real, [0]).detail == pytest.approx(1)


def test_small_samples_are_upsampled_so_that_pooling_gives_them_back(real: torch.Tensor) -> None:
    small = downsampled(real)
    assert (downsampled(upsampled(small)) - small).abs().max() < 1e-5
    assert scores(small[SMALL], real, SMALL) == scores(upsampled(small)[SMALL], real, SMALL)
    assert scores(small[SMALL], real, SMALL).hits == 32


# --- the command ---------------------------------------------------------------------------------


@pytest.mark.parametrize("arm", Arm)
def test_every_arm_is_a_recipe(arm: Arm) -> None:
    recipe = measure.RECIPES[arm]
    spec = growlang.load(EXAMPLE / recipe.spec, measure.params(arm, 3, Steps(8, 8, None)))
    phases = growlang.plan(spec, recipe.name).phases
    assert sum(phase.steps or 0 for phase in phases) == 8
    assert {phase.settings.seed for phase in phases} == {3}


def test_the_command_trains_draws_and_scores_once(
    out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def empty(previews: Previews, *given: object) -> bool:
        path = given[-1]
        assert isinstance(path, Path)
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 4)).save(path)
        return True

    monkeypatch.setattr(Previews, "draw", empty)  # not 40 steps each

    def run() -> str:
        measure.main(out, [1], [Arm.frozen], core_steps=1, steps=2, sampler_steps=1, run=True)
        return capsys.readouterr().out

    table = run()
    rows = from_json((out / "results.json").read_text())
    assert [row[:3] for row in rows] == [("core", 1, 1), ("frozen", 1, 2)]
    assert {(row.unseen.objects, row.seen.objects) for row in rows} == {(32, 32)}
    assert (out / "seed-1" / "samples" / "frozen.png").exists()
    assert "discard, core frozen" in table and "from scratch" not in table
    monkeypatch.setattr(measure, "sample", None)
    assert run() == table


def test_a_table_averages_over_seeds() -> None:
    rows = [
        Row("core", seed, 8, Scores(32 - seed, 32, 0.1 + seed / 100, 0.5), Scores(32, 32, 0.0, 1.0))
        for seed in range(2)
    ]
    assert from_json(as_json(rows)) == rows
    line = as_markdown(rows, {"core": "the core", "other": "not run"}).split("\n")[2:]
    assert line == [
        "| the core | 2 | 31.5 ± 0.7 of 32 | 0.1050 ± 0.0071 | 0.50 ± 0.00 "
        "| 32.0 ± 0.0 of 32 | 0.0000 ± 0.0000 | 1.00 ± 0.00 |",
        "",
    ]
    assert as_table(rows, {"core": "the core"}).row_count == 1


def test_the_table_of_the_docs_is_that_of_its_numbers() -> None:
    rows = from_json((EXAMPLE / "results.json").read_text())
    assert (EXAMPLE / "results.md").read_text() == as_markdown(rows, measure.LABELS)
