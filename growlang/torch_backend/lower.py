"""From a net to a `torch.fx.GraphModule`: the graph is written node by node, not traced."""

from __future__ import annotations

import linecache
import operator
import re
from typing import Any

import torch
from torch import fx, nn

from growlang.diagnostics import GrowlangError
from growlang.net import Net, Node, Tensor
from growlang.ops import op_in
from growlang.torch_backend.conditions import sincos
from growlang.torch_backend.layers import Device
from growlang.torch_backend.modules import build

JOINED = {"subtract": operator.sub, "add": operator.add}
"""What the ops compute that join two values of one shape."""
PLAIN = {"tokens", "grid", "concat", "position", *JOINED}
"""Ops that are a call or two of PyTorch's, without a module."""


class LoweredNet(fx.GraphModule):
    """The compiled net. What fails inside is reported at the line of the spec that declared it."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The prediction (B, C, H, W), from the values of the net's inputs in their order.

        Raises GrowlangError, caused by what was raised inside, with the place in the spec.
        """
        try:
            return super().__call__(*args, **kwargs)
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            node = self._failed(error)
            if node is None:
                raise
            span, path = node.meta["span"], node.meta["path"]
            place = f"{span} ({path})" if span else path
            raise GrowlangError(f"cannot compute the net at {place}: {error}") from error

    def _failed(self, error: BaseException) -> fx.Node | None:
        """The node that was computed when `error` was raised: each has a line of the code."""
        code, trace = type(self).forward.__code__, error.__traceback__
        while trace and trace.tb_frame.f_code is not code:
            trace = trace.tb_next
        if trace is None:
            return None
        line = linecache.getline(code.co_filename, trace.tb_lineno)
        name = line.split("=", 1)[0].strip()
        return next((n for n in self.graph.nodes if n.name == name and "path" in n.meta), None)


def lower(net: Net, device: Device = "meta") -> LoweredNet:
    """The module that computes the net, called with the values of `net.inputs` in order.

    Its state_dict has exactly the names of `net.table`, and no buffers; parameters are allocated
    on `device` and hold no values until `initialise` draws them. Raises GrowlangError if a place
    of the net has a name that PyTorch's modules use for themselves.
    """
    graph = fx.Graph()
    owned: dict[str, nn.Module | nn.Parameter] = {}
    values = {i.name: graph.placeholder(_identifier(i.name)) for i in net.inputs}
    for node in net.nodes:
        _refuse_reserved(node)
        inputs = [values[name] for name in node.inputs]
        if node.op in PLAIN:
            steps = _internal(graph, node, inputs)
            owned |= {t.name: _parameter(t, device) for t in node.tensors}
        else:
            taken = [_table(graph, node, number) for number in range(len(node.tables))]
            steps = [*taken, _step(graph, node, "call_module", node.path, *inputs, *taken)]
            owned[node.path] = build(op_in(node), net.shapes[node.inputs[0]], node.scope, device)
        for step in steps:
            step.meta |= {"span": node.span, "path": node.path}
        values[node.path] = steps[-1]
    graph.output(values[net.output])
    _own_tables(net, owned)
    return LoweredNet(owned, graph, class_name=net.name)


def _step(
    graph: fx.Graph, node: Node, kind: str, target: Any, *args: Any, suffix: str = ""
) -> fx.Node:
    return graph.create_node(kind, target, args, name=_identifier(node.path) + suffix)


def _table(graph: fx.Graph, node: Node, number: int) -> fx.Node:
    """A tensor of another node, as it is."""
    return _step(graph, node, "get_attr", node.tables[number], suffix=f"_table_{number}")


def _own_tables(net: Net, owned: dict[str, nn.Module | nn.Parameter]) -> None:
    """Name the tables that nodes take of others among what the graph owns."""
    for name in {table for node in net.nodes for table in node.tables} - owned.keys():
        path = next(path for path in owned if name.startswith(f"{path}."))
        module = owned[path]
        assert isinstance(module, nn.Module)
        owned[name] = module.get_parameter(name.removeprefix(f"{path}."))


def _internal(graph: fx.Graph, node: Node, inputs: list[fx.Node]) -> list[fx.Node]:
    """The calls that an op without a module stands for; the last one has the node's value."""
    x = inputs[0]
    if node.op == "tokens":
        flat = _step(graph, node, "call_method", "flatten", x, 2, suffix="_flat")
        return [flat, _step(graph, node, "call_method", "transpose", flat, 1, 2)]
    if node.op == "grid":
        sides = (node.args["height"], node.args["width"])
        turned = _step(graph, node, "call_method", "transpose", x, 1, 2, suffix="_flat")
        return [turned, _step(graph, node, "call_method", "unflatten", turned, 2, sides)]
    if node.op == "concat":
        return [_step(graph, node, "call_function", torch.cat, inputs, 1)]
    if node.op in JOINED:
        return [_step(graph, node, "call_function", JOINED[node.op], *inputs)]
    if node.tensors:
        name = node.tensors[0].name
        table = _step(graph, node, "get_attr", name, suffix="_position")
    else:
        sides = (node.args.get("height"), node.args.get("width"))
        sides += (True,) if node.args.get("kind") == "sincos_xy" else ()
        table = _step(graph, node, "call_function", sincos, x, *sides, suffix="_position")
    return [table, _step(graph, node, "call_function", operator.add, x, table)]


def _parameter(tensor: Tensor, device: Device) -> nn.Parameter:
    return nn.Parameter(torch.empty(tensor.shape, device=device))


def _identifier(path: str) -> str:
    return re.sub(r"\W", "_", path)


def _refuse_reserved(node: Node) -> None:
    """Raise GrowlangError where a part of the path hides an attribute of PyTorch's modules."""
    names = [*node.path.split("."), *(op_in(node).attended or ())]
    for name in names:
        if hasattr(fx.GraphModule, name) or hasattr(nn.ModuleDict, name):
            raise GrowlangError(
                f"{node.span or node.path}: {name} is a name used by PyTorch's modules",
                help=f"give {name} another name, such as {name}_1",
            )
