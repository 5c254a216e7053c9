from __future__ import annotations

import pytest
import torch

from growlang.diagnostics import GrowlangError
from growlang.torch_backend.device import available, mark, open_device, peak_memory

ODD = ("", " ", "meta", "cuda:99", "cuda:-1", "cuda:x", "cpu:3", "-1", "gpu", "CPU", "cpu ", "hpu")
BACKENDS = ("privateuseone", "xla", "vulkan", "lazy", "opengl", "mtia", "cuda:999999999999")


@pytest.mark.parametrize("name", [*ODD, *BACKENDS])
def test_a_device_that_is_not_there_is_one_message(name: str) -> None:
    with pytest.raises(GrowlangError) as error:
        open_device(name)
    assert error.value.message == f"no device `{name}` on this machine"
    assert "--device: cpu" in error.value.help


def test_the_devices_of_this_machine_open() -> None:
    assert available()[0] == "cpu:0"
    assert open_device("cpu") == open_device("cpu:0") == torch.device("cpu")


def test_a_device_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch, "zeros", _fails)
    with pytest.raises(GrowlangError, match="cannot use device `mps`: out of memory"):
        open_device("mps")


def _fails(*size: int, device: torch.device) -> None:
    raise RuntimeError("out of memory\nand much more")


def test_memory_is_that_of_the_process_in_bytes() -> None:
    assert 2**25 < peak_memory(torch.device("cpu")) < 2**40


def test_auto_takes_what_a_run_began_with_or_the_first_kind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert open_device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch, "zeros", lambda *size, device: None)
    assert open_device("auto") == torch.device("mps")
    assert open_device("auto", recorded="cpu") == torch.device("cpu")
    assert open_device("auto", recorded="cuda") == torch.device("mps")
    assert open_device("cpu", recorded="mps") == torch.device("cpu")


def test_a_gpu_with_a_number_becomes_the_current_one(monkeypatch: pytest.MonkeyPatch) -> None:
    current: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    monkeypatch.setattr(torch, "zeros", lambda *size, device: None)
    open_device("cuda")
    assert open_device("cuda:1") == torch.device("cuda:1")
    assert current == [torch.device("cuda:1")]


def test_a_mark_is_on_the_stream_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    marked: list[tuple[str, torch.device]] = []

    class Event:
        def record(self, stream: tuple[str, torch.device]) -> None:
            marked.append(stream)

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: ("stream", device))
    mark(torch.device("cuda:1"))
    assert marked == [("stream", torch.device("cuda:1"))]
