"""`moved OLD -> NEW`: the tensors that a child takes over under another name. Stdlib only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from growlang.diagnostics import Findings, Note, stage
from growlang.diagnostics.literals import dimensions
from growlang.net import Net, Tensor
from growlang.resolve.contract import Contract, whole
from growlang.spec.selectors import (
    AS_MANY,
    EQUAL_LENGTHS,
    Places,
    component_of,
    is_many,
    pairs,
    prefix,
)
from growlang.syntax.document import Moved


class MovedTensor(NamedTuple):
    """The parent's tensor that is moved, and the statement that says so."""

    source: str
    statement: Moved


@stage
def moves(
    findings: Findings, child: Net, parent: Net, contract: Contract
) -> dict[str, MovedTensor]:
    """Every tensor that is moved, by its new name; a finding where a statement cannot hold."""
    found = findings.of(moved := _moves(child, parent, contract)) or {}
    if moved.is_sound:
        _refuse_remnants(contract, found, parent, findings)
    return found


@stage
def _moves(
    findings: Findings, child: Net, parent: Net, contract: Contract
) -> dict[str, MovedTensor]:
    found: dict[str, MovedTensor] = {}
    taken: set[str] = set()
    before, after = (Places([c.name for c in n.components], list(n.table)) for n in (parent, child))
    for statement in contract.moved:
        old = whole(statement.old)
        renamed = contract.renamed.get(old) if old else None
        grows = renamed in contract.grow or contract.doubtful
        if renamed and (grows or not child.of(renamed)):
            continue  # its tensors grow, or may be meant to, or it has none
        components = component_of(statement.old.steps, before.components)
        components += component_of(statement.new.steps, after.components)
        kept = next((contract.keep[c] for c in components if c in contract.keep), None)
        for source, name in _moved(statement, before, after, findings):
            if kept or source in taken or name in found:
                findings.add(
                    "G306",
                    f"`{source}` cannot move to `{name}`: conflicting growth statements",
                    statement.span,
                    help="remove one of the statements",
                    notes=[Note("the component is kept here", kept)] if kept else [],
                )
                break
            if wrong := _misfit(parent.table[source], child.table.get(name)):
                findings.add(
                    "G305",
                    f"`{source}` cannot move to `{name}`: {wrong}",
                    statement.span,
                    help=f"declare `{statement.new}` as the parent declares `{statement.old}`"
                    + f", or `grow {statement.new}` where it is larger" * (renamed is not None),
                )
                break
            found[name] = MovedTensor(source, statement)
            taken.add(source)
    return found


def _misfit(source: Tensor, target: Tensor | None) -> str:
    """What keeps a tensor from its new place; empty where it fits."""
    if target is None:
        return "no such tensor"
    if target.shape == source.shape:
        return ""
    return f"it is {dimensions(target.shape)}, not {dimensions(source.shape)}"


def _moved(
    statement: Moved, before: Places, after: Places, findings: Findings
) -> list[tuple[str, str]]:
    """Each tensor of the parent that a statement moves, with its new name."""
    old, new = statement.old, statement.new
    sources = sorted(before.matching(old).intersection(before.names))
    if not sources:
        message, help = f"`{old}` matches no tensor of the parent", before.available(old)
        findings.add("G304", message, old.span, help=help)
        return []
    if is_many(new) and not after.matching(new):
        findings.add("G305", f"`{new}` matches nothing", new.span, help=after.available(new))
        return []
    for code, selector, places in (("G304", old, before), ("G305", new, after)):
        past = places.past_the_end(selector) if is_many(selector) else None
        if past:
            help = past.help + AS_MANY * (is_many(old) and is_many(new))
            findings.add(code, f"`{selector}` {past.message}", selector.span, help=help)
            return []
    found = pairs(old, before, new, after)
    if isinstance(found, str):
        findings.add("G305", found, statement.span, help=EQUAL_LENGTHS)
        return []
    depth, target = prefix(old).count(".") + 1, dict(found)
    parts = [(source, source.split(".")) for source in sources]
    return [(s, ".".join([target[".".join(p[:depth])], *p[depth:]])) for s, p in parts]


def _refuse_remnants(
    contract: Contract, moves: Mapping[str, MovedTensor], parent: Net, findings: Findings
) -> None:
    """Where only a part of a component moves, another statement must speak of the rest."""
    moved = {move.source for move in moves.values()}
    known = [c.name for c in parent.components]
    partial = {
        name: m
        for m in contract.moved
        if m.old.steps[1:]
        for name in component_of(m.old.steps, known)
    }
    for component, statement in partial.items():
        names = [t.name for n in parent.of(component) for t in n.tensors if t.name not in moved]
        if names and contract.place(component) is None:
            findings.add(
                "G301",
                f"`{component.selector}` is only partly moved: `{names[0]}` "
                + (f"and {len(names) - 1} more are" if names[1:] else "is")
                + " neither kept, dropped nor moved",
                statement.span,
                help=f"add `drop {component.selector}`, which drops what does not move",
            )
