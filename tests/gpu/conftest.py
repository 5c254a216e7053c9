"""The device of the tests on a GPU: CUDA where it is, or for a rehearsal the CPU."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "runtime"))  # for `tiny` and its like

from tiny import write_data

REHEARSES = os.environ.get("GROWLANG_GPU_TESTS") == "cpu"
PRESENT = torch.cuda.is_available() and not REHEARSES
if PRESENT:  # before CUDA starts: the tests of determinism share the process with others
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


@pytest.fixture
def device() -> torch.device:
    """CUDA; the CPU where GROWLANG_GPU_TESTS=cpu asks for it. Else the test is skipped."""
    if PRESENT:
        return torch.device("cuda")
    if REHEARSES:
        return torch.device("cpu")
    pytest.skip("this machine has no CUDA device; GROWLANG_GPU_TESTS=cpu rehearses on the CPU")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Several threads are far slower on nets as small as those of the tests."""
    torch.set_num_threads(1)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with `data.tar` of images for the tiny net; captions of all its tokens and fewer."""
    captions = [b"one two three four", b"red", b"blue sky", b"", b"a b c d e", b"shade"]
    return write_data(tmp_path, captions=captions)
