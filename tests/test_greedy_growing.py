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

EXAMPLE = SHIPPED.parent / "examples" / "greedy_growing"
sys.path.append(str(EXAMPLE))

import measure  # noqa: E402
from measure import Arm, Steps  # noqa: E402
from metrics import Scores, details, downsampled, scores, upsampled  # noqa: E402
from perceived import Judge, Perceived  # noqa: E402
from prepare import OBJECTS, REFERENCE, TRAINING, prepare, read_shard  # noqa: E402
from results import (  # noqa: E402
    Results,
    Row,
    as_json,
    as_markdown,
    as_tables,
    from_json,
    tables,
)
from runs import Speed  # noqa: E402

SMALL = list(range(0, 64, 2))
OTHERS = measure.others()


def few() -> tuple[torch.Tensor, list[str]]:
    """Some of the emoji that are none of the objects."""
    return OTHERS[0][::12], OTHERS[1][::12]


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
    assert (found.detail, found.amplitude) == pytest.approx((1, 1))


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

    monkeypatch.setattr(measure, "others", few)
    monkeypatch.setattr(Previews, "draw", empty)  # not 40 steps each

    def run() -> str:
        measure.main(out, [1], [Arm.frozen], core_steps=1, steps=2, sampler_steps=1, run=True)
        return capsys.readouterr().out

    table = run()
    found = from_json((out / "results.json").read_text())
    assert [row[:3] for row in found.rows] == [("core", 1, 1), ("frozen", 1, 2)]
    assert {(row.unseen.objects, row.seen.objects) for row in found.rows} == {(32, 32)}
    core, frozen = found.rows
    assert core.core == frozen.core  # a frozen core has forgotten nothing
    assert [speed.phase for speed in frozen.speeds] == ["frozen"]
    assert (out / "seed-1" / "samples" / "frozen.png").exists()
    assert "discard, core frozen" in table and "from scratch" not in table
    monkeypatch.setattr(measure, "sample", None)
    assert run() == table


def test_tables_average_over_seeds() -> None:
    rows = tuple(
        Row(
            "core",
            seed,
            8,
            Scores(32 - seed, 32, 0.1 + seed / 100, 0.5, 1.0),
            Scores(32, 32, 0.0, 1.0, 1.0),
            Perceived(2.0, 0.5),
            Scores(64, 64, 0.25, 1.0, 1.0),
            (Speed("a", 60, 50.0), Speed("b", 30, 20.0 + seed)),
        )
        for seed in range(2)
    )
    found = Results(rows, Perceived(1.25, 0.75))
    assert from_json(as_json(found)) == found
    made = tables(found, {"core": "the core", "other": "not run"})
    assert [lines[1:] for lines in made.values()] == [
        [["the core", "2", "31.5 ± 0.7 of 32", "0.1050 ± 0.0071", "0.50 ± 0.00", "1.00 ± 0.00"]],
        [["the core", "2", "32.0 ± 0.0 of 32", "0.0000 ± 0.0000", "1.00 ± 0.00", "1.00 ± 0.00"]],
        [["the core", "2", "2.0 ± 0.0", "0.500 ± 0.000", "64.0 ± 0.0 of 64", "0.2500 ± 0.0000"]],
        [["the core", "2", "1.5 ± 0.0", "a 50 ± 0, b 20 ± 1"]],
    ]
    assert "fd_efflite0 1.2, align_ridge 0.750" in list(made)[2]
    assert [table.row_count for table in as_tables(found, {"core": "the core"})] == [1] * 4


def test_the_tables_of_the_docs_are_those_of_their_numbers() -> None:
    found = from_json((EXAMPLE / "results.json").read_text())
    assert (EXAMPLE / "results.md").read_text() == as_markdown(found, measure.LABELS)


# --- networks that judge -------------------------------------------------------------------------


def test_true_images_are_at_no_distance_and_fit_their_captions(real: torch.Tensor) -> None:
    judge = Judge(real, OBJECTS, *few())
    own, mixed = judge.perceived(real), judge.perceived(real.roll(1, 0))
    assert own.distance == pytest.approx(0, abs=1e-3) == mixed.distance
    assert own.alignment == judge.floor().alignment > 0.7 > mixed.alignment
    assert judge.perceived(torch.zeros_like(real)).distance > judge.floor().distance > 0
