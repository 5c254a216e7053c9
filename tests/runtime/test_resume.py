"""Whether a run may go on, and what is said where it may not."""

import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from tiny import metrics, net, phase, plan, train, write_data

from growlang.diagnostics import GrowlangError
from growlang.growth.mapping import Entry, Mapping
from growlang.growth.transforms import Drop, Initialise
from growlang.growth.wording import Reason
from growlang.plans.plan import Plan
from growlang.spec.optimizers import AdamW
from growlang.spec.recipe import Sample
from growlang_runtime.storage.run import Run, recorded_plan
from growlang_runtime.train.options import RunOptions
from growlang_runtime.train.resume import all_torn, require_same

PATH = Path("runs/tiny/main")
SHORT = Path(__file__).parent.parent / "fixtures/runs/0.1/runs/core_8/long"
"""A run of 0.1 with one checkpoint."""


def grown(**changes: Any) -> Plan:
    """A plan with a mapping, of which one tensor of the parent is dropped."""
    given = plan(model=net("grown", residuals=2), parent=plan(), **changes)
    dropped = Entry("stem.old", Drop(), Reason("test"), (8,))
    return given.model_copy(update={"mapping": Mapping((*given.mapping, dropped))})


def refusal(recorded: Plan, now: Plan) -> GrowlangError:
    with pytest.raises(GrowlangError, match="started with a different spec") as error:
        require_same(PATH, recorded, now, RunOptions())
    return error.value


def test_another_setting_is_refused_and_the_difference_told() -> None:
    error = refusal(plan(), plan([phase(optimizer=AdamW(lr=0.5), grad_clip=2.0)]))
    assert "phases.main.settings.optimizer.adamw.lr: 0.01 -> 0.5" in error.message
    assert "phases.main.settings.grad_clip: 1 -> 2" in error.message


def test_a_setting_that_is_gone_is_not_set() -> None:
    error = refusal(plan([phase(), phase("more")]), plan())
    assert "  phases.more: set -> not set" in error.message.splitlines()


def test_params_that_were_set_then_are_in_the_help() -> None:
    now = plan([phase(optimizer=AdamW(lr=0.5))])
    help = refusal(plan(params={"rate": "3e-4"}), now).help
    assert "as it was started, with --set rate=3e-4" in help
    assert "growlang train tiny.grow --set rate=3e-4 --resume" in help
    help = refusal(plan(), now.model_copy(update={"params": {"a": 1}})).help
    assert "as it was started, without --set" in help


def test_a_mapping_that_changed_is_told_by_tensor() -> None:
    first, *_ = grown().mapping
    again = grown(phases=[phase(seed=5)])
    anew = first._replace(transform=Initialise("ones"), replaces=True)
    changed = Mapping((anew, *again.mapping.entries[1:-1]))
    shown = refusal(grown(), again.model_copy(update={"mapping": changed})).message.splitlines()
    assert "  phases.main.settings.seed: 0 -> 5" in shown
    assert f"  mapping.{first.name}: copied (keep) -> reinitialised (init ones)" in shown
    assert "  mapping.stem.old: dropped (drop) -> not set" in shown


def test_other_data_weights_or_parent_are_another_run() -> None:
    recorded = grown().starting_from("a" * 64)
    for other in (
        recorded.starting_from("b" * 64),
        recorded.model_copy(update={"data": {"data": "0"}}),
    ):
        assert recorded.run_hash != other.run_hash
        assert other.as_recorded(recorded).run_hash == recorded.run_hash


def test_what_does_not_change_the_run_may_change() -> None:
    """Samples, the hash of the whole spec, where it lies and what explains the mapping."""
    now = plan(
        sample=Sample(guidance=3),
        spec_hash="1" * 64,
        spec="elsewhere.grow",
        mapping=Mapping(tuple(e._replace(reason=Reason("other words")) for e in plan().mapping)),
    )
    assert now.run_hash == plan().run_hash
    require_same(PATH, plan(), now, RunOptions())


