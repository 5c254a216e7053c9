"""How far two files of weights of one net are apart, by component."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from growlang.net import Net
from growlang.plans.fit import averages_in
from growlang.plans.tensor_index import read_index
from growlang.plans.weights_header import RECORD, header_of, is_state


class WeightDifference(NamedTuple):
    """How far the tensors of a component are apart."""

    component: str
    tensors: int
    differing: int
    """Tensors that are not equal bit for bit."""
    relative: float
    """|b - a| / |a| over all of them, by the Euclidean norm."""
    largest: float
    """The largest difference of two entries."""
    tensor: str
    """The tensor that it is in; empty where all are equal."""


def weight_differences(a: Path, b: Path, net: Net) -> tuple[WeightDifference, ...]:
    """A row for each component of the net, the largest relative difference first.

    Of checkpoints, the averaged weights are compared. One tensor of each file is read at a time.
    """
    with opened(a) as old, opened(b) as new:

        def pair(name: str) -> tuple[Tensor, Tensor]:
            return old(name).double(), new(name).double()

        rows = [
            _component(c.name, [t.name for n in net.of(c.name) for t in n.tensors], pair)
            for c in net.components
        ]
    found = [row for row in rows if row.tensors]
    return tuple(sorted(found, key=lambda row: -row.relative))


@contextmanager
def opened(path: Path) -> Iterator[Callable[[str], Tensor]]:
    """The weights in a file by name; of a checkpoint the averages, whatever its form is."""
    from safetensors import safe_open

    if path.name == RECORD:
        from growlang.torch_backend import distcp

        header = header_of(path)
        first = averages_in(header.tensors)[0]

        def read(name: str) -> Tensor:
            found = distcp.empty(header, first + name)
            distcp.read(path.parent, {first + name: found})
            return found

        yield read
        return
    index = read_index(path)
    prefix = averages_in(index.tensors)[0] if is_state(path) else ""
    with ExitStack() as stack:
        files = {p: stack.enter_context(safe_open(p, framework="pt")) for p in index.files}
        yield lambda name: files[index.tensors[prefix + name].file].get_tensor(prefix + name)


def _component(
    name: str, tensors: list[str], pair: Callable[[str], tuple[Tensor, Tensor]]
) -> WeightDifference:
    differing, apart, norm, largest, where = 0, 0.0, 0.0, 0.0, ""
    for tensor in tensors:
        a, b = pair(tensor)
        change = (b - a).abs()
        norm += float(a.square().sum())
        apart += float(change.square().sum())
        differing += not torch.equal(a, b)
        if change.numel() and (most := float(change.max())) > largest:
            largest, where = most, tensor
    relative = (apart / norm) ** 0.5 if norm else float(apart > 0)
    return WeightDifference(str(name), len(tensors), differing, relative, largest, where)
