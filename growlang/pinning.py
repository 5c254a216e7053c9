"""Plans that are pinned in a file: what they say to people, and what differs from one by now."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from growlang.checking import Checked
from growlang.diagnostics import Span
from growlang.plans.pins import DataPin, PinnedPlan, Said, WeightsPin
from growlang.plans.plan import Plan
from growlang.plans.plan import hashed as entry_hashed
from growlang.syntax import document as d
from growlang.tables.shown import Shown
from growlang.tools.show import DEFAULT, show

if TYPE_CHECKING:
    from rich.console import Console

MARK = "  # "
"""What stands before the place of a line."""
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
LONG = 80
"""Characters of a value of which a message shows what differs."""
SHORT = 12
"""Digits of a hash that a message shows."""
NOTHING = "not there"
UNTRAINED = "not trained yet"


@dataclass(frozen=True, repr=False)
class Planned(Shown):
    """A pinned plan, as `growlang plan` prints it."""

    pinned: PinnedPlan
    unread: str = ""
    """Why the data could not be read; such a plan is not written."""
    remark: str = ""

    def __repr__(self) -> str:
        return f"Planned({self.pinned.plan!r})"

    def print(self, out: Console) -> None:
        """Print what becomes of the parent, the phases, the data and the start weights."""
        from growlang.tables.pins import print_planned

        print_planned(self.pinned, out, unread=self.unread, remark=self.remark)

    def as_json(self) -> dict[str, Any]:
        """What the file holds, with its `format_version`."""
        import json

        found: dict[str, Any] = json.loads(self.pinned.as_text())
        return found


def said(checked: Checked) -> tuple[Said, ...]:
    """What a spec and its ancestors say: a line for each value and statement, with its place."""
    found = []
    generation: Checked | None = checked
    while generation is not None:
        resolved = generation.resolved
        lines = [*_statements(resolved.document), *show(resolved, True).splitlines()]
        kept = tuple(line for line in map(_tidy, lines) if line)
        found.append(Said(spec=str(resolved.path), spec_hash=resolved.spec_hash, lines=kept))
        generation = generation.parent
    return tuple(found)


def _statements(document: d.Document) -> Iterator[str]:
    """The statements of a model about its parent, which its flat form does not have."""
    for model in document.models:
        for statement in model.statements:
            if not isinstance(statement, d.Binding | d.Slot):
                span = statement.span
                yield f"{_text(document.text, span)}{MARK}{span.filename}:{span.row}"


def _text(text: str, span: Span) -> str:
    lines = text.split("\n")[span.row - 1 : span.end_row]
    lines[-1] = lines[-1][: span.end_column - 1]
    lines[0] = lines[0][span.column - 1 :]
    return " ".join(lines)


def _tidy(line: str) -> str:
    """A line with single spaces, and its place behind the mark."""
    value, mark, place = line.rpartition(MARK.strip())
    if not mark:
        value, place = line, ""
    value, place = " ".join(value.split()), place.strip()
    if value in ("", "{", "}"):
        return ""
    return f"{value}{MARK}{place}" if place not in ("", DEFAULT) else value


# --- what differs --------------------------------------------------------------------------------


def changes(
    pinned: PinnedPlan, now: PinnedPlan, *, data: bool = True, weights: bool = True
) -> list[str]:
    """What differs between a pinned plan and what its spec gives now: `WHAT: OLD -> NEW`.

    Without `data` or `weights`, those are not looked at.
    """
    found = list(_of_specs(pinned.said, now.said))
    old, new = pinned.plan, now.plan
    if not found and old.net_hash != new.net_hash:
        found.append(f"net: {_short(old.net_hash)} -> {_short(new.net_hash)}")
    found += _of_mapping(old, new)
    for was, known in _paired(pinned.data, now.data) if data else ():
        found += _of_data(was, known)
    if weights:
        found += _of_weights(pinned, now)
    if data and not found and old.declared != new.declared:
        found.append("recipe: computed otherwise by another version of growlang")
    return found


def _of_specs(old: Sequence[Said], new: Sequence[Said]) -> Iterator[str]:
    told = set[str]()
    for number in range(max(len(old), len(new))):
        was = old[number] if number < len(old) else None
        now = new[number] if number < len(new) else None
        whose = "spec" if not number else "its parent's spec" if number == 1 else "an ancestor"
        if was is None or now is None:
            yield f"{whose}: {was.spec if was else NOTHING} -> {now.spec if now else NOTHING}"
            continue
        if was.spec_hash == now.spec_hash:
            return  # ancestors are in the hash
        lines = list(_of_lines(was.lines, now.lines))
        for line in lines:  # what is kept of a parent is said by the child, too
            if line not in told:
                told.add(line)
                yield f"{whose}: {line}"
        if not lines and not _differs_above(old, new, number):
            yield f"{whose}: {_short(was.spec_hash)} -> {_short(now.spec_hash)}"


def _differs_above(old: Sequence[Said], new: Sequence[Said], number: int) -> bool:
    """Whether an ancestor of a generation differs, whose hash is part of its own."""
    above = range(number + 1, max(len(old), len(new)))
    return any(
        n >= len(old) or n >= len(new) or old[n].spec_hash != new[n].spec_hash for n in above
    )


def _of_lines(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    """The lines that differ but for their places, in pairs where as many came as went."""
    old, new = _joined(old), _joined(new)
    was, now = ([line.partition(MARK)[0] for line in lines] for lines in (old, new))
    matcher = SequenceMatcher(None, was, now, autojunk=False)
    for tag, a, b, c, e in matcher.get_opcodes():
        if tag == "equal":
            continue
        for number in range(max(b - a, e - c)):
            gone = old[a + number] if a + number < b else ""
            come = new[c + number] if c + number < e else ""
            yield f"{_placed(gone, come)} -> {_placed(come, gone)}"


def _joined(lines: Sequence[str]) -> list[str]:
    """The lines with the values that go over several as one; its place is that of the last."""
    found: list[str] = []
    depth = 0
    for line in lines:
        value, _, place = line.partition(MARK)
        if found and (depth or value.startswith("| ")):
            before, _, earlier = found[-1].partition(MARK)
            closed = value.startswith(")")
            space = "" if closed or before.endswith("(") else " "
            value = f"{before.rstrip(',') if closed else before}{space}{value}"
            line = f"{value}{MARK}{place or earlier}" if place or earlier else value
            found[-1] = line
        else:
            found.append(line)
        bare = QUOTED.sub("", value)
        depth = max(0, bare.count("(") - bare.count(")"))
    return found


def _placed(line: str, other: str) -> str:
    """A line with its place; of one with many arguments those that the other has otherwise."""
    if not line:
        return NOTHING
    value, _, place = line.partition(MARK)
    shown = _apart(value, other.partition(MARK)[0]) if len(value) > LONG else value
    return f"`{shown}` ({place})" if place else f"`{shown}`"


def _apart(value: str, other: str) -> str:
    """A value without the arguments that the other has, too: `fourier(..., scale = 2.0, ...)`."""
    own, known = value.split(", "), other.split(", ")
    first, call = own[0].partition("(")[::2]
    if not call or known[0].partition("(")[0] != first:
        return value
    words: list[str] = []
    for tag, a, b, _, _ in SequenceMatcher(None, own, known, autojunk=False).get_opcodes():
        if tag != "equal":
            words += own[a:b]
        elif a < b:
            words.append(f"{first}(..." if a == 0 else "...)" if b == len(own) else "...")
    return ", ".join(words)


def _of_mapping(old: Plan, new: Plan) -> Iterator[str]:
    was, now = ({entry.name: entry for entry in plan.mapping} for plan in (old, new))
    for name in [*was, *(n for n in now if n not in was)]:
        before, after = was.get(name), now.get(name)
        if before and after and entry_hashed(before) == entry_hashed(after):
            continue
        gone, come = (f"{e.category} ({e.reason})" if e else NOTHING for e in (before, after))
        yield f"mapping of {name}: {gone} -> {come}"


def _paired(
    old: Sequence[DataPin], new: Sequence[DataPin]
) -> Iterator[tuple[DataPin | None, DataPin | None]]:
    was, now = ({source.name: source for source in data} for data in (old, new))
    for name in [*was, *(n for n in now if n not in was)]:
        yield was.get(name), now.get(name)


def _of_data(old: DataPin | None, new: DataPin | None) -> Iterator[str]:
    if old is None or new is None:
        known = old or new
        assert known is not None
        yield f"data {known.name}: {_told(old)} -> {_told(new)}"
        return
    if old.identity == new.identity:
        return
    was, now = ({shard.name: shard for shard in data.shards} for data in (old, new))
    told = False
    for name in [*was, *(n for n in now if n not in was)]:
        before, after = was.get(name), now.get(name)
        if before == after:
            continue
        told = True
        if before and after and before.bytes == after.bytes and before.samples == after.samples:
            yield f"data {old.name}: {name}: {_short(before.sha256)} -> {_short(after.sha256)}"
            continue
        gone, come = (
            f"{s.samples:,} samples in {s.bytes:,} bytes" if s else NOTHING for s in (before, after)
        )
        yield f"data {old.name}: {name}: {gone} -> {come}"
    if not told:
        yield f"data {old.name}: {_told(old)} -> {_told(new)}"


def _told(data: DataPin | None) -> str:
    return f"{data.samples:,} samples, {_short(data.identity)}" if data else NOTHING


def _of_weights(pinned: PinnedPlan, now: PinnedPlan) -> Iterator[str]:
    """What differs of the start weights; those that were not trained yet may be anything."""
    was, known = pinned.weights, now.weights
    if was is None or known is None or was.sha256 is None or was.sha256 == known.sha256:
        return
    whose = "the parent's weights" if pinned.plan.parent else "the start weights"
    yield f"{whose}: {_of_pin(was)} -> {_of_pin(known)}"


def _of_pin(pin: WeightsPin) -> str:
    return f"{_short(pin.sha256) if pin.sha256 else UNTRAINED} ({pin.path})"


def _short(sha: str) -> str:
    return sha[:SHORT]
