"""The safetensors format: the header is held against the bytes, and against the format's reader."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from growlang.diagnostics import GrowlangError
from growlang.plans import tensor_file
from growlang.plans.tensor_file import header_bytes, nonfinite, read_header

TENSORS = {
    "b": torch.ones(3),
    "a": torch.ones(2, dtype=torch.int64),
    "none": torch.zeros(0, 3),
    "c": torch.ones((), dtype=torch.float16),
}


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A file that the format's own writer made."""
    save_file(TENSORS, tmp_path / "whole.safetensors", {"net": "{}"})
    return tmp_path / "whole.safetensors"


def test_the_header_is_what_was_written(whole: Path) -> None:
    header = read_header(whole)
    assert header.metadata == {"net": "{}"}
    assert {n: (t.dtype, t.shape) for n, t in header.tensors.items()} == {
        "a": ("I64", (2,)),
        "b": ("F32", (3,)),
        "none": ("F32", (0, 3)),
        "c": ("F16", ()),
    }
    assert header.length + header.tensors["c"].end == whole.stat().st_size


def test_a_header_is_that_of_the_formats_own_writer(whole: Path) -> None:
    header = read_header(whole)
    layouts = {n: (t.dtype, t.shape) for n, t in sorted(header.tensors.items())}
    start, order = header_bytes(layouts, {"net": "{}"})
    assert whole.read_bytes().startswith(start)
    assert order == list(header.tensors)


def test_the_order_in_which_things_are_given_leaves_no_trace() -> None:
    layouts = {"b": ("F32", (2,)), "a": ("BF16", (3,)), "é": ("F32", ())}
    texts = {"z": "1", "a": "é", "m": '{"x": 1}'}
    one, order = header_bytes(layouts, texts)
    other, _ = header_bytes(dict(reversed(layouts.items())), dict(reversed(texts.items())))
    assert one == other
    assert order == ["b", "é", "a"]
    assert len(one) % 8 == 0


SCRIPT = """
import sys
from growlang.plans.tensor_file import header_bytes
names = {"c", "a", "b", "long.name", "e", "f"}
print(list(names), file=sys.stderr)
start, order = header_bytes({n: ("F32", (3,)) for n in names}, {n: n * 9 for n in names})
print(start, order)
"""


def test_it_is_the_same_in_processes_that_hash_otherwise() -> None:
    written, hashed = set(), set()
    for seed in ("1", "2", "3"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}
        command = [sys.executable, "-c", SCRIPT]
        done = subprocess.run(command, env=environment, capture_output=True, check=True)
        written.add(done.stdout)
        hashed.add(done.stderr)
    assert (len(written), len(hashed) > 1) == (1, True)


def _entry(**changes: object) -> bytes:
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}
    return json.dumps({"w": entry}).encode()


TWO = '{"dtype":"F32","shape":[1],"data_offsets":[%d,%d]}'


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"grow", "does not begin with the length of a header"),
        (b"grow 1\nmodel", "does not begin with the length of a header"),
        (b"PK\x03\x04\0\0\0\0\0\0", "a zip archive, as `torch.save` writes them"),
        (b"\x80\x02}q\0.", "a pickle, as `torch.save` writes them"),
        (b"version https://git-lfs.github.com/spec/v1\n", "`git lfs pull` fetches the file"),
        (b"<!DOCTYPE html>", "a page of HTML or XML"),
    ],
)
def test_what_is_another_file_is_told(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(GrowlangError, match="is not a valid safetensors file: .*" + reason):
        read_header(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"{", "its header is not JSON"),
        (b"[]", "its header is not a JSON object"),
        (b'"\xff"', "its header is not UTF-8"),
        (b"[" * 100_000, "nested too deeply|not JSON"),
        (_entry(dtype="F33"), "`w` has the unknown dtype `F33`"),
        (_entry(dtype=3), "`w` has no dtype, shape and place"),
        (_entry(shape=[-2]), "`w` has no dtype, shape and place"),
        (_entry(shape=[True, 2]), "`w` has no dtype, shape and place"),
        (_entry(data_offsets=[0]), "`w` has no dtype, shape and place"),
        (_entry(shape=[3]), r"`w` takes 8 bytes, and F32 of shape 3 needs 12"),
        (_entry(shape=[10**30]), "`w` takes 8 bytes"),
        (_entry(data_offsets=[8, 0]), "`w` takes -8 bytes"),
        (_entry(data_offsets=[4, 12]), "`w` begins after a gap, at byte 4"),
        (b'{"a":' + (TWO % (0, 4)).encode() + b"}", "4 bytes follow its last tensor"),
        (_entry(shape=[4], data_offsets=[0, 16]), r"truncated \(8 bytes of tensors, and not 16\)"),
        (f'{{"a":{TWO % (0, 4)},"b":{TWO % (0, 4)}}}'.encode(), "`b` overlaps another tensor"),
        (
            f'{{"a":{TWO % (0, 4)},"a":{TWO % (4, 8)}}}'.encode(),
            "it has the duplicate key `a`",
        ),
        (b'{"__metadata__":[]}', "`__metadata__` is not an object of strings"),
        (b'{"__metadata__":{"net":1}}', "`__metadata__` is not an object of strings"),
    ],
)
def test_a_header_that_lies_is_told(tmp_path: Path, header: bytes, reason: str) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(GrowlangError, match=reason):
        read_header(path)


def test_a_file_that_is_cut_anywhere_is_refused(whole: Path) -> None:
    content = whole.read_bytes()
    for length in range(len(content)):
        whole.write_bytes(content[:length])
        with pytest.raises(GrowlangError, match="is not a valid safetensors file"):
            read_header(whole)


def test_what_is_read_here_is_read_by_the_formats_own_reader(whole: Path) -> None:
    """Each byte of the header is changed into others: both readers take it, or neither does."""
    content, length = whole.read_bytes(), read_header(whole).length
    taken = 0
    for at, value in product(range(length), b'7"},\xff'):
        whole.write_bytes(content[:at] + bytes([value]) + content[at + 1 :])
        ours = theirs = True
        try:
            read_header(whole)
        except GrowlangError:
            ours = False
        try:
            with safe_open(whole, framework="pt") as file:
                file.keys()
        except SafetensorError:
            theirs = False
        assert ours == theirs, whole.read_bytes()[:length]
        taken += ours
    assert taken > 50


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_number_that_is_not_finite_is_found_wherever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, value: str
) -> None:
    monkeypatch.setattr(tensor_file, "PIECE", 16)
    largest = torch.finfo(dtype).max
    fine = torch.tensor([largest, -largest, 0.0, torch.finfo(dtype).tiny] * 5, dtype=dtype)
    path = tmp_path / "a.safetensors"
    save_file({"fine": fine, "odd": torch.full((3,), 2**31 - 1, dtype=torch.int32)}, path)
    assert list(nonfinite(path, read_header(path))) == []
    for place in range(len(fine)):
        broken = fine.clone()
        broken[place] = float(value)
        save_file({"fine": fine, "broken": broken}, path)
        assert list(nonfinite(path, read_header(path))) == ["broken"]
