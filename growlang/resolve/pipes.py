"""Resolves pipes: ops, groups, repeats and user blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from growlang.diagnostics import Note, Span
from growlang.model import Group, Item, Pipe
from growlang.ops import CHANGES, OPS, Op
from growlang.resolve.arguments import bind
from growlang.resolve.names import HOLE, Bound, Scope, evaluate, origins, rename, suggestion
from growlang.syntax import document as d

OPS_LIMIT = 10_000
"""Largest number of ops in one model, repeats counted."""

Path = tuple[str | int, ...]
Spans = dict[Path, Span]
"""The side table of places: the path of a value in the model, and where the spec says it."""


class Library(NamedTuple):
    """A user block, and the scope and the blocks of the file that declares it."""

    block: d.Block
    scope: Scope
    blocks: Mapping[str, Library]


@dataclass
class Pipes:
    """Resolves the pipes of one file, noting the place of every op and argument in `spans`."""

    blocks: Mapping[str, Library]
    spans: Spans
    notes: dict[Path, list[Note]] = field(default_factory=dict)
    """Where the names in an argument got their values, by the argument's path."""
    ops: int = 0
    """Items so far, repeats counted."""

    def resolve(
        self, pipe: d.Pipe, scope: Scope, at: Path, open: tuple[d.Block, ...] = (), times: int = 1
    ) -> Pipe:
        """The pipe's items; None for one that was refused. The pipe is repeated `times` times."""
        return [self._item(item, scope, (*at, i), open, times) for i, item in enumerate(pipe)]

    def _item(
        self, item: d.Item, scope: Scope, at: Path, open: tuple[d.Block, ...], times: int
    ) -> Group | Item | None:
        if self.ops > OPS_LIMIT:
            return None
        self.spans[at] = item.span
        repeat = _repeat(item, scope)
        times *= max(repeat, 1)
        self.ops += times
        if self.ops > OPS_LIMIT:
            message = f"the model has more than {OPS_LIMIT:,} ops, repeats counted"
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
        if call.name not in OPS:
            known = [*OPS, *self.blocks]
            help = suggestion(call.name, known)
            if call.name in CHANGES:
                help = f"it stands in a stage's options: `stage @ 64 ({call.name} = ...)`"
            scope.findings.add(
                "G106",
                f"there is no op or block `{call.name}`",
                call.name_span,
                help=help or f"ops: {', '.join(OPS)}",
                edits=() if call.name in CHANGES else rename(call.name_span, call.name, known),
            )
            return None
        self.spans[at] = call.span
        bound = bind(call, OPS[call.name], scope)
        for name, span in bound.spans.items():
            self.spans[(*at, name)] = span
            self.notes[(*at, name)] = bound.notes[name]
        if not isinstance(bound.value, Op) or not repeat:
            return None
        return Item.model_construct(op=bound.value, repeat=repeat)

    def _block(
        self, call: d.Call, scope: Scope, at: Path, open: tuple[d.Block, ...], times: int
    ) -> Pipe | None:
        library = self.blocks[call.name]
        block, findings = library.block, scope.findings
        if any(b is block for b in open):
            names = [b.name for b in open]
            circle = " -> ".join([*names[names.index(block.name) :], block.name])
            findings.add(
                "G104",
                f"blocks use each other: {circle}",
                call.span,
                notes=[Note(f"`{block.name}` is declared here", block.name_span)],
            )
            return None
        names = [name for name, _ in block.parameters]
        inner = Scope(findings, outer=library.scope)
        declared = Note(f"`{block.name}` is declared here", block.name_span)
        for position, given in enumerate(call.arguments):
            name = given.name or (names[position] if position < len(names) else "")
            if name not in names or name in inner.values:
                what = f"no argument `{name}`" if name else f"at most {len(names)} arguments"
                what = f"`{name}` twice" if name in inner.values else what
                findings.add(
                    "G203",
                    f"block `{block.name}` has {what}",
                    given.span,
                    help=suggestion(name, names) or f"it has {', '.join(names)}",
                    notes=[declared],
                    edits=rename(given.span, name, set(names) - {a.name for a in call.arguments})
                    if given.name and name not in inner.values
                    else (),
                )
                return None
            inner.values[name] = Bound(evaluate(given.value, scope), given.value.span)
        for name, default in block.parameters:
            if name in inner.values:
                continue
            if default is None:
                findings.add(
                    "G202", f"block `{block.name}` lacks `{name}`", call.span, notes=[declared]
                )
                return None
            inner.values[name] = Bound(evaluate(default, library.scope), default.span)
        outer, self.blocks = self.blocks, library.blocks
        pipe = self.resolve(block.pipe, inner, at, (*open, block), times)
        self.blocks = outer
        return pipe


def _repeat(item: d.Item, scope: Scope) -> int:
    """The number of times, 0 where it was refused."""
    if item.repeat is None:
        return 1
    value = evaluate(item.repeat, scope)
    if value is HOLE:
        return 0
    if type(value) is not int or value < 1:
        scope.findings.add(
            "G201",
            f"a repeat must be a whole number of at least 1, not `{value}`",
            item.repeat.span,
            notes=origins(item.repeat, scope),
        )
        return 0
    return value
