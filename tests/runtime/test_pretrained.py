"""Models of other libraries: what is here is used first, and what keeps one away is told."""

from pathlib import Path
from typing import Any

import pytest

from growlang_runtime.data.pretrained import first_line, local_first


class Hub:
    """Has a model on the network alone, and notes how it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def read(self, name: str, **given: Any) -> str:
        self.asked.append(given)
        if given.get("local_files_only"):
            raise OSError("not here")
        return f"model {name}"


def test_the_network_is_asked_for_what_is_not_here() -> None:
    hub = Hub()
    assert local_first(hub.read, "a/b", dtype="bf16") == "model a/b"
    assert hub.asked == [{"local_files_only": True, "dtype": "bf16"}, {"dtype": "bf16"}]


def test_the_network_is_not_asked_for_a_folder(tmp_path: Path) -> None:
    hub = Hub()
    with pytest.raises(OSError, match="not here"):
        local_first(hub.read, str(tmp_path))
    assert len(hub.asked) == 1


def test_an_error_that_says_nothing_is_told_by_its_type() -> None:
    assert first_line(OSError("\n one\ntwo")) == "one"
    assert first_line(ValueError()) == "ValueError"
