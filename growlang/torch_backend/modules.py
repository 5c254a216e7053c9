"""One `nn.Module` per op, and the rows of `init` in the table of parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

import torch
from torch import Tensor, nn

from growlang.diagnostics import GrowlangError
from growlang.net import Shape
from growlang.net.generations import MEASURED
from growlang.ops import BUILT_IN, Op, Scope
from growlang.torch_backend.layers import Device
from growlang.torch_backend.registration import builder_of


def build(op: Op, x: Shape, scope: Scope, device: Device = "meta") -> nn.Module:
    """The module of one op; its parameters are allocated on `device` and hold no values yet.

    Raises GrowlangError if an installed op's module has not the parameters that the op declares.
    """
    module = builder_of(type(op))(op, x, scope, device)
    if op.call in BUILT_IN:
        return module
    state = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    declared = {t.name: t.shape for t in op.tensors(x, scope)}
    if state != declared:
        name = min(dict(state.items() ^ declared.items()))
        raise GrowlangError(
            f"the module of the op `{op.call}` is not what the op declares: `{name}` is "
            f"{state.get(name, 'absent')} in the module and {declared.get(name, 'absent')} in the "
            "table of its tensors",
            help="the module's state must have exactly the declared names and shapes, no buffers",
        )
    return module


def _uniform(tensor: Tensor, generator: torch.Generator) -> None:
    bound = prod(tensor.shape[1:]) ** -0.5
    tensor.uniform_(-bound, bound, generator=generator)


def _normal(tensor: Tensor, generator: torch.Generator) -> None:
    tensor.normal_(generator=generator)


def _small(tensor: Tensor, generator: torch.Generator) -> None:
    tensor.normal_(std=0.02, generator=generator)


def _zeros(tensor: Tensor, generator: torch.Generator) -> None:
    tensor.zero_()


def _ones(tensor: Tensor, generator: torch.Generator) -> None:
    tensor.fill_(1)


def _identity(tensor: Tensor, generator: torch.Generator) -> None:
    fill = nn.init.eye_ if tensor.dim() == 2 else nn.init.dirac_
    fill(tensor)


INITIALISERS: Mapping[str, Callable[[Tensor, torch.Generator], None]] = {
    "linear": _uniform,
    "embedding": _normal,
    "position": _small,
    "tokens": _small,
    "zeros": _zeros,
    "ones": _ones,
    "identity": _identity,
    MEASURED: _ones,
}
"""How a tensor is drawn: `linear` is uniform within +-1/sqrt(fan-in), as in `nn.Linear`; a table
of embeddings is normal, as in `nn.Embedding`; one of positions, and what maps tokens to and from
their channels, is normal with std 0.02, as in GPT-2. `identity` is a square linear map, or the
centre of a convolution's filters. What is measured on data stands at one until it is."""
