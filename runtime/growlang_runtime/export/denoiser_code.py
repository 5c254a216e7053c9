"""A net as one file of plain PyTorch: its layers as they are written here, and who reads whom.

The file's `Denoiser` has the parameters of the net under their own names, and computes what the
lowered net computes, in the same order.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import fx, nn

from growlang.diagnostics import GrowlangError
from growlang.net import Net
from growlang.torch_backend.conditions import sincos
from growlang.torch_backend.lower import LoweredNet, lower
from growlang_runtime.export.flat import OWN, Flat, Name

LAYERS = "growlang.torch_backend.layers"
DRAWING = frozenset({"__init__", "reset_parameters"})
"""Methods that are not in the file: how modules are made of ops, and begin."""
BASES = {"nn.Module": "Part", "torch.nn.Module": "Part", "Module": "Part"} | {
    kind: f"nn.{kind}"
    for kind in ("Linear", "Conv2d", "GroupNorm", "LayerNorm", "Embedding", "RMSNorm")
}
SIGNS: Mapping[Any, str] = {operator.add: "+", operator.sub: "-"}
WIDTH = 100

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
        net_hash: str = "{net_hash}",
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


class Call(NamedTuple):
    """A call as it is written: positional values, then those by name."""

    name: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = {}


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
        name=net.name,
        predicts=predicts,
        size=size,
        channels=channels,
        out=net.result.dims[0],
        net_hash=net.net_hash,
        made=made,
        inputs=_signature([f"{_identifier(i.name)}: Tensor" for i in net.inputs]),
        result=_shape(net.result.dims),
        shapes="\n".join(f"        {_identifier(i.name)}: {_about(i)}" for i in net.inputs),
        computed=computed,
    )
    header = HEADER.format(name=net.name, version=version, net_hash=net.net_hash)
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
    about = reads.get(given.role, f"{given.role} of the condition `{given.condition}`")
    return f"{_shape(given.shape.dims)} {kind.get(given.role, 'float32')}, {about}"


def _shape(dims: Sequence[int]) -> str:
    return f"(B, {', '.join(map(str, dims))})" if dims else "(B,)"


class Layers:
    """Writes how the modules of a net are made, and takes along the classes that they are of."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.flat = Flat(bases=BASES, without=DRAWING)
        paths = {node.path for node in net.nodes}
        above = {".".join(p.split(".")[:n]) for p in paths for n in range(1, p.count(".") + 1)}
        self.around = paths & above
        """The nodes below whose own path others lie: they are placed first."""
        self._below: set[str] = set()
        """What is below the one that is being written, and is placed after it."""

    def made(self, module: LoweredNet) -> Iterator[str]:
        """The lines that make all modules; those in a row that are alike, in one loop."""
        alike: list[tuple[str, list[str]]] = []
        for path, part in self._parts(module):
            text = self._written(part, path)
            if alike and alike[-1][0] == text:
                alike[-1][1].append(path)
            else:
                alike.append((text, [path]))
        for text, paths in alike:
            if len(paths) == 1:
                yield _indented(f'place(self, "{paths[0]}", {text})', text, paths[0], 8)
                continue
            listed = "".join(f'\n            "{path}",' for path in paths)
            yield f"        for path in ({listed}\n        ):"
            yield _indented(f"place(self, path, {text})", text, "", 12)

    def _parts(self, module: LoweredNet) -> Iterator[tuple[str, nn.Module | nn.Parameter]]:
        called = {n.target for n in module.graph.nodes if n.op == "call_module"}
        nodes = sorted(self.net.nodes, key=lambda node: node.path not in self.around)
        for node in nodes:
            if node.path in called:
                yield node.path, module.get_submodule(node.path)
            else:
                yield from ((t.name, module.get_parameter(t.name)) for t in node.tensors)

    def expression(self, part: nn.Module | nn.Parameter) -> str:
        """How a module or a parameter is made, over lines whose indent is 12."""
        return render(self._call(part), 12)

    def _written(self, part: nn.Module | nn.Parameter, path: str) -> str:
        below = (n.path for n in self.net.nodes if n.path.startswith(f"{path}."))
        self._below = {name.removeprefix(f"{path}.").split(".")[0] for name in below}
        try:
            return self.expression(part)
        except (GrowlangError, OSError, SyntaxError) as error:
            op = next((n.op for n in self.net.nodes if n.path == path), "")
            said = error.message if isinstance(error, GrowlangError) else str(error)
            raise GrowlangError(
                f"the module of the op `{op}` cannot be written as a file of its own: {said}",
                help="export the weights alone with --to safetensors, or give the module layers "
                "of torch.nn and attributes that are numbers, strings or modules",
            ) from error

    def _call(self, part: Any) -> Any:
        """How a module, a parameter or a setting is written."""
        if isinstance(part, nn.Parameter):
            return Call("nn.Parameter", [Call("torch.empty", [*part.shape])])
        if not isinstance(part, nn.Module):
            return part
        kind: type = type(part)
        known = next(k for k in kind.__mro__ if k.__module__.startswith("torch.nn.modules"))
        if known is nn.Module:
            return Call(self._class(kind), (), self._settings(part))
        if isinstance(part, nn.ModuleDict):
            return {name: self._call(inner) for name, inner in part.items()}
        if isinstance(part, nn.Sequential):
            return Call("nn.Sequential", [self._call(inner) for inner in part])
        if isinstance(part, nn.ModuleList):
            return Call("nn.ModuleList", [[self._call(inner) for inner in part]])
        own = any(set(vars(k)) & {"forward"} for k in kind.__mro__[: kind.__mro__.index(known)])
        name = self._class(kind) if own else f"nn.{known.__name__}"
        return Call(name, *_arguments(part))

    def _class(self, kind: type) -> str:
        package = kind.__module__.split(".")[0]
        if package not in self.flat.own:
            self.flat.own = (*OWN, package)
        return self.flat.add(Name(kind.__module__, kind.__qualname__))

    def _settings(self, part: nn.Module) -> dict[str, Any]:
        if list(part.buffers(recurse=False)):
            raise GrowlangError(f"{type(part).__name__} has buffers")
        plain = {n: v for n, v in vars(part).items() if not n.startswith("_") and n != "training"}
        for name, value in plain.items():
            if not _is_plain(value):
                raise GrowlangError(f"its attribute `{name}` is a {type(value).__name__}")
        inner = {**part._parameters, **part._modules}
        held = {n: v for n, v in inner.items() if type(v) is not nn.Module and n not in self._below}
        return plain | {name: self._call(value) for name, value in held.items()}


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _arguments(part: Any) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a layer of torch.nn, as one would write them."""
    match part:
        case nn.Linear():
            given: list[Any] = [part.in_features, part.out_features]
            return given, {} if part.bias is not None else {"bias": False}
        case nn.Conv2d():
            return _convolution(part)
        case nn.GroupNorm():
            return [part.num_groups, part.num_channels], {"eps": part.eps}
        case nn.LayerNorm() | nn.RMSNorm():
            shape = tuple(part.normalized_shape)
            return [shape[0] if len(shape) == 1 else shape], {"eps": part.eps}
        case nn.Embedding():
            return [part.num_embeddings, part.embedding_dim], {}
        case nn.Dropout():
            return [part.p], {}
        case nn.Identity() | nn.SiLU() | nn.ReLU() | nn.GELU():
            return [], {}
    raise GrowlangError(f"it has a layer {type(part).__name__}, which the export does not know")


def _convolution(part: nn.Conv2d) -> tuple[list[Any], dict[str, Any]]:
    found = {
        "stride": (part.stride, (1, 1)),
        "padding": (part.padding, (0, 0)),
        "dilation": (part.dilation, (1, 1)),
        "groups": (part.groups, 1),
        "padding_mode": (part.padding_mode, "zeros"),
        "bias": (part.bias is not None, True),
    }
    kwargs = {name: _one(value) for name, (value, usual) in found.items() if value != usual}
    return [part.in_channels, part.out_channels, _one(part.kernel_size)], kwargs


def _one(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) and len({*value}) == 1 else value


def render(value: Any, indent: int) -> str:
    """A value as it is written, on lines of at most 100 characters from an indent on."""
    flat = _line(value)
    if isinstance(value, list) and len(flat) + indent > WIDTH - 4:
        rows = [f"{render(v, indent + 4)}," for v in value]
        return "\n".join(["[", *(" " * (indent + 4) + row for row in rows), " " * indent + "]"])
    if len(flat) + indent <= WIDTH - 4 or not isinstance(value, Call | dict):
        return flat
    inside, step = " " * (indent + 4), indent + 4
    if isinstance(value, dict):
        rows = [f'"{name}": {render(v, step)},' for name, v in value.items()]
        opening, closing = "nn.ModuleDict({", "})"
    else:
        rows = [f"{render(v, step)}," for v in value.args]
        rows += [f"{name}={render(v, step)}," for name, v in value.kwargs.items()]
        opening, closing = f"{value.name}(", ")"
    return "\n".join([opening, *(inside + row for row in rows), " " * indent + closing])


def _line(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_line, value))}]"
    if isinstance(value, Call):
        given = [_line(v) for v in value.args] + [
            f"{n}={_line(v)}" for n, v in value.kwargs.items()
        ]
        return f"{value.name}({', '.join(given)})"
    if isinstance(value, dict):
        return f"nn.ModuleDict({{{', '.join(f'{n!r}: {_line(v)}' for n, v in value.items())}}})"
    return f'"{value}"' if isinstance(value, str) and '"' not in value else repr(value)


def _indented(whole: str, text: str, path: str, indent: int) -> str:
    """A call of `place` on one line if it has room, else its last argument on lines of its own."""
    if len(whole) + indent <= WIDTH and "\n" not in whole:
        return " " * indent + whole
    before = f'"{path}"' if path else "path"
    inner = " " * (indent + 4)
    text = text if indent == 8 else text.replace("\n", "\n    ")
    return f"{' ' * indent}place(\n{inner}self,\n{inner}{before},\n{inner}{text},\n{' ' * indent})"


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
    given = [names[a] if isinstance(a, fx.Node) else str(a) for a in node.args]
    if node.op == "call_module":
        return f'part("{node.target}")({", ".join(given)})'
    if node.op == "get_attr":
        return f'self.get_parameter("{node.target}")'
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
    return name.replace(".", "_")
