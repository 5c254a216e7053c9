"""Which module computes an op: what a decorator says beside it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TypeVar

from torch import nn

from growlang.diagnostics import GrowlangError
from growlang.ops import BUILT_IN, Op
from growlang.signatures import installed

MODULES_GROUP = "growlang.modules"
"""Entry points of the modules of installed ops and conditions."""

Builder = Callable[..., nn.Module]
"""Makes the module of an op: (op, shape of its input, scope, device)."""
B = TypeVar("B", bound=Builder)

_BUILDERS: dict[str, Builder] = {}


def builds(*ops: str) -> Callable[[B], B]:
    """Marks what builds the modules of ops that `growlang/ops` declares in a file of this name."""

    def register(builder: B) -> B:
        _BUILDERS.update(dict.fromkeys(ops, builder))
        return builder

    return register


def builder_of(op: type[Op]) -> Builder:
    """What builds the modules of an op, built in or installed.

    Raises GrowlangError if there is nothing, or if it cannot be imported.
    """
    if op.call not in BUILT_IN:
        return _installed(op.call)
    family = op.__module__.rpartition(".")[2]
    module = f"growlang.torch_backend.{family}"
    try:
        import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
    if op.call not in _BUILDERS:
        raise GrowlangError(
            f"the op `{op.call}` has no module",
            help=f'add one with @builds("{op.call}") to growlang/torch_backend/{family}.py',
        )
    return _BUILDERS[op.call]


def _installed(name: str) -> Builder:
    entry = installed.entry_of(MODULES_GROUP, name)
    if entry is None:
        raise GrowlangError(
            f"no installed package has a module for the op `{name}`",
            help=f"declare it: an entry point `{name}` in the group `{MODULES_GROUP}`",
        )
    builder: Builder = installed.load(entry)
    return builder
