"""Growth accounting: what becomes of every component and tensor of a parent. Stdlib only."""

from __future__ import annotations

from collections import abc
from collections.abc import Iterator
from typing import Any

from growlang.diagnostics import Diagnostic, Findings, Note, Span, stage
from growlang.diagnostics.literals import argument, dimensions, literal
from growlang.growth.grown_net import Grown
from growlang.growth.initialisation import Initialisation
from growlang.growth.mapping import Entry, Mapping
from growlang.growth.moves import MovedTensor
from growlang.growth.retaining import retained
from growlang.growth.transforms import Copy, Drop, Initialise, Move, Transform, source_of
from growlang.growth.wording import BESIDE, UNUSED, Reason, made, reason, reason_of_new
from growlang.net import CORE, HEAD, STEM, TIME, ComponentName, Net, Node, Tensor
from growlang.ops import LAYOUT, Op
from growlang.resolve.contract import Growing
from growlang.resolve.model import Resolution
from growlang.spec.model import ops_of


def account(child: Resolution, parent: Resolution, span: Span) -> tuple[Diagnostic, ...]:
    """Refuse components of the parent that no statement of the child names."""
    silent = child.contract.silent(parent.model.components())
    if not silent or child.contract.doubtful:
        return ()
    gone = _unread(child, parent, silent) | child.declared.keys()
    ends = {n for n in silent if child.contract.retain and (n.is_stage or n in (STEM, HEAD))}
    keep = [n for n in silent if n not in gone | ends]
    drop = [n for n in silent if n in gone - ends]
    retain = [n for n in silent if n in ends]
    statements = [
        f"`{verb} {_list(names)}`"
        for verb, names in (("keep", keep), ("drop", drop), ("retain", retain))
        if names
    ]
    found = Diagnostic(
        "G301",
        f"{_quoted(silent)} of parent `{parent.model.name}` {'are' if silent[1:] else 'is'} "
        "neither kept, dropped, retained, moved nor grown",
        span,
        f"add {' and '.join(statements)}" + (", or `drop` them" if keep else ""),
    )
    return (found,)


def _unread(child: Resolution, parent: Resolution, silent: list[ComponentName]) -> set[str]:
    """The silent conditions that no op would attend to, were what is silent kept."""
    read: set[str] = set()
    for resolution, chosen in ((parent, set(silent)), (child, set(child.model.components()))):
        model = resolution.model
        pipes = {s: getattr(model, s).pipe for s in ("stem", "core", "head")}
        pipes |= {s.name: [*s.encode, *s.decode] for s in model.stages}
        ops: list[Op] = [op for n, pipe in pipes.items() if n in chosen for op in ops_of(pipe)]
        ops += [model.time] if model.time and TIME in chosen else []
        read.update(name for op in ops for name in op.attended or ())
        read.update(model.core.prepend if CORE in chosen else ())
    return {n for n in silent if n in parent.model.conditions and n not in read}


