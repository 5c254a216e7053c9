"""The way out where a kept component cannot stay as it is: declare it here, and move its weights.

What is kept cannot be changed in the child, so no help may ask for that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from growlang.net import TIME, ComponentName
from growlang.ops import Op
from growlang.spec.model import Group, Model, Pipe

SHOWN = 2
"""Most `moved` statements that are written out."""


def redeclared(component: ComponentName, model: Model, declaration: str = "") -> str:
    """`drop` the component and declare it in the child; its tensors move where they fit."""
    place = f"`drop {component.selector}` instead of keeping it"
    there = f"and declare it here{f' {declaration}' if declaration else ''}"
    return f"{place} {there}" + moved_over(component, model)


def moved_over(component: ComponentName, model: Model) -> str:
    """The `moved` statements that take over the weights of a component declared again."""
    paths = (path for path, op in _ops(component, model) if op.has_tensors)
    return _moves(list(dict.fromkeys(paths)))


def attending(component: ComponentName, model: Model) -> str:
    """The ways out where a kept component attends to what is no condition here."""
    known = ["self", *model.conditions]
    ops = [(path, op) for path, op in _ops(component, model) if op.attended is not None]
    read = dict.fromkeys(name for _, op in ops for name in op.attended or ())
    missing = [name for name in read if name not in known]
    branches = {branch: name for _, op in ops for branch, name in op.branches.items()}
    parts = [branch for branch, name in branches.items() if name is None or name in known]
    path = f"{ops[0][0]}[0]" if ops and component != TIME else component.selector
    argument = next((op.conditions_argument for _, op in ops), None) or "attend"
    listed = ", ".join(known[argument != "attend" :])
    again = f"`drop {component.selector}` and declare it here with `{argument} = [{listed}]`"
    everywhere = (op for c in model.components() for _, op in _ops(c, model))
    attended = {name for op in everywhere for name in op.attended or ()}
    if attended >= model.conditions.keys():  # else one of them would be the next finding
        again = f"`keep {', '.join(missing)}`, or {again}"
    return again + _moves([f"{path}.{p}" for p in parts])


def unattended(name: str, declared: Collection[str], model: Model) -> str:
    """The way out where only kept components could attend to a condition; empty elsewhere."""
    attended = [(c, op.attended) for c in model.components() for _, op in _ops(c, model)]
    places = [c for c, names in attended if names is not None and c != TIME]
    if not places or any(place in declared for place in places):
        return ""
    first = next(names for c, names in attended if names is not None and c != TIME)
    written = f"with `attend = [{', '.join([*first, name])}]`"
    return f"{redeclared(places[0], model, written)}; or remove `{name}`"


def _moves(paths: list[str]) -> str:
    if not paths:
        return ""
    written = ", ".join(f"`moved {path} -> {path}`" for path in paths[:SHOWN])
    more = " and so on" if paths[SHOWN:] or "[0]" in written else ""
    verb = "take" if paths[1:] else "takes"
    return f"; {written}{more} {verb} over its weights"


def _ops(component: ComponentName, model: Model) -> Iterator[tuple[str, Op]]:
    """The ops of a component by the selector of the first of each kind: `core.transformer`."""
    place = component.selector
    stage = next((s for s in model.stages if s.name == component), None)
    if stage is not None:
        yield from _of_pipe(stage.encode, f"{place}.encode")
        yield from _of_pipe(stage.decode, f"{place}.decode")
    elif component == TIME:
        yield from [(place, model.time)] if model.time else []
    elif component in ("stem", "core", "head"):
        yield from _of_pipe(getattr(model, component).pipe, place)


def _of_pipe(pipe: Pipe, place: str) -> Iterator[tuple[str, Op]]:
    for item in pipe:
        if isinstance(item, Group):
            inside = f"{place}.{item.block}[0]" if item.block else place
            yield from _of_pipe(item.group, inside)
        elif item is not None:
            yield f"{place}.{item.op.call}", item.op
