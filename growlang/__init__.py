"""growlang: a language and a compiler for neural networks that grow while they train."""

from growlang.diagnostics import Diagnostic, GrowlangError, Span
from growlang.net import Net, Node, Shape, Tensor

__all__ = ["Diagnostic", "GrowlangError", "Net", "Node", "Shape", "Span", "Tensor", "__version__"]
__version__ = "0.1.0"
