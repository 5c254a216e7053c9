"""Every tensor of a checkpoint and of a net, in pairs by a table of names; or what is left over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from growlang.diagnostics import GrowlangError
from growlang.diagnostics.literals import dimensions
from growlang.interop.facts import blocks, fact
from growlang.interop.table import INDEX, NameTable, Rule, names_of, numbered, pattern
from growlang.net import Net

SHOWN = 3
"""Tensors of each kind that a message names; of the rest it gives the number."""
Shapes = Mapping[str, tuple[int, ...]]


class Pair(NamedTuple):
    """Tensors of theirs and of ours that hold the same numbers; one of both is single."""

    theirs: tuple[str, ...]
    ours: tuple[str, ...]
    transpose: bool
    axis: int
    parts: tuple[int, ...] = ()
    """How long several of theirs are in ours, as numbers to each other; empty where alike."""
    halves: tuple[str, ...] = ()
    """Theirs whose rows are heads in two halves, of which ours are pairs."""
    head: int = 0
    """Channels of a head."""
    pixels: int = 0
    """Of a patch, where the rows of theirs are pixels x channels and ours channels x pixels."""
    batched: bool = False
    """Whether theirs has an axis of length 1 in front."""

    def lengths(self, whole: int) -> list[int]:
        """The lengths of theirs that are parts of one of ours of `whole` places."""
        parts = self.parts or (1,) * len(self.theirs)
        return [whole * part // sum(parts) for part in parts]

    def expected(self, shapes: Shapes) -> dict[str, tuple[int, ...]]:
        """The shapes of theirs that those of ours make; of parts of one of ours, equal ones."""
        parts = [shapes[name] for name in self.ours]
        if len(self.theirs) > 1:
            (whole,) = parts
            lengths = self.lengths(whole[self.axis])
            return {
                name: self._turned((*whole[: self.axis], part, *whole[self.axis + 1 :]))
                for name, part in zip(self.theirs, lengths, strict=True)
            }
        length = sum(part[self.axis] for part in parts) if parts[1:] else 0
        first = parts[0][:2] if self.pixels else parts[0]  # of theirs a linear map
        shape = (*first[: self.axis], length, *first[self.axis + 1 :]) if length else first
        return {self.theirs[0]: self._turned(shape)}

    def _turned(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        shape = shape[::-1] if self.transpose else shape
        return (1, *shape) if self.batched else shape


@dataclass(frozen=True)
class Accounted:
    """What becomes of every tensor of a checkpoint and of a net."""

    pairs: tuple[Pair, ...]
    given: Mapping[str, str]
    """The name in the checkpoint of each of theirs, which may leave the prefix out."""
    ignored: Mapping[str, str]
    """The tensors that are no parameters, with what they are."""
    copies: Mapping[str, str]
    """The tensors that have to equal another of theirs."""


def pairs_of(table: NameTable, net: Net) -> tuple[tuple[Pair, ...], list[str]]:
    """The pairs of a net's tensors, and those of the net that no rule names."""
    pairs: list[Pair] = []
    for rule in table.tensors:
        numbers = sorted({i for name in names_of(rule.ours) for i in blocks(net, name)})
        pairs += [_pair(rule, number, net) for number in numbers]
    named = {name for pair in pairs for name in pair.ours}
    lost = [name for name in net.table if name not in named]
    return tuple(pairs), lost


def _pair(rule: Rule, number: int, net: Net) -> Pair:
    theirs, ours = (
        tuple(numbered(name, number) for name in names_of(side))
        for side in (rule.theirs, rule.ours)
    )
    pair = Pair(theirs, ours, rule.transpose, rule.axis, batched=rule.batched)
    if not (rule.parts or rule.halves or rule.channels_last):
        return pair
    node = next(n for n in net.nodes if any(t.name == ours[0] for t in n.tensors))
    if rule.channels_last:
        return pair._replace(pixels=node.args["factor"] ** 2)
    return pair._replace(
        parts=tuple(int(fact(net, node, part)) for part in rule.parts),
        halves=tuple(numbered(name, number) for name in rule.halves),
        head=int(fact(net, node, "head_width")),
    )


def copies_of(table: NameTable, net: Net) -> dict[str, str]:
    """Theirs that repeat another of theirs, in every block of a net."""
    ours = [o for rule in table.tensors for o in names_of(rule.ours) if INDEX in o]
    numbers = sorted({i for name in ours for i in blocks(net, name)})
    named = ((numbered(r.theirs, i), r.copy_of) for r in table.repeated for i in numbers)
    return {theirs: source for theirs, source in named if theirs != source}