@stage
def map_tensors(
    findings: Findings,
    child: Net,
    parent: Net,
    resolution: Resolution,
    moves: abc.Mapping[str, MovedTensor],
    stated: abc.Mapping[str, Initialisation],
    grown: Grown | None = None,
) -> Mapping | None:
    """The entry of every tensor; None, with findings, where a `keep` cannot hold.

    `moves` are the tensors that `moved` names, `stated` those of which an `init` speaks, `grown`
    those of components that grow.
    """
    transforms = grown.transforms if grown else {}
    contract = resolution.contract
    entries: list[Entry] = []
    for node in child.nodes:
        kept, dropped = (table.get(node.component) for table in (contract.keep, contract.drop))
        for tensor in node.tensors:
            if move := moves.get(tensor.name):
                entries.append(_taken(tensor, Move(move.source), move.statement.span))
            elif entry := retained(tensor, node.component, parent, contract):
                entries.append(entry)
            elif kept is not None:
                entries.append(_taken(tensor, Copy(), kept))
            elif tensor.name in transforms and tensor.name not in stated:
                growing = contract.grow[node.component]
                entries.append(_grown(tensor, transforms[tensor.name], growing, parent))
            elif node.component in contract.retain:
                entries.append(_new(tensor, False, None, stated.get(tensor.name), BESIDE))
            else:
                replaces = tensor.name in parent.table
                entries.append(_new(tensor, replaces, dropped, stated.get(tensor.name)))
    for component, span in contract.keep.items():
        findings.extend(_changed(component, span, child, parent, resolution))
        findings.extend(_changed_tables(component, span, child, parent, entries))
    used = {e.source for e in entries if e.source} | set(child.table)
    for node in parent.nodes:
        place = contract.drop.get(node.component)
        said = reason(Drop(), place) if place else UNUSED
        for tensor in node.tensors:
            if tensor.name not in used:
                entries.append(Entry(tensor.name, Drop(), said, tensor.shape))
    proved = (grown.verdicts, grown.spaces) if grown else ((), ())
    return None if findings.items else Mapping(tuple(entries), *proved)


def all_initialised(net: Net) -> Mapping:
    """The mapping of a net that starts from scratch."""
    return Mapping(tuple(_new(tensor, False, None) for tensor in net.tensors()))


def _taken(tensor: Tensor, transform: Copy | Move, place: Span) -> Entry:
    return Entry(tensor.name, transform, reason(transform, place), tensor.shape)


def _grown(tensor: Tensor, transform: Transform, growing: Growing, parent: Net) -> Entry:
    """The entry of a tensor of a component that grows: what becomes of it, and by which rules."""
    rules = ", ".join(rule.call for rule in growing.rules)
    said = Reason(made(transform), f"by {rules}", str(growing.span))
    new = source_of(transform, tensor.name) is None
    return Entry(tensor.name, transform, said, tensor.shape, new and tensor.name in parent.table)


def _new(
    tensor: Tensor,
    replaces: bool,
    dropped: Span | None,
    stated: Initialisation | None = None,
    said: Reason | None = None,
) -> Entry:
    if stated:
        return Entry(tensor.name, stated.transform, stated.reason, tensor.shape, replaces)
    said = said or reason_of_new(replaces, dropped)
    return Entry(tensor.name, Initialise(tensor.init), said, tensor.shape, replaces)


def _changed(
    component: ComponentName, span: Span, child: Net, parent: Net, resolution: Resolution
) -> tuple[Diagnostic, ...]:
    """A kept component must have the parent's tensors and the parent's computation.

    Conversions between grid and tokens follow the neighbours and compute nothing.
    """
    old, new = ([n for n in net.of(component) if n.op not in LAYOUT] for net in (parent, child))
    for before, after in zip(old, new, strict=False):
        same = [(t.name, t.shape) for t in before.tensors] == [
            (t.name, t.shape) for t in after.tensors
        ]
        if same and before.path == after.path and _computed(before) == _computed(after):
            continue
        tensor = next(
            (
                (a, b)
                for a, b in zip(before.tensors, after.tensors, strict=False)
                if (a.name, a.shape) != (b.name, b.shape)
            ),
            None,
        )
        what = (
            f"`{tensor[0].name}` is {dimensions(tensor[0].shape)} in `{parent.name}` and would be "
            f"{dimensions(tensor[1].shape)} here"
            if tensor
            else f"`{before.path}` would compute something different"
        )
        notes = (Note("declared here", before.span),) if before.span else ()
        help = _mend_kept(component, resolution, rewired=before.path != after.path)
        return (Diagnostic("G302", f"`{component}` cannot be kept: {what}", span, help, notes),)
    if any("time" in n.inputs for n in new):
        return _changed_time(component, span, child, parent)
    return ()


