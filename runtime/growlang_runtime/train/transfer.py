"""Batches on their way to a GPU: through pinned memory, copied beside what is computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

AHEAD = 2
"""Batches that are on the device, or on their way to it, while another one trains."""

Tensors = Mapping[str, Tensor]


class Mark(Protocol):
    """A place among the copies of a link."""

    def wait(self) -> None:
        """Wait on the CPU until the copies up to here are done."""

    def receive(self, tensors: Tensors) -> None:
        """Let what the device computes from now on wait for them, and keep their memory so long."""


class Link(Protocol):
    """The way from the CPU's memory to a device's."""

    def pinned(self, like: Tensor) -> Tensor:
        """Memory of the CPU that the device reads by itself."""

    def send(self, tensors: Tensors) -> dict[str, Tensor]:
        """Begin to copy pinned tensors; they are not to be written before a mark behind it."""

    def mark(self) -> Mark:
        """A mark behind all copies so far."""


class Sent(NamedTuple):
    """Tensors on the device, which may be used once the mark is received."""

    tensors: dict[str, Tensor]
    mark: Mark

    def receive(self) -> dict[str, Tensor]:
        """The tensors, for what is computed from now on."""
        self.mark.receive(self.tensors)
        return self.tensors


class Ring:
    """Pinned buffers that are used in turn, each again only when its copy is done."""

    def __init__(self, link: Link, slots: int = AHEAD) -> None:
        self.link = link
        self._buffers: list[dict[str, Tensor]] = [{} for _ in range(slots)]
        self._marks: list[Mark | None] = [None] * slots
        self._next = 0

    def send(self, tensors: Tensors) -> Sent:
        """Begin to copy tensors of the CPU to the device."""
        slot, self._next = self._next, (self._next + 1) % len(self._buffers)
        if (before := self._marks[slot]) is not None:
            before.wait()
        buffers = self._buffers[slot]
        for name, tensor in tensors.items():
            kept = buffers.get(name)
            if kept is None or (kept.shape, kept.dtype) != (tensor.shape, tensor.dtype):
                buffers[name] = self.link.pinned(tensor)
            buffers[name].copy_(tensor)
        there = self.link.send({name: buffers[name] for name in tensors})
        self._marks[slot] = mark = self.link.mark()
        return Sent(there, mark)


class Cuda:
    """The link to a CUDA device, with a stream of its own."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def pinned(self, like: Tensor) -> Tensor:
        """Page-locked memory."""
        return torch.empty(like.shape, dtype=like.dtype, pin_memory=True)

    def send(self, tensors: Tensors) -> dict[str, Tensor]:
        """Copies on the link's stream."""
        with torch.cuda.stream(self.stream):
            return {n: t.to(self.device, non_blocking=True) for n, t in tensors.items()}

    def mark(self) -> Mark:
        """An event of the link's stream."""
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(self.stream)
        return _Event(event, self.device)


class _Event(NamedTuple):
    event: torch.cuda.Event
    device: torch.device

    def wait(self) -> None:
        self.event.synchronize()

    def receive(self, tensors: Tensors) -> None:
        stream = torch.cuda.current_stream(self.device)
        stream.wait_event(self.event)
        for tensor in tensors.values():
            tensor.record_stream(stream)


def link_to(device: torch.device) -> Link | None:
    """The link to a device whose copies go on beside what it computes, if it is one."""
    return Cuda(device) if device.type == "cuda" else None
