"""One `nn.Module` per op."""

from __future__ import annotations

from torch import nn

from growlang.diagnostics import GrowlangError
from growlang.net import Shape
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
