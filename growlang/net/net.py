"""The checked model: a graph of op instances with every parameter named and shaped.

A `Net` is what growth compares, what a checkpoint carries and what the PyTorch backend builds.
It is plain frozen data; `to_json` and `from_json` are inverse.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

from growlang.diagnostics import Span
from growlang.net import names
from growlang.net.component_name import ComponentName
from growlang.net.latent import Latent
from growlang.net.scope import EPS, Scope
from growlang.net.shape import Shape


class Tensor(NamedTuple):
    """A parameter: its path in the net, its shape and how it is initialised.

    `init` is one of `growlang.initial_values.INITIALISERS`; `decay` tells whether weight
    decay applies (norms, biases and tables are left out).
    """

    name: str
    shape: tuple[int, ...]
    init: str = "linear"
    decay: bool = True

    @property
    def parameters(self) -> int:
        """Number of scalars."""
        return prod(self.shape)


@dataclass(frozen=True)
class Node:
    """One op instance of the graph.

    `path` is its place (`stage.256.encode.residual.0`), the prefix of its tensors' names and of
    its module. `inputs` name the nodes or inputs of the net that it reads, in the order in which
    the op's module takes them; `scope` is what it is built in. `flops` counts one forward pass for
    one image, 2 per multiply-add; `saved` counts the scalars that the backward pass keeps for one.
    """

    path: str
    component: ComponentName
    op: str
    args: Mapping[str, Any]
    inputs: tuple[str, ...]
    output: Shape
    tensors: tuple[Tensor, ...] = ()
    flops: int = 0
    saved: int = 0
    span: Span | None = field(default=None, compare=False)
    scope: Scope = field(default_factory=Scope)
    tables: tuple[str, ...] = ()
    """Tensors of other nodes that the op's module takes after its inputs."""
    declaration: object = field(default=None, compare=False, repr=False)
    """The typed op with its arguments, where the net was built; a net in JSON has names alone."""

    @property
    def parameters(self) -> int:
        """Number of trainable scalars."""
        return sum(t.parameters for t in self.tensors)


class Input(NamedTuple):
    """An input of the net: the noisy image or the tokens, the log-SNR, what each condition reads.

    `role` is `image`, `tokens`, `log_snr` (what `time` embeds, whatever that is), `level` (the true
    log-SNR of the image, in float64, which retained ends need), `embedding` (of a frozen encoder),
    `ids`, `label` or `mask`; `condition` names the condition that it belongs to.
    """

    name: str
    role: str
    shape: Shape
    condition: str = ""


