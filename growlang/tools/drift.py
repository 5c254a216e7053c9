"""Holds the two syntaxes of one model against each other where both lie in a folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from growlang.checking import Checked
from growlang.diagnostics import Diagnostic, Note
from growlang.resolve.files import in_yaml


def drifted(specs: Iterable[Checked]) -> Iterator[Diagnostic]:
    """A finding for each spec in YAML beside one in Grow that declares its model otherwise.

    Their runs have one folder, and a reader cannot tell which one holds.
    """
    found = {
        (s.resolved.path.resolve().parent, s.net.name, in_yaml(s.resolved.path)): s for s in specs
    }
    for (folder, name, yaml), spec in found.items():
        other = found.get((folder, name, False)) if yaml else None
        if other is None or other.resolved.spec_hash == spec.resolved.spec_hash:
            continue
        here, there = (s.resolved.document.models[0].name_span for s in (spec, other))
        yield Diagnostic(
            "G102",
            f"model `{name}` differs between `{spec.resolved.path.name}` and "
            f"`{other.resolved.path.name}`",
            here,
            "remove one, or regenerate it with `growlang convert`; `growlang diff` compares them",
            (Note("the other is here", there),),
        )