def account(table: NameTable, given: Shapes, net: Net, where: str) -> Accounted:
    """Pair the tensors of a checkpoint, given by their shapes, with those of a net.

    `where` names the checkpoint in messages. Raises GrowlangError, which lists what is left over
    on both sides, or whose shapes do not fit.
    """
    pairs, unnamed = pairs_of(table, net)
    names = _their_names(table, given, where)
    wanted = {name for pair in pairs for name in pair.theirs}
    ignored, copies, unknown = dict[str, str](), dict[str, str](), list[str]()
    for name, written in names.items():
        if name in wanted:
            continue
        if reason := _ignored(table, name):
            ignored[written] = reason
        elif source := _copied(table, name):
            copies[written] = source
        else:
            unknown.append(written)
    lines = [
        *_line("of the spec have no name in the table", [f"`{n}`" for n in unnamed]),
        *_line(
            "are missing",
            [f"`{t}` (for `{p.ours[0]}`)" for p in pairs for t in p.theirs if t not in names],
        ),
        *_line("are left over", [_left(table, net, name, given) for name in unknown]),
        *_line("have another shape", list(_misshapen(pairs, names, given, net))),
    ]
    if lines:
        raise GrowlangError(
            f"the tensors of {where} are not those of {net.name}:"
            + "".join(f"\n  {line}" for line in lines),
            help="change the spec so that it has what the checkpoint has; for other names give a "
            "table of your own: --table FILE",
        )
    return Accounted(pairs, names, ignored, copies)


def _their_names(table: NameTable, given: Shapes, where: str) -> dict[str, str]:
    """What the checkpoint calls each name of the table's."""
    known = [pattern(n) for rule in table.tensors for n in names_of(rule.theirs)]
    known += [pattern(ignored.theirs) for ignored in table.ignored]
    known += [pattern(repeated.theirs) for repeated in table.repeated]
    names: dict[str, str] = {}
    for written in given:
        full = f"{table.prefix}{written}"
        name = written
        if table.prefix and not any(p.fullmatch(written) for p in known):
            name = full if any(p.fullmatch(full) for p in known) else written
        if name in names:
            raise GrowlangError(
                f"{where} has `{names[name]}` and `{written}`, which are one tensor"
            )
        names[name] = written
    return names


def _ignored(table: NameTable, name: str) -> str:
    return next((i.reason for i in table.ignored if pattern(i.theirs).fullmatch(name)), "")


def _copied(table: NameTable, name: str) -> str:
    repeated = (r.copy_of for r in table.repeated if pattern(r.theirs).fullmatch(name))
    own = (r.copy_of for r in table.tensors if r.theirs == name and r.copy_of)
    return next(own, "") or next(repeated, "")


def _left(table: NameTable, net: Net, name: str, given: Shapes) -> str:
    """A tensor of theirs that nothing of the net's takes, and why."""
    for rule in table.tensors:
        for theirs in names_of(rule.theirs):
            if match := pattern(theirs).fullmatch(name):
                number = int(match[1]) if match.groups() else 0
                ours = numbered(names_of(rule.ours)[0], number)
                return f"`{name}`, since the spec has no `{ours}`"
    shape = next(s for n, s in given.items() if name.endswith(n))
    return f"`{name}` {dimensions(shape)}, which the table does not know"


def _misshapen(
    pairs: tuple[Pair, ...], names: Mapping[str, str], given: Shapes, net: Net
) -> Iterator[str]:
    shapes = {name: tensor.shape for name, tensor in net.table.items()}
    for pair in pairs:
        ours = " and ".join(f"`{name}` {dimensions(shapes[name])}" for name in pair.ours)
        for name, wanted in pair.expected(shapes).items():
            if name in names and given[names[name]] != wanted:
                turned = ", transposed," if pair.transpose else ""
                yield (
                    f"`{names[name]}` is {dimensions(given[names[name]])} and not "
                    f"{dimensions(wanted)}, as {ours}{turned} needs it"
                )


def _line(what: str, tensors: list[str]) -> Iterator[str]:
    if tensors:
        more = f" and {len(tensors) - SHOWN:,} more" if tensors[SHOWN:] else ""
        yield f"{len(tensors):,} {what}: {', '.join(tensors[:SHOWN])}{more}"


def missing(table: NameTable, net: Net) -> list[str]:
    """Theirs that a net does not fill: rules without a block number that name nothing of it."""
    rules = (r for r in table.tensors if not r.copy_of)
    single = [(t, o) for r in rules for t in names_of(r.theirs) for o in names_of(r.ours)]
    return [theirs for theirs, ours in single if INDEX not in ours and ours not in net.table]
