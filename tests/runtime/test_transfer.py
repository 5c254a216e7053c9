"""Batches on their way to a device: buffers in turn, copies ahead, the same numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import NamedTuple

import pytest
import torch
from tiny import net, phase, train, write_data
from tiny import plan as tiny_plan
from torch import Tensor

from growlang_runtime.conditioning.conditioner import Conditioner
from growlang_runtime.data.images import Indexes
from growlang_runtime.train import batches as batches_of
from growlang_runtime.train.batches import CPU, on_device, open_data, step_batches
from growlang_runtime.train.transfer import AHEAD, Cuda, Mark, Ring


class Recorded(NamedTuple):
    """A copy that is done when it is waited for, or received."""

    number: int
    calls: list[str]
    pending: list[tuple[Tensor, Tensor]]

    def wait(self) -> None:
        self.calls.append(f"wait {self.number}")
        self._arrive()

    def receive(self, tensors: Mapping[str, Tensor]) -> None:
        self.calls.append(f"receive {self.number}")
        self._arrive()

    def _arrive(self) -> None:
        while self.pending:
            there, buffer = self.pending.pop()
            there.copy_(buffer)


class Slow:
    """A link whose copies take place as late as they may: what is overwritten before is lost."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.pinned_bytes = 0
        self.enough = Event()
        self._copies = 0
        self._pending: list[tuple[Tensor, Tensor]] = []

    def pinned(self, like: Tensor) -> Tensor:
        self.pinned_bytes += like.nbytes
        return torch.empty_like(like)

    def send(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        self.calls.append(f"send {self._copies}")
        if self._copies == 2 + AHEAD:
            self.enough.set()
        there = {name: torch.full_like(tensor, 0) for name, tensor in tensors.items()}
        self._pending = [(there[name], tensor) for name, tensor in tensors.items()]
        return there

    def mark(self) -> Mark:
        self._copies += 1
        return Recorded(self._copies - 1, self.calls, self._pending)


def test_a_pinned_buffer_is_used_again_only_after_its_copy() -> None:
    link = Slow()
    ring = Ring(link, slots=2)
    given = [{"x": torch.full((3,), float(i)), "ids": torch.tensor([i])} for i in range(5)]
    sent = [ring.send(tensors) for tensors in given]
    assert link.calls == [
        "send 0",
        "send 1",
        *["wait 0", "send 2", "wait 1", "send 3", "wait 2", "send 4"],
    ]
    assert link.pinned_bytes == 2 * (12 + 8)
    for one, tensors in zip(sent, given, strict=True):
        found = one.receive()
        assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())
    ring.send({"x": torch.zeros(7)})
    assert link.pinned_bytes == 2 * (12 + 8) + 28, "another shape needs another buffer"


def test_two_batches_are_on_their_way_while_one_is_used(tmp_path: Path) -> None:
    write_data(tmp_path)
    (data,) = open_data([phase(steps=6)], net(), Indexes(tmp_path), noise=2)
    conditioner, link = Conditioner(net()), Slow()
    arriving = on_device(step_batches(data, conditioner, 0, 1), link)
    first = next(arriving)
    second = next(arriving)
    third = next(arriving)
    assert link.enough.wait(600), "so many are sent while the third one is used"
    assert "send 5" not in link.calls
    found = [first, second, third, *arriving]
    plain = list(step_batches(data, conditioner, 0, 1))
    for one, other in zip(found, plain, strict=True):
        assert torch.equal(one.x, other.x)
        assert torch.equal(one.t, other.t)
        assert torch.equal(one.noise.on(CPU), other.noise.on(CPU))
        assert one.conditions.keys() == other.conditions.keys()
    assert [call for call in link.calls if "receive" in call] == [f"receive {i}" for i in range(6)]


def test_a_run_through_a_link_is_the_same(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = train(tiny_plan(), data, "plain", quiet=True)
    link = Slow()
    monkeypatch.setattr(batches_of, "link_to", lambda device: link)
    sent = train(tiny_plan(), data, "sent", quiet=True)
    assert len([call for call in link.calls if call.startswith("send")]) == 4
    assert (sent.run / "model.safetensors").read_bytes() == (
        plain.run / "model.safetensors"
    ).read_bytes()


def test_batches_are_received_on_the_stream_of_their_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever PyTorch's current device is."""
    behind: list[torch.device] = []

    class Stream(NamedTuple):
        device: torch.device

        def wait_event(self, event: object) -> None:
            behind.append(self.device)

    class Event:
        def record(self, stream: object) -> None:
            pass

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    Cuda(torch.device("cuda:1")).mark().receive({})
    assert behind == [torch.device("cuda:1")]
