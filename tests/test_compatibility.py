"""`check --against` on a real git repository."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from drawing import examples
from fixture_specs import SPECS, checked, edited, growlang, without_evaluate
from hypothesis import given, settings
from hypothesis import strategies as st

from growlang.cli import app
from growlang.diagnostics import GrowlangError
from growlang.tools.compatibility import changes

AGAINST = Path(__file__).parent / "fixtures" / "against"
ORPHANING = sorted(AGAINST.iterdir())


class Repository:
    """A git repository with two specs, committed; the test's working directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "core.grow").write_text(without_evaluate(SPECS / "core.grow"))
        (folder / "child.grow").write_text((SPECS / "child.grow").read_text())
        self.git("init", "--quiet")
        self.commit()

    def git(self, *arguments: str) -> None:
        who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
        subprocess.run(["git", *who, *arguments], cwd=self.folder, check=True, capture_output=True)

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "specs")

    def edit(self, name: str, *edits: tuple[str, str]) -> None:
        edited(self.folder / name, self.folder / name, *edits)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.chdir(tmp_path)
    return Repository(tmp_path)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        app(["check", *arguments])
    out = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out.out + out.err


@pytest.mark.parametrize("case", ORPHANING, ids=lambda p: p.name)
def test_a_change_that_orphans_weights_is_refused(
    case: Path,
    repository: Repository,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    core = repository.folder / "core.grow"
    core.write_text((case / "before.grow").read_text())
    repository.git("commit", "--quiet", "--all", "--allow-empty", "--message", "before")
    after = (case / "after.grow").read_text()
    core.write_text(after)
    checked_file = "core.grow"
    if not after:  # it was deleted, and another file is checked
        core.unlink()
        checked_file = "lib.grow"
        (repository.folder / checked_file).write_text("grow 1\nblock pair(w) { residual(w) * 2 }\n")
    assert run(capsys, checked_file)[0] == 0
    status, text = run(capsys, checked_file, "--against", "HEAD")
    expected = case / "finding.txt"
    if request.config.getoption("--update"):
        expected.write_text(text)
    assert text == expected.read_text()
    assert status == 1
    assert f"error[{case.name.split('_')[0].upper()}]" in text


@pytest.mark.parametrize("case", ORPHANING, ids=lambda p: p.name)
def test_the_caret_stands_on_a_line_that_changed(case: Path) -> None:
    before, after = ((case / f"{side}.grow").read_text() for side in ("before", "after"))
    row = re.search(r"--> core.grow:(\d+)", (case / "finding.txt").read_text())
    if row is None:  # the file was deleted
        assert not after
        return
    line = after.splitlines()[int(row[1]) - 1]
    assert line not in before.splitlines()


def test_what_trained_weights_do_not_depend_on_may_change(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.edit(
        "core.grow",
        ("lr = 1e-3", "lr = 1e-2"),
        ("phase learn for 100", "phase warm for 50 { freeze core }\n  phase learn for 50"),
        ("# a small parent", "# the same parent, said otherwise"),
        ("width = 16", "channels = 16\nparam width = channels"),
        ("patch(4, width) | residual(width)", "(patch(4, width) | residual(width)) * 1"),
    )
    assert run(capsys, ".", "--against", "HEAD") == (0, "2 specs checked, no errors\n")


def test_a_change_of_the_parent_is_seen_in_the_child(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.edit("core.grow", ("fourier(width)", "fourier(width, embed = raw)"))
    status, text = run(capsys, "child.grow", "--against", "HEAD")
    assert status == 1
    assert "child.grow:3:13" in text
    assert "HEAD:core.grow:10:11" in text
    assert "revert the change to HEAD:core.grow" in text


def test_weights_of_another_schedule_are_told_where_it_is_inherited(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    schedule = "objective = diffusion(schedule = cosine(base = 32))"
    repository.edit("core.grow", ("lr = 1e-3)", f"lr = 1e-3)\n  {schedule}"))
    status, text = run(capsys, "core.grow", "--against", "HEAD")
    assert status == 1
    assert text.count("error[G311]") == 1
    assert "recipes `first`, `second`" in text  # the second has the settings of the first
    assert "the noise schedule changes from cosine(base = 64) to cosine(base = 32)" in text
    assert "core.grow:23:15" in text


def test_a_deleted_parent_is_told_once(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository.folder / "core.grow").unlink()
    status, text = run(capsys, ".", "--against", "HEAD")
    assert status == 1
    assert (text.count("error[G103]"), text.count("error[G312]")) == (1, 0)


def test_a_spec_that_runs_were_trained_by_is_not_to_be_deleted(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = repository.folder / "runs/small/first/plan.json"
    plan.parent.mkdir(parents=True)
    plan.touch()
    (repository.folder / "core.grow").rename(repository.folder / "kept.grow.txt")
    (repository.folder / "child.grow").write_text("grow 1\nparam width = 8\n")
    assert run(capsys, ".", "--against", "HEAD")[0] == 0
    status, text = run(capsys, ".", "--against", "HEAD", "--runs", "runs")
    assert status == 1
    assert "core.grow was deleted since HEAD, but runs/small/first was trained by it" in text
    assert "git checkout HEAD -- core.grow" in text
    (repository.folder / "kept.grow.txt").rename(repository.folder / "renamed.grow")
    assert run(capsys, ".", "--against", "HEAD", "--runs", "runs")[0] == 0


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--against", "HEAD", "--runs", "nowhere"], "there is no folder nowhere"),
        (["--against", "HEAD", "--runs", "core.grow"], "there is no folder core.grow"),
        (["--runs", "."], "--runs is of use with --against only"),
    ],
)
def test_runs_that_are_not_looked_at_are_told(options: list[str], told: str) -> None:
    with pytest.raises(GrowlangError, match=told):
        app(["check", ".", *options])


def test_the_way_out_is_a_child(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """The statements of the help, with the changed declaration, make a child that is accepted."""
    after = (AGAINST / "g310_renamed" / "after.grow").read_text()
    (repository.folder / "core.grow").write_text(after)
    _, text = run(capsys, "core.grow", "--against", "HEAD")
    statement = text.split("make the change in a child: `")[1].split(" ... }`")[0]
    repository.git("checkout", "--", "core.grow")
    (repository.folder / "second.grow").write_text(
        "grow 1\nblock entry(width) { residual(width) }\n"
        f"{statement}\n  stem patch(4, width) | entry(width)\n}}\n"
    )
    status, text = run(capsys, ".", "--against", "HEAD")
    assert (status, text) == (
        0,
        "not compared: second.grow does not exist at HEAD\n3 specs checked, no errors\n",
    )
    second = checked(repository.folder / "second.grow")
    assert second.mapping is not None
    kinds = {e.category for e in second.mapping}
    assert kinds == {"copied", "moved", "reinitialised"}


def test_a_renamed_file_is_compared_with_what_it_was(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.edit("core.grow", ("half = 1", "half = 2"))
    repository.git("mv", "core.grow", "kern.grow")
    status, text = run(capsys, "kern.grow", "--against", "HEAD")
    assert status == 1
    assert "HEAD:core.grow" in text


@pytest.mark.parametrize(("before", "after"), [("grow", "yaml"), ("yaml", "grow")])
def test_a_converted_file_is_compared_with_what_it_was(
    before: str, after: str, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another syntax is not another spec, though git finds no rename between the two texts."""
    grow = repository.folder / "core.grow"
    files = {"grow": grow, "yaml": grow.with_name("core.grow.yaml")}
    texts = {name: growlang("convert", grow, "--to", name).out for name in files}
    (repository.folder / "child.grow").unlink()  # which names its parent in Grow
    grow.unlink()
    files[before].write_text(texts[before])
    repository.commit()
    files[before].unlink()
    files[after].write_text(texts[after])
    name = files[after].name
    assert run(capsys, name, "--against", "HEAD") == (0, "1 spec checked, no errors\n")
    edited(
        files[after],
        files[after],
        ("heads = 2", "heads = 4") if after == "grow" else ("heads: 2", "heads: 4"),
    )
    status, text = run(capsys, name, "--against", "HEAD")
    assert status == 1
    assert f"HEAD:{files[before].name}" in text


def test_folders_branches_and_files_with_odd_names(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    inside = repository.folder / "größer und -more"
    inside.mkdir()
    for name in ("core.grow", "child.grow"):
        repository.git("mv", name, f"{inside.name}/{name}")
    repository.commit()
    repository.git("branch", "before")
    edited(inside / "core.grow", inside / "core.grow", ("half = 1", "half = 2"))
    repository.commit()
    assert run(capsys, inside.name, "--against", "HEAD")[0] == 0
    assert run(capsys, inside.name, "--against", "before")[0] == 1


def test_a_spec_with_errors_before_had_no_checkpoints(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.edit("core.grow", ("heads = 2", "heads = 3"))
    repository.commit()
    repository.edit("core.grow", ("heads = 3", "heads = 4"))
    status, text = run(capsys, "core.grow", "--against", "HEAD")
    assert status == 0
    assert "no model without errors at HEAD" in text


def test_errors_of_today_are_reported_alone(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.edit("core.grow", ("heads = 2", "heads = 3"))
    status, text = run(capsys, "core.grow", "--against", "HEAD")
    assert status == 1
    assert "G207" in text
    assert "G310" not in text


@pytest.mark.parametrize("ref", ["no-such-branch", "--help", "HEAD:core.grow", ""])
def test_an_unknown_commit_is_refused(repository: Repository, ref: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "growlang", "check", "core.grow", f"--against={ref}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"unknown git revision `{ref}`" in done.stderr


def test_a_folder_without_git_is_refused(tmp_path: Path) -> None:
    (tmp_path / "core.grow").write_text(without_evaluate(SPECS / "core.grow"))
    done = subprocess.run(
        [sys.executable, "-m", "growlang", "check", "core.grow", "--against=HEAD"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)},
    )
    assert done.returncode == 2
    assert "needs git, and specs in a git repository" in done.stderr


@settings(max_examples=examples(24))
@given(
    heads=st.sampled_from([1, 2, 4]),
    mlp=st.sampled_from([2.0, 4.0]),
    half=st.sampled_from([1, 2]),
    skip=st.booleans(),
)
def test_nets_without_changes_are_those_that_share_a_hash(
    tmp_path_factory: pytest.TempPathFactory, heads: int, mlp: float, half: int, skip: bool
) -> None:
    path = edited(
        SPECS / "core.grow",
        tmp_path_factory.mktemp("pair") / "b.grow",
        ("heads = 2", f"heads = {heads}, mlp = {mlp}"),
        ("half = 1", f"half = {half}"),
        ("patch(4, width) |", "patch(4, width) | identity |" if skip else "patch(4, width) |"),
    )
    old, new = checked(SPECS / "core.grow").net, checked(path).net
    assert (changes(old, new) == []) == (old.net_hash == new.net_hash)
