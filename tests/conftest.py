"""Options and paths that all tests share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from packages import Install

from growlang.signatures import installed

os.environ.setdefault("OMP_NUM_THREADS", "1")

# Without compiled files, each of the processes that tests start would compile all of growlang.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Examples may take as long as the machine needs; `examples` of drawing.py says how many.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("patient", PATIENT, max_examples=20)
settings.register_profile("thorough", PATIENT, max_examples=100)
settings.load_profile("patient")

FIXTURES = Path(__file__).parent / "fixtures"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="Write the expected outputs anew.")


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep indexes and parser tables out of the user's cache."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a folder of installed packages on the path, for one test."""

    def forget() -> None:
        installed.entries.cache_clear()
        installed.load.cache_clear()
        for name in [m for m in sys.modules if m.endswith("_package")]:
            del sys.modules[name]

    def put(folder: Path) -> None:
        monkeypatch.syspath_prepend(str(folder))
        forget()

    forget()
    yield put
    forget()
