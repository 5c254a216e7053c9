"""RUN, RUN@STEP and RUN@best: what is written, and what it stands for."""

from pathlib import Path

import pytest

from growlang.diagnostics import GrowlangError
from growlang_runtime.storage.place import Place, located, place_of


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for name in ("step_00000100", "step_00002000", "best"):
        (tmp_path / "run/checkpoints" / name).mkdir(parents=True)
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("runs/a/main", Place(Path("runs/a/main"))),
        ("runs/a/main@100", Place(Path("runs/a/main"), 100)),
        ("runs/a/main@2_000", Place(Path("runs/a/main"), 2000)),
        ("runs/a/main@2k", Place(Path("runs/a/main"), 2000)),
        ("runs/a/main@best", Place(Path("runs/a/main"), "best")),
        ("me@home/runs/a", Place(Path("me@home/runs/a"))),
    ],
)
def test_what_is_written(written: str, meant: Place) -> None:
    assert place_of(written) == meant
    assert place_of(str(meant)) == meant


def test_a_place_stands_for_a_path(run: Path) -> None:
    assert located(run) == run
    assert located(f"{run}@100") == run / "checkpoints/step_00000100"
    assert located(f"{run}@best") == run / "checkpoints/best"


def test_a_path_that_exists_stands_for_itself(tmp_path: Path) -> None:
    odd = tmp_path / "run@3"
    odd.mkdir()
    assert located(odd) == odd


@pytest.mark.parametrize(
    ("at", "told"),
    [("last", "not `last`"), ("300", "has no checkpoint of step 300"), ("-1", "not `-1`")],
)
def test_what_a_run_has_is_told(run: Path, at: str, told: str) -> None:
    with pytest.raises(GrowlangError, match=told) as error:
        located(f"{run}@{at}")
    assert error.value.help == "it has @100, @2000, @best"


def test_a_run_without_the_best_says_how_to_have_it(run: Path) -> None:
    (run / "checkpoints/best").rmdir()
    with pytest.raises(GrowlangError, match="has no checkpoint `best`") as error:
        located(f"{run}@best")
    assert error.value.help.startswith("it has @100, @2000; ")
    with pytest.raises(GrowlangError, match="there is no run at nowhere"):
        located("nowhere@best")
