"""How the modules of a net are made, as text, with the classes that they are of."""

from __future__ import annotations

from collections.abc import Iterator
from keyword import iskeyword
from typing import Any

from torch import nn

from growlang.diagnostics import GrowlangError
from growlang.net import Net
from growlang.torch_backend.lower import LoweredNet
from growlang_runtime.export.flat import OWN, Flat, Name
from growlang_runtime.export.python_text import Call, indented, quoted, render

DRAWING = frozenset({"__init__", "reset_parameters"})
"""Methods that are not in the file: how modules are made of ops, and begin."""
BASES = {"nn.Module": "Part", "torch.nn.Module": "Part", "Module": "Part"} | {
    kind: f"nn.{kind}"
    for kind in ("Linear", "Conv2d", "GroupNorm", "LayerNorm", "Embedding", "RMSNorm")
}


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
                yield indented(f"place(self, {quoted(paths[0])}, {text})", text, paths[0], 8)
                continue
            listed = "".join(f"\n            {quoted(path)}," for path in paths)
            yield f"        for path in ({listed}\n        ):"
            yield indented(f"place(self, path, {text})", text, "", 12)

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
        for name in (*plain, *held):
            if not name.isidentifier() or iskeyword(name):
                raise GrowlangError(f"the name `{name}` of a part cannot be an argument")
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
            plain = {} if part.affine else {"affine": False}
            return [part.num_groups, part.num_channels], {"eps": part.eps} | plain
        case nn.LayerNorm() | nn.RMSNorm():
            shape = tuple(part.normalized_shape)
            plain = {} if part.elementwise_affine else {"elementwise_affine": False}
            if part.elementwise_affine and getattr(part, "bias", part.weight) is None:
                plain = {"bias": False}
            return [shape[0] if len(shape) == 1 else shape], {"eps": part.eps} | plain
        case nn.Embedding():
            return [part.num_embeddings, part.embedding_dim], {}
        case nn.Dropout():
            return [part.p], {}
        case nn.GELU():
            return [], {} if part.approximate == "none" else {"approximate": part.approximate}
        case nn.Identity() | nn.SiLU() | nn.ReLU():
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
