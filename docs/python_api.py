"""The reference of the Python API, from the signatures and docstrings of its names."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from textwrap import dedent
from typing import Any

import growlang

ABOUT = """\
`import growlang` gives these names and loads nothing until one is used. [Python](../python.md) is
the guide. A path is a `str` or a `Path` (`StrPath`).
"""
SECTIONS = {
    "Functions": (
        *(
            "load",
            "check",
            "compile",
            "diff",
            "grow",
            "verify",
            "plan",
            "train",
            "sample",
            "generate",
            "evaluate",
        ),
        *("load_run", "load_weights", "objective", "conditions", "denoiser", "export", "average"),
        *("transfer", "import_hf", "pack", "init", "runs", "status", "compare", "report"),
    ),
    "What they give": (
        *("Checked", "Report", "Compiled", "TensorTable", "TensorRow", "Difference"),
        *("Mapping", "GrownMapping", "Entry", "Verification", "Promise", "Standing"),
        *(
            "Plan",
            "TrainResult",
            "Transferred",
            "Imported",
            "Packed",
            "Run",
            "Weights",
            "Samples",
            "Texts",
        ),
        *("Exported", "Averaged", "Started"),
        *("Evaluations", "Evaluation", "Result"),
        *("Runs", "RunSummary", "Comparison", "ReportPage"),
        *("Objective", "Denoising", "Conditions"),
    ),
    "Options": ("RunOptions", "RunFields"),
    "Nets": ("Net", "Node", "Tensor", "Shape"),
    "Errors and warnings": (
        *("GrowlangError", "SpecError", "SpecWarning", "ApproximateGrowth", "Diagnostic", "Span"),
    ),
}
Function = ast.FunctionDef


def python_page() -> str:
    """All names of the API, by what they are."""
    listed = {name for names in SECTIONS.values() for name in names} | {"__version__"}
    if listed != set(growlang.__all__):
        raise ValueError(f"not in a section: {listed ^ set(growlang.__all__)}")
    parts = ["# Python API\n", ABOUT]
    for title, names in SECTIONS.items():
        parts.append(f"## {title}\n")
        for name in names:
            parts += _entry(name, getattr(growlang, name))
    return "\n".join(parts)


def _entry(name: str, found: Any) -> Iterator[str]:
    (node,) = ast.parse(dedent(inspect.getsource(found))).body
    yield f"### {name}\n"
    if isinstance(node, Function):
        yield f"```python\n{_signature(node, f'growlang.{name}')}\n```\n"
    yield f"{inspect.getdoc(found)}\n"
    if isinstance(node, ast.ClassDef):
        yield from _members(node)


def _members(node: ast.ClassDef) -> Iterator[str]:
    """The fields and properties of a class as a table, then its methods."""
    methods = [n for n in node.body if isinstance(n, Function) and not n.name.startswith("_")]
    properties = [m for m in methods if any("property" in ast.unparse(d) for d in m.decorator_list)]
    rows = [*_fields(node), *(_row(p.name, p.returns, ast.get_docstring(p)) for p in properties)]
    if rows:
        yield "\n".join(["| attribute | type | meaning |", "|---|---|---|", *rows, ""])
    for method in methods:
        if method not in properties and not _is_static(method):
            yield f"#### {node.name}.{method.name}\n"
            yield f"```python\n{_signature(method, method.name)}\n```\n"
            yield f"{inspect.cleandoc(ast.get_docstring(method) or '')}\n"


def _fields(node: ast.ClassDef) -> Iterator[str]:
    """The annotated attributes of a class, each with the docstring below it."""
    for item, below in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            said = below.value if isinstance(below, ast.Expr) else None
            text = said.value if isinstance(said, ast.Constant) else ""
            yield _row(item.target.id, item.annotation, str(text))


def _row(name: str, kind: ast.expr | None, about: str | None) -> str:
    shown = ast.unparse(kind).replace("|", "\\|") if kind else ""
    meaning = " ".join((about or "").split()).replace("|", "\\|")
    return f"| `{name}` | `{shown}` | {meaning} |"


def _is_static(method: Function) -> bool:
    return any("staticmethod" in ast.unparse(d) for d in method.decorator_list)


def _signature(node: Function, name: str) -> str:
    """The signature, one argument a line where it is long."""
    arguments = node.args
    if arguments.args and arguments.args[0].arg == "self":
        arguments.args.pop(0)
    returns = ast.unparse(node.returns).strip("'") if node.returns else ""
    listed = _arguments(arguments)
    line = f"{name}({', '.join(listed)}) -> {returns}"
    if len(line) <= 88:
        return line
    return f"{name}(\n" + "".join(f"    {a},\n" for a in listed) + f") -> {returns}"


def _arguments(arguments: ast.arguments) -> list[str]:
    found = []
    missing = len(arguments.args) - len(arguments.defaults)
    defaults: list[ast.expr | None] = [*[None] * missing, *arguments.defaults]
    for argument, default in zip(arguments.args, defaults, strict=True):
        found.append(_argument(argument, default))
    if arguments.kwonlyargs:
        found.append("*")
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found.append(_argument(argument, default))
    if arguments.kwarg:
        found.append(f"**{ast.unparse(arguments.kwarg)}")
    return found


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    kind = f": {ast.unparse(argument.annotation)}" if argument.annotation else ""
    value = f" = {ast.unparse(default)}" if default else ""
    return argument.arg + kind.replace("'", "") + value.replace("'", '"')
