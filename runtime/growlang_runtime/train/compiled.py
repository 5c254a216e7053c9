"""Compiling the blocks of a net, each by itself: names of weights and messages stay as they are."""

from __future__ import annotations

import torch
from torch import fx

from growlang_runtime.distributed.sharding import blocks


def compile_blocks(*modules: fx.GraphModule) -> None:
    """Compile the blocks anew: what trains in a phase is part of their code.

    They are compiled when they are first called. What an earlier phase had compiled is forgotten.
    """
    torch.compiler.reset()
    for module in modules:
        for block in blocks(module).values():
            block.compile(dynamic=False)
