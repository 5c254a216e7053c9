"""What is said about the thing under a point, in Markdown."""

from __future__ import annotations

from pathlib import Path

from growlang.lsp.analysis import Analysis, Point, covers
from growlang.lsp.context import context, word_at
from growlang.lsp.known import (
    SETTINGS,
    arguments,
    called_in,
    described,
    help_of,
    shown,
    signature_of,
)
from growlang.lsp.names import Declaration, Use
from growlang.lsp.project import Project
from growlang.net import Net, Node
from growlang.resolve.files import in_yaml
from growlang.spec.words import SAID

TURNS = 200
"""Most characters of a declaration that are shown."""


def hover(project: Project, analysis: Analysis, point: Point) -> str:
    """Help on the op, argument, place or name at a point; empty where there is none.

    Values are those of the text as far as it can be resolved; shapes and counts are those of its
    last version that had no errors.
    """
    found = project.at(analysis.path, point)
    if found is None:
        return ""
    if isinstance(found, Declaration):
        return _declared(project, analysis, found, point)
    match found.kind:
        case "op":
            return _op(analysis, f"{found.owner} {found.name}".strip(), point)
        case "argument":
            return _argument(found)
        case "setting":
            return _setting(found)
        case "field":
            owner = Use("input", found.name.partition(".")[0], found.span)
            declared = project.declaration(analysis.path, owner)
            quoted = _quoted(project, declared) if declared else ""
            return _bound(analysis, found.name) or quoted
        case "choice":
            return ""
    declared = project.declaration(analysis.path, found)
    if declared is not None:
        return _declared(project, analysis, declared, point, found.name)
    if found.kind == "any":
        return _unparsed(analysis, point)
    if found.kind in ("component", "kept"):
        return _place(analysis, point, found.name)
    return _bound(analysis, found.name)


def _op(analysis: Analysis, name: str, point: Point) -> str:
    signature = signature_of(name)
    help = help_of(signature) if signature else ""
    return "\n\n".join(filter(None, (_computed(analysis, point), help)))


def _argument(use: Use) -> str:
    signature = signature_of(use.owner)
    info = arguments(signature).get(use.name) if signature else None
    return f"`{use.name}`: {info.description}" if info else ""


def _setting(use: Use) -> str:
    model = SETTINGS.get(use.owner)
    info = model.model_fields.get(use.name) if model else None
    said = info.description if info else SAID.get(use.name)
    return f"`{use.name}`: {said}" if said else ""


def _unparsed(analysis: Analysis, point: Point) -> str:
    """Help on a word of a statement that does not parse, told from the text around it."""
    if in_yaml(analysis.path):
        return ""
    word, where = word_at(analysis.text, point), context(analysis.text, point)
    outer = called_in(where, where.call) if where.call else None
    if outer and word in arguments(outer):
        return f"`{word}`: {arguments(outer)[word].description}"
    signature = called_in(where, word)
    return help_of(signature) if signature else ""


def _declared(
    project: Project, analysis: Analysis, found: Declaration, point: Point, written: str = ""
) -> str:
    """What is known of something that a file declares, and is written with this name."""
    name = written or found.name
    match found.kind:
        case "param":
            return _bound(analysis, name) or _quoted(project, found)
        case "parameter":
            return f"`{found.name}`: a parameter of `{found.owner}`"
        case "block":
            return _block(project, analysis, found, name, point)
        case "condition" | "slot":
            return _place(analysis, point, found.name) or _quoted(project, found)
        case _:
            return _quoted(project, found)


def _quoted(project: Project, found: Declaration) -> str:
    """The line of a declaration."""
    source = project.source(Path(found.span.filename))
    line = source.text.split("\n")[found.span.row - 1].strip() if source else ""
    return f"```grow\n{line[:TURNS]}\n```" if line else ""


def _bound(analysis: Analysis, name: str) -> str:
    """A param, or a part of the input, with its value and its place."""
    bound = analysis.value(name)
    if bound is None:
        return ""
    file = Path(bound.span.filename)
    place = f"line {bound.span.row}" if file == analysis.path else f"{file.name}:{bound.span.row}"
    return f"`{name}` = `{shown(bound.value)}` ({place})"


def _block(
    project: Project, analysis: Analysis, found: Declaration, name: str, point: Point
) -> str:
    """A block with its parameters, and what a call of it computes."""
    source = project.source(Path(found.span.filename))
    blocks = [b for tree in source.trees for b in tree.blocks] if source else []
    block = next((b for b in blocks if b.name == found.name), None)
    if block is None:
        return _quoted(project, found)
    parameters = ", ".join(n if v is None else f"{n} = ..." for n, v in block.parameters)
    text = f"```grow\nblock {name}({parameters})\n```"
    return "\n\n".join(filter(None, (_computed(analysis, point), text)))


# --- the net -------------------------------------------------------------------------------------


def _nodes(analysis: Analysis, point: Point) -> list[Node]:
    """The nodes of the innermost call around a point."""
    at = analysis.former(point)
    if analysis.checked is None or at is None:
        return []
    found = [
        n
        for n in analysis.checked.net.nodes
        if n.span and Path(n.span.filename) == analysis.path and covers(n.span, at)
    ]
    spans = {n.span for n in found if n.span}
    if not spans:
        return []
    inner = min(spans, key=lambda s: (s.end_row - s.row, s.end_column - s.column))
    return [n for n in found if n.span == inner]


def _computed(analysis: Analysis, point: Point) -> str:
    """Output shapes and parameters of the ops that a call stands for."""
    nodes = _nodes(analysis, point)
    if not nodes:
        return ""
    shapes = list(dict.fromkeys(f"{n.output} {n.output.kind}" for n in nodes))
    total = sum(n.parameters for n in nodes)
    many = f"{len(nodes)} ops, " if len(nodes) > 1 else ""
    return f"**{' | '.join(shapes)}**, {many}{total:,} parameters"


def _place(analysis: Analysis, point: Point, name: str) -> str:
    """What the slot around a point puts out, or the component of a name, and its parameters."""
    nets = [checked.net for checked in (analysis.checked, analysis.parent) if checked]
    at = analysis.former(point)
    if nets and at and name in ("stage", "stem", "core", "head"):
        for component in nets[0].components:
            span = component.span
            if span and Path(span.filename) == analysis.path and covers(span, at):
                return described(nets[0], component)
    return next(filter(None, (_component(net, name) for net in nets)), "")


def _component(net: Net, name: str) -> str:
    found = [c for c in net.components if c.name == name]
    return described(net, found[0]) if found else ""
