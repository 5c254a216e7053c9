"""Specs that were deleted since a commit, though others grow from them or runs need them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from growlang.checking import Checked, check
from growlang.diagnostics import Diagnostic, Span
from growlang.plans.weights_header import PLAN
from growlang.resolve.files import Files, real
from growlang.syntax import document as d
from growlang.tools.git import PastFiles, Revision


class Needed(NamedTuple):
    """A deleted spec that is still needed: what there is to say, and the old text."""

    finding: Diagnostic
    texts: Mapping[str, str]


def deleted(
    past: Revision,
    folders: Iterable[Path],
    endings: Sequence[str],
    told: Iterable[Path] = (),
    runs: Path | None = None,
) -> Iterator[Needed]:
    """The specs below `folders` that are gone since the commit and still needed.

    One is needed by a spec of the repository that grows from it, unless that is one of `told`,
    which has a finding about its missing parent already; and, where `runs` is an output root, by
    runs of its model there. `endings` are those of the names of specs.
    """
    silent = {real(path) for path in told}
    inside = [real(folder) for folder in folders]
    gone = [past.top / path for path in past.deleted() if path.endswith(tuple(endings))]
    gone = [path for path in gone if any(path.is_relative_to(folder) for folder in inside)]
    if not gone:
        return
    grown = _grown(past.top, endings)
    for path in gone:
        report = check(path, files=PastFiles(revision=past))
        if report.checked is None:
            continue
        users = [user for user, parent, _ in grown if parent == path and user not in silent]
        named = any(name == report.checked.net.name for _, _, name in grown)
        trained = _runs(runs, report.checked) if runs and not named else []
        if users or trained:
            yield Needed(_finding(report.checked, past, users, trained), report.texts)


def _grown(top: Path, endings: Sequence[str]) -> list[tuple[Path, Path | None, str]]:
    """Each spec of the working tree that has a model: its path, its parent's, the model's name."""
    found = []
    for path in (p for ending in endings for p in sorted(top.rglob(f"*{ending}"))):
        if any(part.startswith(".") for part in path.relative_to(top).parts):
            continue
        document = Files().load(path).result
        for model in document.models[:1] if document else ():
            parent = real(path.parent / model.grows.file) if model.grows else None
            found.append((path, parent, model.name))
    return found


def _runs(root: Path, spec: Checked) -> list[Path]:
    """The runs of a spec's model under an output root."""
    return sorted(plan.parent for plan in (root / spec.net.name).glob(f"*/{PLAN}"))


def _finding(spec: Checked, past: Revision, users: list[Path], runs: list[Path]) -> Diagnostic:
    path = past.path(spec.resolved.path) or spec.resolved.path.name
    by = [f"`{past.path(user)}` grows from it" for user in users]
    by += [f"{run} was trained by it" for run in runs]
    return Diagnostic(
        "G312",
        f"{path} was deleted since {past.name}, but {' and '.join(by)}",
        _name(spec.resolved.document),
        f"restore it: git checkout {past.name} -- {path}",
    )


def _name(document: d.Document) -> Span:
    return document.models[0].name_span
