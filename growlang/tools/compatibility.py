"""Holds a spec against an older version of itself: do checkpoints trained from that one still fit?

As `buf breaking` does for APIs. A checkpoint fits a spec if the nets are equal: each tensor by name
and shape, and what each op computes with them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from growlang.checking import Checked, check
from growlang.diagnostics import Diagnostic, Note
from growlang.diagnostics.literals import argument, dimensions
from growlang.net import HEAD, STEM, ComponentName, Net, Node
from growlang.tools.changed import Place, Side, changed_place
from growlang.tools.compatibility_recipes import changed_objectives
from growlang.tools.git import PastFiles, revision

SHOWN = 3
"""Tensors that a message names; of the rest it gives the number."""


class Comparison(NamedTuple):
    """What there is to say about one spec."""

    diagnostics: tuple[Diagnostic, ...] = ()
    texts: Mapping[str, str] = {}
    skipped: str = ""
    """Why there was nothing to compare with, if so."""


class Change(NamedTuple):
    """What becomes of one tensor or op: `kind` is renamed, reshaped, gone, new or recomputed."""

    kind: str
    name: str
    detail: str
    component: ComponentName


def compare(now: Checked, ref: str, texts: Mapping[str, str]) -> Comparison:
    """The findings about a spec whose checkpoints, trained at `ref`, would no longer fit.

    `texts` are those of its files by name. Parents and imports are read at `ref` too. Raises
    GrowlangError where there is no such commit.
    """
    path = now.resolved.path
    past = revision(path, ref)
    inside = past.path(path) or ""
    former = inside if past.has(inside) else past.former(inside) or past.in_other_syntax(inside)
    if former is None:
        return Comparison(skipped=f"{path} does not exist at {ref}")
    report = check(past.top / former, files=PastFiles(revision=past))
    if report.checked is None:
        return Comparison(skipped=f"{path} has no model without errors at {ref}")
    old, new = Side(report.checked, report.texts), Side(now, texts)
    found = _finding(old, new, ref)
    findings = (found,) if found else tuple(changed_objectives(old, new, ref))
    return Comparison(findings, report.texts)


def changes(old: Net, new: Net) -> list[Change]:
    """What keeps a checkpoint of `old` from fitting `new`: tensors first, else computations."""
    found = list(_tensors(old, new)) or list(_computations(old, new))
    if found or old.net_hash == new.net_hash:
        return found
    return [Change("recomputed", new.nodes[0].path, "ops in another order", new.nodes[0].component)]


def renames(old: Net, new: Net) -> dict[str, str]:
    """Old path -> new path of the ops that are declared alike under another path.

    They are matched in order. An op without tensors loses nothing by another name.
    """
    before, after = ({n.path: n for n in net.nodes if n.tensors} for net in (old, new))
    free: dict[str, list[str]] = {}
    for path, node in after.items():
        if path not in before:
            free.setdefault(_declaration(node), []).append(path)
    found: dict[str, str] = {}
    for path, node in before.items():
        same = free.get(_declaration(node), [])
        if path not in after and same:
            found[path] = same.pop(0)
    return found


def _declaration(node: Node) -> str:
    tensors = [(t.name.removeprefix(node.path), t.shape) for t in node.tensors]
    return repr((node.op, sorted(node.args.items(), key=str), tensors))


def _tensors(old: Net, new: Net) -> Iterator[Change]:
    renamed = renames(old, new)
    taken: set[str] = set()
    for node in old.nodes:
        for name, shape, *_ in node.tensors:
            target = new.table.get(name)
            if target is not None:
                taken.add(name)
                if target.shape != shape:
                    yield Change(
                        "reshaped",
                        name,
                        f"{dimensions(shape)} -> {dimensions(target.shape)}",
                        node.component,
                    )
            elif node.path in renamed:
                moved = renamed[node.path] + name.removeprefix(node.path)
                taken.add(moved)
                yield Change("renamed", name, f"now `{moved}`", node.component)
            else:
                yield Change("gone", name, "gone", node.component)
    for node in new.nodes:
        for tensor in node.tensors:
            if tensor.name not in taken:
                yield Change("new", tensor.name, "new", node.component)


def _computations(old: Net, new: Net) -> Iterator[Change]:
    before, after = ({n.path: n for n in net.nodes} for net in (old, new))
    for path, node in before.items():
        other = after.get(path)
        if other is None:
            yield Change("recomputed", path, "gone", node.component)
        elif detail := _difference(_described(node), _described(other)):
            yield Change("recomputed", path, detail, node.component)
    for path, node in after.items():
        if path not in before:
            yield Change("recomputed", path, "new", node.component)
    for name in sorted({*old.encoders, *new.encoders}):
        a, b = (dict(net.encoders.get(name, {})) for net in (old, new))
        if detail := _difference(a, b):
            yield Change("recomputed", name, detail, ComponentName(name))
    inputs = [{i.name: dimensions(i.shape.dims) for i in net.inputs} for net in (old, new)]
    if detail := _difference(*inputs):
        yield Change("recomputed", "inputs", detail, STEM)
    if old.output != new.output:
        yield Change("recomputed", "output", f"{old.output} -> {new.output}", HEAD)


def _described(node: Node) -> dict[str, Any]:
    reads = ", ".join(node.inputs)
    return {"op": node.op, **node.args, "reads": reads, "output": str(node.output)}


def _difference(old: dict[str, Any], new: dict[str, Any]) -> str:
    """The first value that differs, such as `heads 4 -> 2`."""
    for key in {**old, **new}:
        if old.get(key) != new.get(key):
            return f"{key} {argument(old.get(key))} -> {argument(new.get(key))}"
    return ""


def _finding(old: Side, new: Side, ref: str) -> Diagnostic | None:
    past, now = old.checked, new.checked
    found = changes(past.net, now.net)
    whose = f"checkpoints of `{past.net.name}` trained at {ref}"
    model = now.resolved.document.models[0]
    if not found and past.net.name != now.net.name:
        message = f"{whose} would not be found: the model is named `{now.net.name}` now"
        help = f"name it `{past.net.name}` again; a child may have another name"
        return Diagnostic("G310", message, model.name_span, help)
    if not found:
        return None
    kinds = Counter(c.kind for c in found)
    listed = ", ".join(
        f"`{c.name}`" + (f" ({c.detail})" if c.detail != c.kind or len(kinds) > 1 else "")
        for c in found[:SHOWN]
    )
    listed += f" and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
    if found[0].kind == "recomputed":
        code, message = "G311", f"{whose} would compute something different: {listed}"
    else:
        counts = ", ".join(f"{n:,} {kind}" for kind, n in kinds.items())
        code, message = "G310", f"{whose} no longer fit (tensors: {counts}): {listed}"
    own = _changed(found, old, new)
    place = own.span if own else model.grows.span if model.grows else model.name_span
    notes = (own.notes if own else ()) or _notes(found, past)
    if own is None and notes:
        help = f"revert the change to {notes[0].span.filename}, or grow from a copy of the old file"
    else:
        help = _help(found, past, now)
    return Diagnostic(code, message, place, help, notes)


def _changed(found: list[Change], old: Side, new: Side) -> Place | None:
    """The place in the file, or in what it imports, that made the first changed component so."""
    components = dict.fromkeys(c.component for c in found)
    places = (changed_place(component, old, new) for component in components)
    return next(filter(None, places), None)


def _notes(found: list[Change], past: Checked) -> tuple[Note, ...]:
    """Where the changed components were declared."""
    spans = {c.name: c.span for c in past.net.components}
    names = dict.fromkeys(c.component for c in found)
    places = [(name, spans.get(name)) for name in names]
    notes = [Note(f"`{name.selector}` before the change", span) for name, span in places if span]
    return tuple(notes[:SHOWN])


def _help(found: list[Change], past: Checked, now: Checked) -> str:
    """The ways out: revert, or a child that says what becomes of each component."""
    components = past.resolved.model.components() if past.resolved.model else []
    changed = {c.component for c in found}
    if "time" in changed:  # what reads it cannot be kept under another one
        changed |= {n.component for n in past.net.nodes if "time" in n.inputs}
    statements = [f"moved {_selector(a)} -> {_selector(b)}" for a, b in _moves(past, now)]
    for verb, chosen in (("keep", False), ("drop", True)):
        if names := [c.selector for c in components if (c in changed) is chosen]:
            statements.append(f"{verb} {', '.join(names)}")
    child = f'model {now.net.name}_2 grows "{now.resolved.path.name}"'
    return (
        f"revert, or make the change in a child: `{child} {{ {'  '.join(statements)} ... }}`, "
        "with `moved` or `grow` for the weights to carry over"
    )


def _moves(past: Checked, now: Checked) -> list[tuple[str, str]]:
    return list(renames(past.net, now.net).items())[:SHOWN]


def _selector(path: str) -> str:
    """A path of the net as a selector: `core.conv.0` is `core.conv[0]`."""
    parts = path.split(".")
    return "".join(f"[{p}]" if p.isdigit() else f".{p}" for p in parts).removeprefix(".")
