"""Runs that are started anew, under a name, or from a checkpoint of another run."""

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from tiny import CORE, interrupt_at, metrics, net, phase, plan, state, train, write_data

from growlang.diagnostics import GrowlangError
from growlang.plans.plan import Plan
from growlang.spec.optimizers import AdamW, Muon
from growlang.spec.recipe import Sample
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.aside import aside_of, is_aside, move_aside
from growlang_runtime.storage.run import Run, recorded_plan
from growlang_runtime.train.commands import command
from growlang_runtime.train.options import RunOptions
from growlang_runtime.train.trainer import Trainer

MAIN = Path("runs/tiny/main")
LOWER = AdamW(lr=1e-3)


def longer(steps: int = 6, **changes: Any) -> Plan:
    return plan([phase(steps=steps, **changes)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and a finished run of 4 steps, with a checkpoint at each."""
    folder = write_data(tmp_path_factory.mktemp("data"))
    train(plan(), folder, quiet=True, checkpoint_every=1, keep_checkpoints=9)
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def again(folder: Path, given: Plan, **options: Any) -> Any:
    return train(given, folder, out="runs", **options)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


# --- fresh and name ------------------------------------------------------------------------------


def test_a_fresh_run_moves_the_old_one_aside(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = folder / MAIN
    before = (run / "model.safetensors").read_bytes()
    for number in (1, 2):
        aside = run.with_name(f"main.old-{number}")
        assert again(folder, longer(2), fresh=True).finished
        assert f"moved the old run {run} to {aside}" in said(capsys)
        assert is_aside(aside)
        assert aside_of(run).name == f"main.old-{number + 1}"
    assert (run.with_name("main.old-1") / "model.safetensors").read_bytes() == before
    assert recorded_plan(run).phases[0].steps == 2


def test_without_an_old_run_a_fresh_one_just_starts(tmp_path: Path) -> None:
    assert train(longer(1), write_data(tmp_path), fresh=True).finished


def test_the_old_run_comes_back_where_no_new_one_began(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> None:
        raise GrowlangError("no step is possible")

    monkeypatch.setattr(Trainer, "_step", fails)
    with pytest.raises(GrowlangError, match="no step is possible"):
        again(folder, longer(2), fresh=True)
    run = folder / MAIN
    assert f"moved {run}.old-1 back to {run}" in said(capsys)
    assert [path.name for path in run.parent.iterdir()] == ["main"]
    assert recorded_plan(run).phases[0].steps == 4


@pytest.mark.parametrize("error", [GrowlangError("no"), OSError("no"), KeyboardInterrupt("no")])
@pytest.mark.parametrize("where", ["_report_start", "run_phases"])
def test_whatever_ends_a_run_before_its_first_step_leaves_all_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, where: str
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(Trainer, where, fails)
    for options in ({"fresh": True}, {"name": "new"}, {"name": "branch", "from_run": MAIN}):
        with pytest.raises(type(error), match="no"):
            again(folder, longer(), **options)
        assert [path.name for path in (folder / MAIN).parent.iterdir()] == ["main"]
    monkeypatch.undo()
    assert recorded_plan(folder / MAIN).phases[0].steps == 4
    assert train(longer(5), folder, name="new").finished  # the corrected try has its place


def test_a_run_that_is_in_use_or_is_none_is_not_moved(folder: Path) -> None:
    with Run(folder / MAIN, plan()), pytest.raises(GrowlangError, match="is training in"):
        move_aside(folder / MAIN)
    shutil.rmtree(folder / MAIN)
    (folder / MAIN).mkdir()
    (folder / MAIN / "notes.txt").touch()
    with pytest.raises(GrowlangError, match="not a run folder"):
        again(folder, plan(), fresh=True)
    assert (folder / MAIN / "notes.txt").exists()


def test_a_named_run_is_resumed_bit_for_bit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        interrupt_at(patch, 2)
        stopped = again(folder, plan(), name="lr=3e-4")
    assert stopped.run == folder / "runs/tiny/lr=3e-4"
    resumed = again(folder, plan(), name="lr=3e-4", resume="must")
    assert state(resumed) == state(again(folder, plan(), resume="must"))


@pytest.mark.parametrize("name", ["a/b", "", "main.old-3", "..", "run@2", "-x"])
def test_a_name_is_that_of_a_folder(name: str) -> None:
    with pytest.raises(GrowlangError, match="a run cannot have the name") as error:
        RunOptions(name=name)
    assert "--name lr=3e-4" in error.value.help


def test_fresh_and_resume_are_two_things() -> None:
    with pytest.raises(GrowlangError, match="--fresh starts anew and --resume goes on"):
        RunOptions(fresh=True, resume="may")


# --- from ----------------------------------------------------------------------------------------


def test_a_branch_goes_on_as_the_run_did(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = state(again(folder, plan(), resume="must"))
    branched = again(folder, plan(), name="b", from_run=MAIN.with_name("main@2"))
    assert state(branched) == whole
    assert f"from {MAIN}@2: step 2 of 4" in said(capsys)
    made = recorded_plan(branched.run)
    assert made.branch is not None
    assert (made.branch.run, made.branch.step) == (str(MAIN), 2)
    assert made.branch.run_hash == recorded_plan(folder / MAIN).run_hash != made.run_hash
    found, _ = checkpoint.newest(branched.run / "checkpoints")
    assert found is not None and found.record.branch == made.branch
    assert [m["event"] for m in metrics(branched.run) if "event" in m][:1] == ["branched"]


def test_a_branch_with_another_setting_says_it_and_resumes_bit_for_bit(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = longer(optimizer=LOWER, frozen=CORE)
    whole = again(folder, given, name="whole", from_run=MAIN)
    assert "phases.main.settings.optimizer.adamw.lr: 0.01 -> 1e-3" in said(capsys)
    shutil.rmtree(folder / MAIN / "checkpoints/step_00000003")
    with monkeypatch.context() as patch:
        interrupt_at(patch, 5)
        again(folder, given, name="cut", from_run=MAIN)
    told = said(capsys)
    assert "continue with: growlang train tiny.grow" in told and told.endswith("--resume")
    shutil.rmtree(folder / MAIN)  # it needs nothing of the other run once it began
    assert state(again(folder, given, name="cut", resume="must")) == state(whole)


def test_a_branch_that_was_killed_before_its_first_checkpoint_begins_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = again(folder, longer(), name="whole", from_run=MAIN)
    with monkeypatch.context() as patch, pytest.raises(KeyError):
        patch.setattr(Trainer, "_save", lambda *_: {}["broken"])
        patch.setattr(Run, "remove", lambda _: None)  # what is killed removes nothing
        again(folder, longer(), name="cut", from_run=MAIN)
    kept = folder / MAIN / "checkpoints/step_00000004"
    kept.rename(folder / "elsewhere")
    with pytest.raises(GrowlangError, match=r"was to go on from .*@4, which is gone"):
        again(folder, longer(), name="cut", resume="must")
    (folder / "elsewhere").rename(kept)
    assert state(again(folder, longer(), name="cut", resume="must")) == state(whole)


def test_a_branch_takes_the_place_of_the_run_that_it_is_from(folder: Path) -> None:
    result = again(folder, longer(), fresh=True, from_run=folder / MAIN)
    branch = recorded_plan(result.run).branch
    assert branch is not None and branch.run == str(folder / "runs/tiny/main.old-1")
    assert result.run == folder / MAIN


def test_a_branch_is_resumed_as_what_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        interrupt_at(patch, 5)
        again(folder, longer(), name="b", from_run=MAIN)
    with pytest.raises(GrowlangError, match=r"went on from .*@4, and not from elsewhere"):
        again(folder, longer(), name="b", resume="may", from_run=Path("elsewhere"))
    assert again(folder, longer(), name="b", resume="may", from_run=MAIN).finished
    with pytest.raises(GrowlangError, match="began at step 0, and not from") as error:
        again(folder, plan(), resume="may", from_run=Path("runs/tiny/b"))
    assert "--resume" in error.value.help


@pytest.mark.parametrize("optimizer", [Muon(lr=0.01), LOWER])
def test_another_optimizer_takes_what_it_can(
    folder: Path, optimizer: Muon | AdamW, capsys: pytest.CaptureFixture[str]
) -> None:
    other = AdamW(lr=1e-3) if isinstance(optimizer, Muon) else Muon(lr=0.01)
    again(folder, longer(5, optimizer=other), name="other", from_run=MAIN)
    capsys.readouterr()
    assert again(
        folder, longer(optimizer=optimizer), name="b", from_run=Path("runs/tiny/other")
    ).finished
    anew = "tensors begin anew with this optimizer" in said(capsys)
    assert anew == isinstance(optimizer, AdamW)


def refused(folder: Path, given: Plan, source: str) -> GrowlangError:
    with pytest.raises(GrowlangError) as error:
        again(folder, given, name="b", from_run=Path(source))
    assert not (folder / "runs/tiny/b").exists()
    assert not (folder / "runs/wide/b").exists()
    return error.value


def test_another_net_is_refused_with_what_differs(folder: Path) -> None:
    wide = plan(model=net("wide", residuals=2))
    error = refused(folder, wide, str(MAIN))
    assert "holds the net tiny, and wide.grow declares another one, wide" in error.message
    assert "missing: `stem.residual.1.norm1.weight`" in error.message
    assert "`grows`" in error.help
    dropout = plan(model=net(dropout=0.5))
    assert "stem.residual.0: " in refused(folder, dropout, str(MAIN)).message


def test_what_holds_no_whole_checkpoint_is_one_message(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = MAIN / "model.safetensors"
    assert "holds weights alone" in refused(folder, longer(), str(model)).message
    assert "there is no run at nowhere" in refused(folder, longer(), "nowhere").message
    assert "has no checkpoint of step 9" in refused(folder, longer(), f"{MAIN}@9").message
    torn = folder / MAIN / "checkpoints/step_00000004/state.safetensors"
    torn.write_bytes(torn.read_bytes()[:-1])
    error = refused(folder, longer(), f"{MAIN}@4")
    assert f"the checkpoint {MAIN}/checkpoints/step_00000004 is damaged" in error.message
    assert f"{MAIN}@3" in error.help
    assert again(folder, longer(), name="older", from_run=MAIN).finished
    assert "passed over a damaged checkpoint" in (text := said(capsys))
    assert "step 3 of 6" in text
    shutil.rmtree(folder / MAIN / "checkpoints")
    assert "it has no checkpoint" in refused(folder, longer(), str(MAIN)).message


def test_a_recipe_that_is_over_is_told_how_to_be_longer(folder: Path) -> None:
    error = refused(folder, plan(), str(MAIN))
    assert "is at step 4, and recipe main ends at step 4" in error.message
    assert "--set train.phase.main.for=8" in error.help


# --- refusals ------------------------------------------------------------------------------------


def test_a_refused_start_offers_commands(folder: Path) -> None:
    with pytest.raises(GrowlangError, match="already exists") as error:
        again(folder, plan(), workers=1)
    usual = "growlang train tiny.grow"
    own = f"--data-root {folder} --out {folder / 'runs'} --workers 1 --log-every 1"
    anew = [f"{usual} {own} --name main-2", f"{usual} {own} --fresh"]
    assert offered(error.value) == anew  # nothing is left to train of a finished run
    (folder / MAIN / "model.safetensors").unlink()
    with pytest.raises(GrowlangError, match="already exists") as error:
        again(folder, plan(), workers=1)
    assert offered(error.value) == [f"{usual} {own} --resume", *anew]
    with pytest.raises(GrowlangError, match="already exists") as error:
        again(folder, plan([phase(steps=9)]), workers=1)
    assert offered(error.value) == [*anew, f"{usual} {own} --from {folder / MAIN} --name main-2"]


def offered(error: GrowlangError) -> list[str]:
    """The commands of a help, which stand on every other line."""
    return [line.strip() for line in error.help.splitlines()][1::2]


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, []),
        ({"RANK": "0", "WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "1"}, []),
        (
            {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"},
            ["torchrun", "--nproc-per-node=2", "-m"],
        ),
        ({"RANK": "1", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"}, ["torchrun", "...", "-m"]),
        ({"SLURM_PROCID": "1", "SLURM_NTASKS": "2"}, ["srun"]),
    ],
)
def test_a_command_starts_as_many_processes(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], words: list[str]
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    line = command(plan([phase(steps=4)]), RunOptions(), "--resume")
    assert line == shlex.join([*words, "growlang", "train", "tiny.grow", "--resume"])


def test_a_command_repeats_an_option_of_several_values() -> None:
    options = RunOptions(log=("wandb", "mlflow"), accept_parent=True)
    line = command(plan(), options, "--resume")
    flags = "--accept-parent --log wandb --log mlflow --resume"
    assert line == f"growlang train tiny.grow {flags}"


def test_a_refused_resume_offers_what_was_wanted(folder: Path) -> None:
    with pytest.raises(GrowlangError, match=r"lr: 0\.01 -> 1e-3") as error:
        again(folder, plan([phase(steps=9, optimizer=LOWER)]), resume="must")
    assert "--resume" not in error.value.help
    assert f"--from {folder / MAIN} --name main-2" in error.value.help
    assert error.value.help.rstrip().endswith("--fresh")


def test_what_a_run_does_not_depend_on_does_not_block_its_resume(folder: Path) -> None:
    (folder / MAIN / "model.safetensors").unlink()
    now = plan(sample=Sample(guidance=3), spec_hash="2" * 64)
    assert again(folder, now, resume="must").finished


# --- the parent's run ----------------------------------------------------------------------------


@pytest.fixture
def child() -> Plan:
    return plan([phase(steps=1)], net("grown", residuals=2), plan())


def test_the_only_run_of_the_parent_is_found_and_said(
    folder: Path, child: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / MAIN).rename(folder / "runs/tiny/named")
    made = train(child, folder, out="elsewhere")
    assert "parent's run: runs/tiny/named, the only one of tiny" in said(capsys)
    known = recorded_plan(made.run).parent
    assert known is not None and known.run is not None
    assert known.run.path == "runs/tiny/named"


def test_several_runs_of_the_parent_are_listed(folder: Path, child: Plan) -> None:
    shutil.copytree(folder / MAIN, folder / "runs/deep/er/tiny/two")
    shutil.copytree(folder / MAIN, folder / "runs/tiny/main.old-1")
    with pytest.raises(GrowlangError, match="2 runs may be that of the parent tiny") as error:
        train(child, folder, out="elsewhere")
    assert f"{MAIN} (finished)" in error.value.message
    assert "old-1" not in error.value.message
    assert "--parent-run runs/" in error.value.help
    assert train(child, folder, out="elsewhere", parent_run=MAIN).finished
    assert train(child, folder, out=str(folder / "runs")).finished  # it holds the usual one


def test_a_run_of_another_recipe_or_net_is_not_the_parents(folder: Path, child: Plan) -> None:
    said = json.loads((folder / MAIN / "plan.json").read_text())
    for changed in ({"recipe": "other"}, {"net_hash": "0" * 64}):
        (folder / MAIN / "plan.json").write_text(json.dumps(said | changed))
        with pytest.raises(GrowlangError, match="is not trained yet") as error:
            train(child, folder, out="elsewhere")
        assert "--parent-run" in error.value.help


def test_a_place_of_the_parent_is_kept_on_resume(
    folder: Path, child: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Path(f"{MAIN}@2")
    whole = train(child, folder, out="whole", parent_run=place)
    with monkeypatch.context() as patch, pytest.raises(KeyError):
        patch.setattr(Trainer, "_step", lambda *_: {}["broken"])
        patch.setattr(Run, "remove", lambda _: None)
        train(child, folder, out="cut", parent_run=place)
    assert state(train(child, folder, out="cut", resume="must")) == state(whole)
    newest = train(child, folder, out="newest", parent_run=MAIN)
    assert state(newest) != state(whole)
