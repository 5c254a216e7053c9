"""A net as one file of plain PyTorch: its layers as they are written here, and who reads whom.

The file's `Denoiser` has the parameters of the net under their own names, and computes what the
lowered net computes, in the same order.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import fx

from growlang.diagnostics import GrowlangError
from growlang.net import Net
from growlang.torch_backend.conditions import sincos
from growlang.torch_backend.lower import lower
from growlang_runtime.export.flat import Flat, Name
from growlang_runtime.export.layers_code import Layers
from growlang_runtime.export.python_text import WIDTH, inside, quoted

SIGNS: Mapping[Any, str] = {operator.add: "+", operator.sub: "-"}

HEADER = '''"""The denoiser of {name}: written by growlang {version}, of which it needs nothing.

net_hash {net_hash}
"""
'''

PART = '''class Part(nn.Module):
    """A module that has been given its layers and settings by name."""

    def __init__(self, **parts: Any) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
'''

FRAME = '''def place(root: nn.Module, path: str, part: nn.Module | nn.Parameter) -> None:
    """Put a module or a parameter at a dotted path below a module."""
    *parents, name = path.split(".")
    for parent in parents:
        if parent not in root._modules:
            root.add_module(parent, nn.Module())
        root = root.get_submodule(parent)
    if isinstance(part, nn.Parameter):
        root.register_parameter(name, part)
    else:
        root.add_module(name, part)


class Denoiser(ModelMixin, ConfigMixin):
    """{name}: predicts {predicts} of a noisy image.

    `drawing` says how images are drawn with it; the pipeline beside it reads that.
    """

    @register_to_config
    def __init__(
        self,
        sample_size: int = {size},
        in_channels: int = {channels},
        out_channels: int = {out},
        net_hash: str = {net_hash},
        drawing: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
{made}

    def forward({inputs}) -> Tensor:
        """The prediction {result}.

{shapes}
        """
        part = self.get_submodule
{computed}

    def save_pretrained(self, save_directory: Any, *args: Any, **kwargs: Any) -> None:
        """As every model; this file is saved too."""
        super().save_pretrained(save_directory, *args, **kwargs)
        code = Path(__file__)
        shutil.copyfile(code, Path(save_directory) / code.name)
'''


def denoiser_code(net: Net, predicts: str, version: str) -> str:
    """The text of the file. Raises GrowlangError for an op whose module cannot be written so."""
    module = lower(net)
    writer = Layers(net)
    made = "\n".join(writer.made(module))
    computed = "\n".join(f"        {line}" for line in statements(module.graph, net, writer.flat))
    channels, height, width = net.image.dims
    if height != width:
        size: Any = [height, width]
    else:
        size = height
    text = FRAME.format(
        name=inside(net.name),
        predicts=inside(predicts),
        size=size,
        channels=channels,
        out=net.result.dims[0],
        net_hash=quoted(net.net_hash),
        made=made,
        inputs=_signature([f"{_identifier(i.name)}: Tensor" for i in net.inputs]),
        result=_shape(net.result.dims),
        shapes="\n".join(f"        {_identifier(i.name)}: {_about(i)}" for i in net.inputs),
        computed=computed,
    )
    header = HEADER.format(name=inside(net.name), version=version, net_hash=net.net_hash)
    flat = writer.flat
    for name, found in FIXED.items():
        flat.imports[name] = found
    parts = [header + "\nfrom __future__ import annotations", flat.header()]
    body = filter(None, [PART.rstrip(), flat.body(), text])
    return "\n\n".join(parts) + "\n\n\n" + "\n\n\n".join(body)


FIXED = {
    "Any": Name("typing", "Any"),
    "Path": Name("pathlib", "Path"),
    "shutil": Name("shutil", ""),
    "nn": Name("torch", "nn"),
    "Tensor": Name("torch", "Tensor"),
    "ConfigMixin": Name("diffusers.configuration_utils", "ConfigMixin"),
    "register_to_config": Name("diffusers.configuration_utils", "register_to_config"),
    "ModelMixin": Name("diffusers.models.modeling_utils", "ModelMixin"),
}
"""What the frame itself imports."""


def _signature(arguments: Sequence[str]) -> str:
    """The arguments of `forward`, on one line if it has room."""
    line = ", ".join(["self", *arguments])
    if len(line) + len("    def forward() -> Tensor:") <= WIDTH:
        return line
    rows = "".join(f"        {argument},\n" for argument in ("self", *arguments))
    return f"\n{rows}    "


def _about(given: Any) -> str:
    kind = {"ids": "int64", "label": "int64", "mask": "bool", "level": "float64"}
    reads = {
        "image": "the noisy image",
        "log_snr": "what the net reads of its log-SNR",
        "level": "its log-SNR",
    }
    about = reads.get(given.role, inside(f"{given.role} of the condition `{given.condition}`"))
    return f"{_shape(given.shape.dims)} {kind.get(given.role, 'float32')}, {about}"


def _shape(dims: Sequence[int]) -> str:
    return f"(B, {', '.join(map(str, dims))})" if dims else "(B,)"


# --- the computation -----------------------------------------------------------------------------


def statements(graph: fx.Graph, net: Net, flat: Flat) -> Iterator[str]:
    """The lines of `forward`: the value that flows on is `x`, others have names of their own."""
    nodes = [n for n in graph.nodes if n.op not in ("placeholder", "output")]
    named = {*net.encoders, "time"}
    names = {n: n.name for n in graph.nodes if n.op == "placeholder"}
    flowing = [n for n in nodes if str(n.meta.get("path", "")) not in named]
    order = {n: index for index, n in enumerate(graph.nodes)}
    kept = 0
    for node in nodes:
        text = _written(node, names, flat)
        if node not in flowing:
            names[node] = _free(node.name)
            yield f"{names[node]} = {text}"
            continue
        yield f"x = {text}"
        names[node] = "x"
        behind = next((order[n] for n in flowing if order[n] > order[node]), len(order))
        if any(order[user] > behind for user in node.users):
            kept += 1
            yield f"kept_{kept} = x"
            names[node] = f"kept_{kept}"
    output = next(n for n in graph.nodes if n.op == "output")
    yield f"return {names[output.args[0]]}"


def _written(node: fx.Node, names: Mapping[fx.Node, str], flat: Flat) -> str:
    if node.target is torch.cat:
        flat.imports["torch"] = Name("torch", "")
        parts: Any = node.args[0]
        return f"torch.cat([{', '.join(names[p] for p in parts)}], {node.args[1]})"
    given = [names[a] if isinstance(a, fx.Node) else repr(a) for a in node.args]
    if node.op == "call_module":
        return f"part({quoted(str(node.target))})({', '.join(given)})"
    if node.op == "get_attr":
        return f"self.get_parameter({quoted(str(node.target))})"
    if node.op == "call_method":
        return f"{given[0]}.{node.target}({', '.join(given[1:])})"
    if sign := SIGNS.get(node.target):
        return f"{given[0]} {sign} {given[1]}"
    if node.target is sincos:
        flat.add(Name(sincos.__module__, sincos.__name__))
        return f"sincos({', '.join(given)})"
    raise GrowlangError(f"the computation {node.target} cannot be written")


def _free(name: str) -> str:
    """A name that nothing else in `forward` has."""
    return f"{name}_" if name in ("x", "part", "self", "torch", "nn", "F", "sincos") else name


def _identifier(name: str) -> str:
    return re.sub(r"\W", "_", name)