@dataclass(frozen=True)
class Component:
    """A place of the net: a condition, `time`, `stem`, `stage.R`, `core`, `head`, `retained.N`."""

    name: ComponentName
    output: Shape
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, repr=False)
class Net:
    """A checked model. Nodes are in an order in which each comes after what it reads."""

    name: str
    inputs: tuple[Input, ...]
    nodes: tuple[Node, ...]
    components: tuple[Component, ...]
    output: str
    encoders: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The conditions: name -> {"op": "words", ...arguments}; frozen encoders have no node."""
    eps: float = EPS
    """Added to the variance by every normalisation."""
    latent: Latent | None = None
    """What the images are latents of; None where they are images of pixels."""

    def __repr__(self) -> str:
        return f"Net({self.name}: {len(self.table):,} tensors, {self.parameters:,} parameters)"

    def tensors(self) -> Iterator[Tensor]:
        """Every parameter, in the order of the graph."""
        for node in self.nodes:
            yield from node.tensors

    @cached_property
    def table(self) -> dict[str, Tensor]:
        """Every parameter by name."""
        return {tensor.name: tensor for tensor in self.tensors()}

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """The shape of every value by its name: of the inputs and of what the nodes compute."""
        return {i.name: i.shape for i in self.inputs} | {n.path: n.output for n in self.nodes}

    @property
    def parameters(self) -> int:
        """Number of scalars in all parameters."""
        return sum(t.parameters for t in self.tensors())

    @property
    def image(self) -> Shape:
        """Shape (channels, height, width) of the image, which a net of tokens does not have."""
        return next(i.shape for i in self.inputs if i.role == "image")

    @property
    def pixels(self) -> Shape:
        """Shape (channels, height, width) of the images of pixels: of `image` or its latents."""
        return self.latent.pixels(self.image) if self.latent else self.image

    @property
    def of_tokens(self) -> bool:
        """Whether it reads sequences of tokens, not images."""
        return any(i.role == "tokens" for i in self.inputs)

    @property
    def predicts(self) -> str:
        """The label whose class it predicts; empty where it computes an image or tokens."""
        end = next(n for n in self.nodes if n.path == self.output)
        return next(iter(end.scope.targets), "")

    @cached_property
    def result(self) -> Shape:
        """Shape of what it computes: that of the image, or of logits: (length, vocabulary) of
        tokens, (classes,) of a label.
        """
        return next(n.output for n in self.nodes if n.path == self.output)

    def of(self, component: str) -> tuple[Node, ...]:
        """The nodes of one component."""
        return tuple(n for n in self.nodes if n.component == component)

    @cached_property
    def net_hash(self) -> str:
        """SHA-256 of the net: its graph, arguments and parameters.

        Its name, its spans, the estimates of its cost and how its tensors begin are left out, and
        of the scopes what the graph tells: a node's own eps, numbers and rotation alone are in it.
        """
        described = self.to_json()
        del described["name"]
        for node in described["nodes"]:
            del node["span"], node["flops"], node["saved"]
            node["tensors"] = [[name, shape, decay] for name, shape, _, decay in node["tensors"]]
            node |= _kept(node.pop("scope"))
        return digest(described)

    def to_json(self) -> dict[str, Any]:
        """JSON of the net; spans are kept for messages and never enter a hash."""
        said: dict[str, Any] = {
            "name": self.name,
            "inputs": [
                {
                    "name": i.name,
                    "role": i.role,
                    "kind": i.shape.kind,
                    "shape": list(i.shape.dims),
                    "condition": i.condition,
                }
                for i in self.inputs
            ],
            "nodes": [_node_json(n, self.eps) for n in self.nodes],
            "components": [
                {"name": c.name, "kind": c.output.kind, "shape": list(c.output.dims)}
                for c in self.components
            ],
            "output": self.output,
            "encoders": {k: dict(v) for k, v in self.encoders.items()},
            "eps": self.eps,
        }
        return said | ({"latent": self.latent.to_json()} if self.latent else {})

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Net":
        """The net that `to_json` described. Raises InvalidNet if a name in it is none."""
        inputs = tuple(
            Input(
                names.path(i["name"]),
                names.name(i["role"]),
                names.shape(i["kind"], i["shape"]),
                names.name(i["condition"]) if i["condition"] else "",
            )
            for i in data["inputs"]
        )
        return Net(
            name=names.name(data["name"]),
            inputs=inputs,
            nodes=_nodes_from_json(data, inputs),
            components=tuple(
                Component(ComponentName(names.path(c["name"])), names.shape(c["kind"], c["shape"]))
                for c in data["components"]
            ),
            output=data["output"],
            encoders=names.by_name(data["encoders"]),
            eps=data["eps"],
            latent=Latent.from_json(data["latent"]) if "latent" in data else None,
        )


def digest(data: Any) -> str:
    """SHA-256 of canonical JSON (sorted keys, no spaces)."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _node_json(node: Node, eps: float) -> dict[str, Any]:
    said: dict[str, Any] = {
        "path": node.path,
        "component": node.component,
        "op": node.op,
        "args": dict(node.args),
        "inputs": list(node.inputs),
        "kind": node.output.kind,
        "shape": list(node.output.dims),
        "tensors": [[t.name, list(t.shape), t.init, t.decay] for t in node.tensors],
        "flops": node.flops,
        "saved": node.saved,
        "scope": node.scope.to_json(eps),
        "span": _span_json(node.span),
    }
    return said | ({"tables": list(node.tables)} if node.tables else {})


def _kept(scope: Mapping[str, Any]) -> dict[str, Any]:
    """What the JSON of a node's scope says that neither the graph nor the net's `eps` does."""
    return {key: scope[key] for key in ("numbers", "eps", "rope") if key in scope}


def _nodes_from_json(data: Mapping[str, Any], inputs: tuple[Input, ...]) -> tuple[Node, ...]:
    """The nodes in their order; where 0.1 stored no scopes, those that their inputs tell."""
    shapes = {i.name: i.shape for i in inputs}
    shapes |= {n["path"]: names.shape(n["kind"], n["shape"]) for n in data["nodes"]}
    tokens = any(i.role == "tokens" for i in inputs)
    result = shapes[data["output"]].width

    def scope(node: Mapping[str, Any]) -> Scope:
        if "scope" in node:
            return Scope.from_json(node["scope"], data["eps"])
        read = {name: shapes[name] for name in node["inputs"][1:]}
        return Scope(
            time=next((shape.width for shape in read.values() if shape.kind == "vector"), None),
            conditions={
                name.removesuffix(".embedding"): shape
                for name, shape in read.items()
                if shape.kind == "tokens"
            },
            channels=0 if tokens else result,
            vocabulary=result if tokens else None,
            eps=data["eps"],
        )

    found = tuple(_node_from_json(node, scope(node)) for node in data["nodes"])
    names.require_tables(
        {tensor.name for node in found for tensor in node.tensors},
        [name for node in found for name in node.tables],
    )
    return found


def _node_from_json(data: Mapping[str, Any], scope: Scope) -> Node:
    return Node(
        path=names.path(data["path"]),
        component=ComponentName(names.path(data["component"])),
        op=names.path(data["op"]),
        args=data["args"],
        inputs=tuple(map(names.path, data["inputs"])),
        output=names.shape(data["kind"], data["shape"]),
        tensors=tuple(
            Tensor(names.path(n), names.sizes(s), names.name(i), d)
            for n, s, i, d in data["tensors"]
        ),
        flops=data["flops"],
        saved=data["saved"],
        scope=scope,
        span=Span(*data["span"]) if data["span"] else None,
        tables=tuple(map(names.path, data.get("tables", ()))),
    )


def _span_json(span: Span | None) -> list[Any] | None:
    if span is None:
        return None
    return [span.filename, span.row, span.column, span.end_row, span.end_column]