def test_how_many_steps_epochs_are_is_found_with_the_data() -> None:
    known, unknown = (plan([phase(steps=steps, epochs=2.0)]) for steps in (8, None))
    assert known.run_hash == unknown.run_hash
    require_same(PATH, known, unknown, RunOptions())


# --- folders -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_data(tmp_path_factory.mktemp("data"))
    train(plan(), folder, quiet=True, checkpoint_every=2)
    return folder


@pytest.fixture
def interrupted(finished: Path, tmp_path: Path) -> Path:
    """A folder with data and a run that lacks its finished weights."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    (tmp_path / PATH / "model.safetensors").unlink()
    return tmp_path


def go_on(folder: Path, resume: Any = "must") -> Any:
    return train(plan(), folder, resume=resume)


def test_a_resumed_run_says_where_it_goes_on(
    interrupted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(interrupted / PATH / "checkpoints" / "step_00000004")
    assert go_on(interrupted).finished
    said = " ".join(capsys.readouterr().err.split())
    assert f"resumed {interrupted / PATH} at step 2 of 4" in said


def test_a_resumed_run_draws_by_the_sample_of_now(interrupted: Path) -> None:
    sample = Sample(prompts=["another"])
    now = plan(sample=sample)
    assert train(now, interrupted, resume="must").finished
    assert recorded_plan(interrupted / PATH).sample == sample
    with safe_open(interrupted / PATH / "model.safetensors", framework="pt") as file:
        assert json.loads(file.metadata()["sample"])["prompts"] == ["another"]


def test_without_a_run_there_is_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(GrowlangError, match=r"there is no run at .*: nothing to resume") as error:
        go_on(write_data(tmp_path))
    assert "--resume-or-start" in error.value.help
    assert not (tmp_path / "runs").exists()


def test_a_run_that_may_be_there_is_started_or_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    go_on(write_data(tmp_path), "may")
    assert f"started {tmp_path / PATH}: 4 steps" in " ".join(capsys.readouterr().err.split())
    go_on(tmp_path, "may")
    assert "is finished: all 4 steps are done" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("resume", ["never", "must"])
def test_a_folder_that_is_no_run_is_told_as_such(tmp_path: Path, resume: str) -> None:
    (tmp_path / PATH).mkdir(parents=True)
    with pytest.raises(GrowlangError, match="is an empty folder, not a run") as error:
        go_on(tmp_path, resume)
    assert "--resume" not in error.value.help
    (tmp_path / PATH / "notes.txt").touch()
    with pytest.raises(GrowlangError, match=r"not a run folder: it has no plan\.json"):
        go_on(tmp_path, resume)


@pytest.mark.parametrize("resume", ["never", "must", "may"])
def test_what_is_no_folder_is_told_as_such(tmp_path: Path, resume: str) -> None:
    path = write_data(tmp_path) / PATH
    path.parent.mkdir(parents=True)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(GrowlangError, match="is a link that leads nowhere, not a run folder"):
        go_on(tmp_path, resume)
    path.unlink()
    path.touch()
    with pytest.raises(GrowlangError, match="is a file, not a run folder"):
        go_on(tmp_path, resume)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"spec": "a', r"Invalid JSON: EOF .*"),
        ("{}", r"spec: Field required"),
        (None, r"novelty: Extra inputs are not permitted"),
    ],
)
def test_a_plan_that_cannot_be_read_is_told(
    interrupted: Path, text: str | None, reason: str
) -> None:
    path = interrupted / PATH / "plan.json"
    whole = json.loads(path.read_text()) | {"novelty": 1}
    path.write_text(json.dumps(whole) if text is None else text)
    with pytest.raises(GrowlangError, match=rf"cannot read its plan\.json: {reason}") as error:
        recorded_plan(interrupted / PATH)
    assert "use the version of growlang that wrote it" in error.value.help


def test_a_run_whose_checkpoints_are_gone_does_not_begin_again(interrupted: Path) -> None:
    shutil.rmtree(interrupted / PATH / "checkpoints")
    with pytest.raises(
        GrowlangError, match=r"cannot resume the run .*: its checkpoints are missing"
    ) as error:
        go_on(interrupted)
    assert "--resume" not in error.value.help
    (interrupted / PATH / "checkpoints").mkdir()
    with pytest.raises(GrowlangError, match=r"are missing \(the last one was at step 4\)"):
        go_on(interrupted)


def test_a_run_that_had_no_checkpoint_yet_begins_again(tmp_path: Path) -> None:
    folder = write_data(tmp_path)
    with Run.create(folder / PATH, plan()) as run:
        run.metrics.write_text('{"step": 1, "loss": 1.0}\n{"step"')
    done = go_on(folder)
    assert done.finished
    assert [line["step"] for line in metrics(done.run) if "event" not in line] == [1, 2, 3, 4]


def test_finished_weights_that_are_torn_are_not_finished(interrupted: Path) -> None:
    model = interrupted / PATH / "model.safetensors"
    model.touch()
    with pytest.raises(GrowlangError, match="not a valid safetensors file") as error:
        go_on(interrupted)
    assert f"move {model} away; --resume then writes it again" in error.value.help
    model.unlink()
    assert go_on(interrupted).finished
    assert model.stat().st_size


def test_a_run_whose_checkpoints_are_all_torn_keeps_them(interrupted: Path) -> None:
    torn = sorted((interrupted / PATH / "checkpoints").glob("*/state.safetensors"))
    for path in torn:
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(GrowlangError, match=r"all its checkpoints are damaged") as error:
        go_on(interrupted)
    assert all(path.exists() and path.parent.name in error.value.message for path in torn)


def test_where_all_are_torn_the_best_weights_are_offered_if_they_are_whole(tmp_path: Path) -> None:
    run = Path(shutil.copytree(SHORT, tmp_path / "run"))
    folder = run / "checkpoints"
    (newest,) = folder.glob("step_*")
    shutil.copytree(newest, folder / "best")
    going_on, over = plan([phase(steps=20)]), plan([phase(steps=13)])
    offered = f"growlang train tiny.grow --from {run}@best --name main-2"
    assert offered in all_torn(run, [], going_on, RunOptions()).help
    assert "@best" not in all_torn(run, [], over, RunOptions()).help
    with (folder / "best/state.safetensors").open("r+b") as file:
        file.write(b"x")
    assert "@best" not in all_torn(run, [], going_on, RunOptions()).help


# --- data ----------------------------------------------------------------------------------------


def retar(folder: Path, order: list[int], shift: int = 0) -> None:
    """The data anew: samples in another order, or under their keys the images of others."""
    tar = folder / "data.tar"
    with tarfile.open(tar) as old:
        members = [(m.name, old.extractfile(m).read()) for m in old.getmembers()]  # type: ignore[union-attr]
    samples = [members[2 * i : 2 * i + 2] for i in range(6)]
    with tarfile.open(tar, "w") as new:
        for i in order:
            (image, _), (text, caption) = samples[i]
            pixels = samples[(i + shift) % 6][0][1]
            for name, content in ((image, pixels), (text, caption)):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                new.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize(
    ("order", "shift"), [([0, 1, 2, 3, 4], 0), ([1, 0, 2, 3, 4, 5], 0), ([0, 1, 2, 3, 4, 5], 1)]
)
def test_other_data_is_refused(interrupted: Path, order: list[int], shift: int) -> None:
    """Fewer images, the same in another order, and others of the same number and names."""
    retar(interrupted, list(range(6)))
    shutil.rmtree(interrupted / "runs")
    train(plan(), interrupted, quiet=True)
    (interrupted / PATH / "model.safetensors").unlink()
    retar(interrupted, order, shift)
    with pytest.raises(
        GrowlangError, match=r"the data has changed .*: `data` has different samples"
    ):
        go_on(interrupted)


def test_a_run_that_does_not_know_its_data_gets_its_identity_with_a_warning(
    interrupted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = interrupted / PATH / "plan.json"
    known = recorded_plan(path.parent)
    path.write_text(known.model_copy(update={"data": None}).model_dump_json())
    assert go_on(interrupted).finished
    assert "did not record a digest of the data" in " ".join(capsys.readouterr().err.split())
    assert recorded_plan(path.parent) == known
