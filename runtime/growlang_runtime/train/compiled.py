"""Compiling the blocks of a net, each by itself: names of weights and messages stay as they are."""

from __future__ import annotations

import torch
from torch import fx, nn


def blocks(module: fx.GraphModule) -> dict[str, nn.Module]:
    """The modules that the graph calls and that have parameters, by their place in the net."""
    called = [str(node.target) for node in module.graph.nodes if node.op == "call_module"]
    found = {name: module.get_submodule(name) for name in called}
    return {name: block for name, block in found.items() if any(True for _ in block.parameters())}


def compile_blocks(*modules: fx.GraphModule) -> None:
    """Compile the blocks anew: what trains in a phase is part of their code.

    They are compiled when they are first called. What an earlier phase had compiled is forgotten.
    """
    torch.compiler.reset()
    for module in modules:
        for block in blocks(module).values():
            block.compile(dynamic=False)
