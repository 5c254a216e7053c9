from pathlib import Path
from typing import Any

import pytest
from tiny import net, phase, plan

from growlang.diagnostics import GrowlangError
from growlang.mapping import Entry
from growlang.plan import Plan
from growlang.spec import AdamW
from growlang_runtime.run import Run


def test_a_run_begins_with_the_spec_and_the_plan(tmp_path: Path) -> None:
    given = plan()
    with Run.create(tmp_path / "tiny" / "main", given) as run:
        assert (run.path / "spec.grow").read_text() == given.source
    with Run.reopen(run.path, given) as again:
        assert again.plan == given


def test_a_yaml_spec_is_kept_as_one(tmp_path: Path) -> None:
    with Run.create(tmp_path / "run", plan(spec="tiny.grow.yaml")) as run:
        assert (run.path / "spec.grow.yaml").exists()


def test_a_folder_that_exists_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(GrowlangError, match="exists already") as error:
        Run.create(tmp_path / "run", plan())
    assert "--resume" in error.value.help


def test_two_processes_cannot_train_in_one_folder(tmp_path: Path) -> None:
    with (
        Run.create(tmp_path / "run", plan()),
        pytest.raises(GrowlangError, match=r"process \d+ is training in"),
    ):
        Run.reopen(tmp_path / "run", plan())
    Run.reopen(tmp_path / "run", plan()).__exit__(None, None, None)


def test_another_plan_is_refused_and_the_difference_told(tmp_path: Path) -> None:
    with Run.create(tmp_path / "run", plan()):
        pass
    changed = plan([phase(optimizer=AdamW(lr=0.5))], spec_hash="1" * 64)
    with pytest.raises(GrowlangError, match="begun with another plan") as error:
        Run.reopen(tmp_path / "run", changed)
    assert "phases.main.settings.optimizer.adamw.lr: 0.01 -> 0.5" in error.value.message


def grown(**changes: Any) -> Plan:
    """A plan with a mapping, of which one tensor of the parent is dropped."""
    given = plan(model=net("grown", residuals=2), parent=plan(), **changes)
    dropped = Entry("stem.old", "dropped", None, "drop", "test", (8,))
    return given.model_copy(update={"mapping": [*given.mapping, dropped]})


def test_a_grown_plan_that_changed_is_refused_with_its_mapping(tmp_path: Path) -> None:
    with Run.create(tmp_path / "run", grown()):
        pass
    first = grown().mapping[0]
    again = grown(phases=[phase(seed=5)], spec_hash="1" * 64)
    changed = [first._replace(category="reinitialised", source=None), *again.mapping[1:-1]]
    with pytest.raises(GrowlangError, match="begun with another plan") as error:
        Run.reopen(tmp_path / "run", again.model_copy(update={"mapping": changed}))
    shown = error.value.message.splitlines()
    assert "  phases.main.settings.seed: 0 -> 5" in shown
    assert f"  mapping.{first.name}[0]: copied -> reinitialised" in shown
    assert "  dropped.stem.old: drop -> None" in shown


def test_a_folder_without_a_plan_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(GrowlangError, match=r"plan\.json is missing"):
        Run.reopen(tmp_path, plan())
