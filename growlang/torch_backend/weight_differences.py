"""How far two files of weights of one net are apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
from torch import Tensor

from growlang.net import Net
from growlang.plans.fit import averages_in
from growlang.plans.tensor_index import read_index
from growlang.plans.weights_apart import TensorDifference
from growlang.plans.weights_header import RECORD, header_of, is_state


def weight_differences(a: Path, b: Path, net: Net) -> tuple[TensorDifference, ...]:
    """A row for each tensor of the net, in its order.

    Of checkpoints, the averaged weights are compared. One tensor of each file is read at a time.
    """
    with opened(a) as old, opened(b) as new:
        return tuple(
            _tensor(str(component.name), tensor.name, old(tensor.name), new(tensor.name))
            for component in net.components
            for node in net.of(component.name)
            for tensor in node.tensors
        )


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


def _tensor(component: str, name: str, old: Tensor, new: Tensor) -> TensorDifference:
    a, b = old.double(), new.double()
    change = (b - a).abs()
    largest = float(change.max()) if change.numel() else 0.0
    norm, apart = float(a.square().sum()), float(change.square().sum())
    return TensorDifference(component, name, not torch.equal(a, b), norm, apart, largest)
