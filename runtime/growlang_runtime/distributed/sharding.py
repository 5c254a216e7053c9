"""A net whose weights are spread over processes: FSDP2, for each module of the graph and the root.

Weights, gradients, moments and averages of a row of a tensor lie in one process; a module's
weights are gathered while it is computed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from torch import fx, nn

from growlang.diagnostics import GrowlangError
from growlang_runtime.distributed.dropout import again

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh


def shard(module: fx.GraphModule, mesh: DeviceMesh) -> None:
    """Spread the module's parameters over the mesh; their names stay as they are.

    Raises GrowlangError for a parameter that is a single number, which has no rows.
    """
    from torch.distributed.fsdp import fully_shard

    for name, parameter in module.named_parameters():
        if not parameter.dim():
            raise GrowlangError(
                f"`{name}` is a single number, which cannot be spread over processes",
                help="let the op declare it with the shape (1,), or train in one process",
            )
    # some maps return views, as torch's linear does; no op of a net writes into its input
    warnings.filterwarnings("ignore", "FSDP2-wrapped module")
    for part in blocks(module).values():
        fully_shard(part, mesh=mesh)
    fully_shard(module, mesh=mesh)


def blocks(module: fx.GraphModule) -> dict[str, nn.Module]:
    """The modules that the graph calls and that have parameters, by their place in the net."""
    called = [str(node.target) for node in module.graph.nodes if node.op == "call_module"]
    found = {name: module.get_submodule(name) for name in called}
    return {name: block for name, block in found.items() if any(True for _ in block.parameters())}


def recompute(module: fx.GraphModule) -> None:
    """Let each block keep only its inputs for the backward pass, which computes it again."""
    from torch.utils.checkpoint import checkpoint

    for part in blocks(module).values():
        cast(Any, part).forward = partial(
            checkpoint, part.forward, use_reentrant=False, context_fn=again
        )


def gather_gradients(module: nn.Module, last: bool) -> None:
    """Say whether a pass is the last of a step: only then are gradients added up over processes."""
    if hasattr(module, "set_requires_gradient_sync"):
        cast(Any, module).set_requires_gradient_sync(last)


def within(root: nn.Module, module: nn.Module) -> Callable[..., Any]:
    """A module that shares parts with a sharded root, computed inside of a pass of the root.

    The root gathers what belongs to none of its parts, and keeps passes in order.
    """

    def computed(*inputs: Any) -> Any:
        cast(Any, root).forward = lambda *given: module(*given)
        try:
            return root(*inputs)
        finally:
            del cast(Any, root).forward

    return computed


def reshard(module: nn.Module) -> None:
    """Let go of the gathered weights: the next pass gathers them anew.

    The root keeps them after a pass without gradients, whatever becomes of its shards.
    """
    for part in module.modules():
        if hasattr(part, "reshard"):
            cast(Any, part).reshard()
