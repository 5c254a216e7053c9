"""The checked model: shapes, tensors, nodes and the net that they make. Standard library only."""

from growlang.net.component_name import CORE, HEAD, STEM, TIME, ComponentName
from growlang.net.latent import Latent
from growlang.net.net import Component, Input, Net, Node, Tensor, digest
from growlang.net.scope import Rope, Scope
from growlang.net.shape import Kind, Shape, grid, tokens, vector

__all__ = [
    "CORE",
    "HEAD",
    "STEM",
    "TIME",
    "Component",
    "ComponentName",
    "Input",
    "Kind",
    "Latent",
    "Net",
    "Node",
    "Rope",
    "Scope",
    "Shape",
    "Tensor",
    "digest",
    "grid",
    "tokens",
    "vector",
]
