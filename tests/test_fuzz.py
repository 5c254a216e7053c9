"""Inputs that the fuzzer found to break a promise once, and every spec of the project."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
sys.path.insert(0, str(TESTS))

from fuzz.promises import FIXTURES, GROW, YAML, examine, furnish, most_calls  # noqa: E402
from fuzz.words import seeds  # noqa: E402
from work import at_most  # noqa: E402

FOUND = sorted((FIXTURES / "fuzz").iterdir())


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fuzz")
    furnish(path)
    return path


@pytest.mark.parametrize("path", FOUND, ids=lambda p: p.name)
def test_what_was_found_once_keeps_every_promise(path: Path, folder: Path) -> None:
    content = path.read_bytes()
    with at_most(most_calls(content)):
        examine(content, YAML if path.suffix == ".yaml" else GROW, folder)


@pytest.mark.parametrize(
    ("folders", "every"),
    [
        (("specs", "examples"), 5),
        pytest.param(("specs", "examples"), 1, marks=pytest.mark.slow),
        pytest.param(("tests/fixtures",), 1, marks=pytest.mark.slow),
    ],
)
def test_the_seeds_keep_every_promise(folders: Sequence[str], every: int, folder: Path) -> None:
    inputs = [*dict.fromkeys(seeds(folders))][::every]
    assert {name for name, _ in inputs} == {GROW, YAML}
    for name, content in inputs:
        examine(content, name, folder)
