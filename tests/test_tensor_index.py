"""Checkpoints of one or several safetensors files, by their headers."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from growlang.diagnostics import GrowlangError
from growlang.plans.tensor_file import header_bytes
from growlang.plans.tensor_index import read_index


def write(
    path: Path, tensors: Mapping[str, bytes], metadata: Mapping[str, str] | None = None
) -> Path:
    """A file of F32 vectors with these bytes."""
    start, order = header_bytes(
        {name: ("F32", (len(data) // 4,)) for name, data in tensors.items()}, metadata or {}
    )
    path.write_bytes(start + b"".join(tensors[name] for name in order))
    return path


def sharded(folder: Path, **changes: Any) -> Path:
    """Two files and their index, with `a` and `b` in the first, and `c` in the second."""
    write(folder / "x-1.safetensors", {"a": b"a" * 8, "b": b"b" * 4})
    write(folder / "x-2.safetensors", {"c": b"c" * 12})
    weight_map = {"a": "x-1.safetensors", "b": "x-1.safetensors", "c": "x-2.safetensors"}
    weight_map |= changes.pop("weight_map", {})
    index = {"metadata": {"total_size": 24}, "weight_map": weight_map, **changes}
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps(index))
    return path


def test_one_file(tmp_path: Path) -> None:
    path = write(tmp_path / "model.safetensors", {"a": b"a" * 8}, {"format": "pt"})
    for named in (path, tmp_path):
        found = read_index(named)
        located = found.tensors["a"]
        assert (located.dtype, located.shape, located.bytes) == ("F32", (2,), 8)
        assert located.file.read_bytes()[located.begin : located.end] == b"a" * 8
        assert found.metadata == {"format": "pt"}


def test_several_files(tmp_path: Path) -> None:
    found = read_index(sharded(tmp_path))
    assert found == read_index(tmp_path)
    assert list(found.tensors) == ["a", "b", "c"]
    assert [file.name for file in found.files] == ["x-1.safetensors", "x-2.safetensors"]
    assert (found.bytes, found.metadata) == (24, {"total_size": "24"})
    for name, at in found.tensors.items():
        assert set(at.file.read_bytes()[at.begin : at.end]) == set(name.encode())


LIES = {
    "outside": ({"weight_map": {"a": "../x-1.safetensors"}}, "`a`.*no name of a file"),
    "absolute": ({"weight_map": {"a": "/x-1.safetensors"}}, "`a`.*no name of a file"),
    "a number": ({"weight_map": {"a": 1}}, "`a`.*no name of a file"),
    "pickled": ({"weight_map": {"a": "x-1.bin"}}, "x-1.bin is not read.*any code"),
    "missing file": ({"weight_map": {"d": "x-3.safetensors"}}, "x-3.*not there.*`d`"),
    "missing tensor": (
        {"weight_map": {"d": "x-2.safetensors"}},
        "x-2.safetensors does not hold `d`",
    ),
    "other file": ({"weight_map": {"b": "x-2.safetensors"}}, "`b` lies in x-1.*says x-2"),
    "no map": ({"weight_map": {}, "metadata": []}, "not a valid index|has no `weight_map`|c"),
}


@pytest.mark.parametrize("changes, said", LIES.values(), ids=LIES)
def test_an_index_that_lies(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(GrowlangError, match=f"(?s){said}"):
        if "metadata" in changes:
            path = tmp_path / "model.safetensors.index.json"
            path.write_text("[]")
        else:
            path = sharded(tmp_path, **changes)
        read_index(path)


def test_a_tensor_that_the_index_names_twice(tmp_path: Path) -> None:
    path = sharded(tmp_path)
    text = path.read_text()
    path.write_text(text.replace('"a":', '"a": "x-2.safetensors", "a":'))
    with pytest.raises(GrowlangError, match="not a valid index: it has the duplicate key `a`"):
        read_index(path)


def test_a_tensor_that_the_index_does_not_name(tmp_path: Path) -> None:
    path = sharded(tmp_path)
    write(tmp_path / "x-2.safetensors", {"c": b"c" * 12, "hidden": b"h" * 4})
    with pytest.raises(GrowlangError, match=r"`hidden` lies in x-2.*does not name it"):
        read_index(path)


class Malicious:
    """What writes a file when it is unpickled."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.proof,)


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "a.pt", "a.pth", "a.pkl", "a.ckpt", "a.safetensors"]
)
def test_pickles_are_not_opened(tmp_path: Path, name: str) -> None:
    proof = tmp_path / "proof"
    (tmp_path / name).write_bytes(pickle.dumps({"a": Malicious(proof)}))
    for named in (tmp_path / name, tmp_path):
        with pytest.raises(GrowlangError, match="pickle"):
            read_index(named)
    assert not proof.exists()


def test_names_that_would_steer_a_terminal_are_escaped(tmp_path: Path) -> None:
    path = sharded(tmp_path, weight_map={"\x1b[31mred": "x-2.safetensors"})
    with pytest.raises(GrowlangError, match=r"x-2.safetensors does not hold `\\x1b\[31mred`"):
        read_index(path)
    path = sharded(tmp_path, weight_map={"a": "x\n\x1b[2J.safetensors"})
    with pytest.raises(GrowlangError, match=r"'x\\n\\x1b\[2J.safetensors', which is no name"):
        read_index(path)


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    """To open one would wait for ever for what writes into it."""
    path = tmp_path / "model.safetensors"
    os.mkfifo(path)
    with pytest.raises(GrowlangError, match="cannot be read: it is not a regular file"):
        read_index(path)
    index = tmp_path / "model.safetensors.index.json"
    os.mkfifo(index)
    with pytest.raises(GrowlangError, match="cannot be read: it is not a regular file"):
        read_index(index)