def _changed_tables(
    component: ComponentName, span: Span, child: Net, parent: Net, entries: list[Entry]
) -> Iterator[Diagnostic]:
    """The tables that a kept component takes of others must be those that the parent's took."""
    of = {entry.name: entry for entry in entries}
    olds = {node.path: node.tables for node in parent.of(component)}
    for node in child.of(component):
        for name, old in zip(node.tables, olds.get(node.path, ()), strict=False):
            entry = of[name]
            if entry.source == old and isinstance(entry.transform, Copy | Move):
                continue
            where = ComponentName.of_tensor(name).selector
            yield Diagnostic(
                "G302",
                f"`{component}` cannot be kept: it takes the table `{name}`, which is not that of "
                f"`{parent.name}` here, but {entry.category}",
                span,
                f"`keep {where}` too, or drop this component and redeclare it",
                (Note("declared here", node.span),) if node.span else (),
            )


def _computed(node: Node) -> dict[str, Any]:
    """The arguments of a node, but how many times larger images now become."""
    return {name: value for name, value in node.args.items() if name != "above"}


def _changed_time(
    component: ComponentName, span: Span, child: Net, parent: Net
) -> tuple[Diagnostic, ...]:
    """What a kept component reads of the time must mean what it meant to the parent."""
    (before,), (after,) = parent.of("time"), child.of("time")
    changed = [key for key in after.args if after.args[key] != before.args.get(key)]
    if not changed:
        return ()
    was, now = (
        ", ".join(f"{key} = {argument(args.get(key))}" for key in changed)
        for args in (before.args, after.args)
    )
    found = Diagnostic(
        "G302",
        f"`{component}` cannot be kept: `time` has {was} in `{parent.name}` and {now} here",
        span,
        "`keep time` too, or drop this component and redeclare it",
        (Note("`time` declared here", after.span),) if after.span else (),
    )
    return (found,)


def warn_changed_conditions(
    child: Net, parent: Net, resolution: Resolution, exact: abc.Collection[str] = ()
) -> Iterator[Diagnostic]:
    """Warn of kept components that attend to another condition than they were trained with.

    Conditions that grow and are `exact` are what they were.
    Their tensors fit, so this may be meant: a phase that trains them can adapt them to it.
    """
    kept = resolution.contract.keep
    for component, span in kept.items():
        scopes = [node.scope for node in child.of(component)]
        read = {name for scope in scopes for name in scope.conditions}
        read |= {TIME} if any(scope.time is not None for scope in scopes) else set()
        for condition in child.components:
            name = condition.name
            if name in kept or name in exact or name not in read:
                continue
            if not (name in child.encoders or name == TIME):
                continue
            if not (changed := _changed_condition(name, child, parent)):
                continue
            yield Diagnostic(
                "G308",
                f"`{component}` is kept, but `{name}`, which it was trained with, {changed}",
                span,
                f"`keep {name}` too, or train `{component.selector}` in a phase",
                (Note(f"`{name}` is here", condition.span),) if condition.span else (),
            )


def _changed_condition(name: str, child: Net, parent: Net) -> str:
    """What is not as the parent had it; nothing for a frozen encoder that is declared alike."""
    was, now = (dict(net.encoders.get(name, {})) for net in (parent, child))
    for key in {**was, **now}:
        if was.get(key) != now.get(key):
            what = "is" if key == "op" else f"has {key} ="
            return f"{what} {literal(now.get(key))} here, not {literal(was.get(key))}"
    return "is reinitialised" if child.of(name) else ""


def _mend_kept(component: ComponentName, resolution: Resolution, rewired: bool) -> str:
    if rewired and "skips" in resolution.declared:
        return "its sides are now joined differently: remove `skips`, which is inherited"
    if component.is_stage:
        return "its `down` and `up` now lead to another neighbour: drop it and redeclare it"
    return "its inputs have changed: keep those too, or drop this component and redeclare it"


def _list(names: list[ComponentName]) -> str:
    return ", ".join(n.selector for n in names)


def _quoted(components: list[ComponentName]) -> str:
    return ", ".join(f"`{c.selector}`" for c in components)
