"""The samples of a tar: members of one name, as webdataset groups them and where they are apart."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from growlang.diagnostics import GrowlangError
from growlang_runtime.data.layout import Layout
from growlang_runtime.data.plain_tars import Member

SPLIT = re.compile(r"((?:.*/|)[^.]+)[.]([^/]*)$")
"""A name and its endings, as webdataset splits them."""
HIDDEN = re.compile(r"__[^/]*__($|/)|(.*/)?(__MACOSX/|\.[^/.][^/]*$|\._)")
"""Names that are no members: webdataset's metadata, and what macOS and others hide."""


class Sample(NamedTuple):
    """Members that share a name, by their endings in lower case."""

    key: str
    members: dict[str, Member]

    def member(self, endings: Iterable[str]) -> tuple[int, Member] | None:
        """The first of the endings that is there: its number and its member."""
        for number, ending in enumerate(endings):
            if ending in self.members:
                return number, self.members[ending]
        return None


def group(path: Path, members: Iterable[Member], layout: Layout) -> list[Sample]:
    """The samples of a tar in the order of their first members, which need not be adjacent.

    A name is split at its first dot, as webdataset does; where that gives no sample, at the dot
    before the ending. Raises GrowlangError for a member that is there twice in a row.
    """
    samples: list[Sample] = []
    newest: dict[str, Sample] = {}
    last = None
    for member in members:
        split = SPLIT.match(member.name)
        if split is None or HIDDEN.match(member.name):
            continue
        key, ending = split[1], split[2].lower()
        sample = newest.get(key)
        again = sample is not None and (layout.semantics < 2 or ending in sample.members)
        if sample is None or (again and last != key):
            sample = newest[key] = Sample(key, {})
            samples.append(sample)
        if ending in sample.members:
            raise GrowlangError(
                f"{path} has `{key}.{ending}` twice in a row, at byte {member.at}",
                help="rename or remove one of them",
            )
        sample.members[ending] = member
        last = key
    known = {ending for member in layout.needed for ending in layout.endings(member)}
    return [s for sample in samples for s in _split(sample, layout) if _is_one(s, known)]


def _split(sample: Sample, layout: Layout) -> list[Sample]:
    """The sample, and those whose names have more dots than the one before the ending."""
    if not any("." in ending for ending in sample.members):
        return [sample]
    images = layout.endings("image")
    dotted: dict[str, dict[str, Member]] = {}
    for own, member in sample.members.items():
        ending = _declared_ending(member.name, layout)
        if ending and ending != own:
            dotted.setdefault(member.name[: -len(ending) - 1], {})[ending] = member
    apart = [Sample(key, members) for key, members in dotted.items()]
    if sample.member(images):
        needed = layout.needed
        several = layout.semantics >= 2 and len(needed) > 1
        whole = [s for s in apart if several and all(s.member(layout.endings(m)) for m in needed)]
        return [sample, *whole]
    found = [s for s in apart if s.member(images)]
    taken = {m.name for s in found for m in s.members.values()}
    rest = {e: m for e, m in sample.members.items() if m.name not in taken}
    return [*found, Sample(sample.key, rest)] if rest else found


def _declared_ending(name: str, layout: Layout) -> str:
    """The longest ending that the layout declares and the name has."""
    lower = name.lower()
    declared = {ending for member, _ in layout.declared for ending in layout.endings(member)}
    found = [ending for ending in declared if lower.endswith(f".{ending}")]
    return max(found, key=len, default="")


def _is_one(sample: Sample, known: Container[str]) -> bool:
    """Whether it may be meant as a sample: a file such as `meta.json` is not."""
    return any(ending in known or is_image(ending) for ending in sample.members)


def is_image(ending: str) -> bool:
    """Whether files with the ending are images."""
    return f".{ending.rpartition('.')[2]}" in Image.registered_extensions()


def fault(sample: Sample, layout: Layout) -> str:
    """Why a sample cannot be used, as its members show; empty where it can."""
    for what in layout.needed:
        endings = layout.endings(what)
        found = sample.member(endings)
        if found is None:
            return f"it has no {what} {listed(endings)}, only {listed(sample.members)}"
        if found[1].fault:
            return f"its {what} cannot be read: {found[1].fault}"
    return ""


def listed(endings: Iterable[str]) -> str:
    """Endings for a message."""
    return ", ".join(f"`.{ending}`" for ending in endings)


def halves(sample: Sample, other: Sample, path: Path, following: Path, layout: Layout) -> str:
    """Why a sample of one tar cannot be used, if the next tar holds the rest of it."""
    if fault(Sample(sample.key, sample.members | other.members), layout):
        return ""
    here, there = listed(sample.members), listed(other.members)
    return f"it is split across two shards: {here} in {path.name}, {there} in {following.name}"
