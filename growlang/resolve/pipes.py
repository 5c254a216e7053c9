"""Resolves pipes: ops, groups, repeats and user blocks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from growlang.diagnostics import Diagnostic, Edit, Findings, KeyPath, Note, Span, stage
from growlang.ops import OPS, Op
from growlang.resolve.arguments import bind
from growlang.resolve.names import (
    Bound,
    Names,
    count_of,
    evaluate,
    leads_to,
    names_in,
    origins,
)
from growlang.spec.changes import DOWNS, UPS
from growlang.spec.model import Group, Item, Pipe
from growlang.spec.words import meant
from growlang.syntax import document as d

OPS_LIMIT = 10_000
"""Largest number of ops in one model, repeats counted."""

Spans = dict[KeyPath, Span]
"""The side table of places: the path of a value in the model, and where the spec says it."""


class Called(NamedTuple):
    """A call of a user block: which, and where."""

    block: str
    span: Span


class Library(NamedTuple):
    """A user block, and the scope and the blocks of the file that declares it."""

    block: d.Block
    scope: Names
    blocks: Mapping[str, Library]


@dataclass
class Pipes:
    """Resolves the pipes of one file, noting the place of every op and argument in `spans`."""

    blocks: Mapping[str, Library]
    spans: Spans
    notes: dict[KeyPath, list[Note]] = field(default_factory=dict)
    """Where the names in an argument got their values, by the argument's path."""
    calls: dict[KeyPath, Called] = field(default_factory=dict)
    """The calls of blocks, by the path of the item that calls."""
    ops: int = 0
    """Items so far, repeats counted."""

    def resolve(
        self,
        pipe: d.Pipe,
        scope: Names,
        at: KeyPath,
        open: tuple[d.Block, ...] = (),
        times: int = 1,
    ) -> Pipe:
        """The pipe's items; None for one that was refused. The pipe is repeated `times` times."""
        return [self._item(item, scope, (*at, i), open, times) for i, item in enumerate(pipe)]

    def _item(
        self, item: d.Item, scope: Names, at: KeyPath, open: tuple[d.Block, ...], times: int
    ) -> Group | Item | None:
        if self.ops > OPS_LIMIT:
            return None
        self.spans[at] = item.span
        if item.repeat is not None:
            self.notes[(*at, "repeat")] = origins(item.repeat, scope)
        repeat = _repeat(item, scope)
        times *= max(repeat, 1)
        self.ops += times
        if self.ops > OPS_LIMIT:
            message = f"the model has more than {OPS_LIMIT:,} ops, counting repeats"
            scope.findings.add("G201", message, item.span, help="repeat less often")
            return None
        if not isinstance(item.body, d.Call):
            group = self.resolve(item.body, scope, at, open, times)
            return Group.model_construct(group=group, repeat=repeat) if repeat else None
        call = item.body
        if call.name in self.blocks:
            body = self._block(call, scope, at, open, times)
            return (
                Group.model_construct(group=body, repeat=repeat, block=call.name.split(".")[-1])
                if repeat and body
                else None
            )
        op = OPS.find(call.name)
        if op is None:
            self._unknown(call, scope, [b.name for b in open])
            return None
        self.spans[at] = call.span
        bound = bind(call, op, scope)
        for name, span in bound.spans.items():
            self.spans[(*at, name)] = span
            self.notes[(*at, name)] = bound.notes[name]
        if not isinstance(bound.value, Op) or not repeat:
            return None
        return Item.model_construct(op=bound.value, repeat=repeat)

    def _unknown(self, call: d.Call, scope: Names, open: list[str]) -> None:
        """A finding about a name that is neither an op nor a block, unless its file is unread."""
        if scope.is_unread(call.name):
            return
        library, dot, _ = call.name.rpartition(".")

        def leads_back(name: str) -> bool:
            return leads_to(name, open, self._used)

        known = [*OPS.names(), *self.blocks]
        known = [name for name in known if not leads_back(name)]
        beyond, listed = OPS.elsewhere(call.name), f"ops: {', '.join(known)}"
        help, edits = meant(
            call.name_span, call.name, known, "", "call", body="pipe", beyond=beyond
        )
        if call.name in (*DOWNS, *UPS):
            side = "down" if call.name in DOWNS else "up"
            help = f"it belongs in a stage's options: `stage @ 64 ({side} = {call.name})`"
        elif dot and not help:
            inside = [n for n in self.blocks if n.startswith(f"{library}.")]
            help = f"nothing is imported as `{library}`"
            help = f"it holds {', '.join(inside)}" if inside else help
        scope.findings.add(
            "G106",
            f"unknown op or block `{call.name}`",
            call.name_span,
            help=help or (f"{listed}, or {beyond}" if beyond else listed),
            edits=() if call.name in (*DOWNS, *UPS) else edits,
        )

    def _used(self, name: str) -> Iterable[str]:
        """The ops and blocks that a block calls."""
        return names_in(self.blocks[name].block.pipe) if name in self.blocks else ()

    def _block(
        self, call: d.Call, scope: Names, at: KeyPath, open: tuple[d.Block, ...], times: int
    ) -> Pipe | None:
        library = self.blocks[call.name]
        block, findings = library.block, scope.findings
        if any(b is block for b in open):
            names = [b.name for b in open]
            circle = " -> ".join([*names[names.index(block.name) :], block.name])
            findings.add(
                "G104",
                f"circular blocks: {circle}",
                call.span,
                help="break the cycle: a repetition is written `* n`",
                notes=[_defined(block)],
            )
            return None
        inner = _given(call, library, scope)
        if inner is None:
            return None
        self.calls[at] = Called(block.name, call.span)
        outer, self.blocks = self.blocks, library.blocks
        with findings.seen_from(lambda found: at_call(found, call.span, block.name)):
            pipe = self.resolve(block.pipe, inner, at, (*open, block), times)
        self.blocks = outer
        return pipe


def _given(call: d.Call, library: Library, scope: Names) -> Names | None:
    """The scope inside a block: its parameters bound to a call's arguments or their defaults.

    None, with a finding for each mistake, where the arguments do not fit. A default sees the
    parameters before it.
    """
    block, findings = library.block, scope.findings
    given = _arguments(call, block, scope)
    values = findings.of(given) or {}
    names = [name for name, _ in block.parameters]
    misspelt = any(a.name and a.name not in names for a in call.arguments)
    lacking = [n for n, v in block.parameters if v is None and n not in values]
    if lacking and not misspelt:
        listed = ", ".join(f"`{n}`" for n in lacking)
        message, help = (
            f"block `{block.name}` is missing its argument{'s' * (len(lacking) > 1)} {listed}",
            f"write `{_form(call, block)}`",
        )
        findings.add("G202", message, call.span, help=help, notes=[_defined(block)])
    if lacking or not given.is_sound:
        return None
    inner = Names(findings, values=values, outer=library.scope)
    for name, default in block.parameters:
        if default is not None and name not in values:
            values[name] = Bound(evaluate(default, inner), default.span)
    return inner


@stage
def _arguments(findings: Findings, call: d.Call, block: d.Block, scope: Names) -> dict[str, Bound]:
    """The values that a call gives a block's parameters, with a finding for each mistake."""
    scope = replace(scope, findings=findings)
    names = [name for name, _ in block.parameters]
    takes = f"it takes {', '.join(names)}" if names else "it takes none"
    values: dict[str, Bound] = {}
    for position, given in enumerate(call.arguments):
        name = given.name or (names[position] if position < len(names) else "")
        if name in names and name not in values:
            notes = tuple(origins(given.value, scope))
            values[name] = Bound(evaluate(given.value, scope), given.value.span, notes)
            continue
        what, help = f"has no argument `{name}`", takes
        if name in values:
            what, help = f"is given `{name}` twice", "remove one"
        elif not name:
            help = f"remove it: {takes}"
            what = f"takes {len(names) or 'no'} argument{'s' * (len(names) != 1)}"
            what += f", not {len(call.arguments)}"
        edits: tuple[Edit, ...] = ()
        if given.name and name not in values:
            taken = {a.name for a in call.arguments}
            help, edits = meant(given.span, name, names, takes, "name", taken=taken)
        message = f"block `{block.name}` {what}"
        notes = (_defined(block),)
        findings.add("G203", message, given.span, help=help, notes=notes, edits=edits)
        if not given.name:
            break
    return values


def _defined(block: d.Block) -> Note:
    return Note(f"`{block.name}` is defined here", block.name_span)


def _form(call: d.Call, block: d.Block) -> str:
    """The call with the parameters that have no default."""
    return f"{call.name}({', '.join(n for n, default in block.parameters if default is None)})"


def at_call(found: Diagnostic, call: Span, block: str) -> Diagnostic:
    """A finding inside a block, at the argument of the call that caused it, if one did."""
    cause = next((n for n in found.notes if call.covers(n.span)), None)
    if cause is None:
        return found
    notes = (Note(f"used by `{block}` here", found.span), *(n for n in found.notes if n != cause))
    return found._replace(span=cause.span, notes=notes)


def _repeat(item: d.Item, scope: Names) -> int:
    """The number of times, 0 where it was refused."""
    return 1 if item.repeat is None else count_of("a repeat count", item.repeat, scope)
