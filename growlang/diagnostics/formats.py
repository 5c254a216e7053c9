"""Findings for other programs: one line each, GitHub's workflow commands, and SARIF."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from growlang.diagnostics import Diagnostic, Note, Span
from growlang.diagnostics.codes import CODES
from growlang.diagnostics.explanations import explanation
from growlang.version import __version__

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
ROOT = "%SRCROOT%"
"""The name by which SARIF logs, and code scanning, know the repository's root."""


def concise(item: Diagnostic) -> str:
    """One line: place, severity, code, message and the edit that mends it."""
    help = f" ({item.help})" if item.help else ""
    return f"{item.span}: {CODES[item.code].severity}[{item.code}]: {item.message}{help}"


def github(item: Diagnostic) -> str:
    """A workflow command, which GitHub shows at the line of a pull request.

    Source: docs.github.com, "Workflow commands for GitHub Actions".
    """
    code, span = CODES[item.code], item.span
    path, root = Path(span.filename).absolute(), repository(span.filename)
    name = path.relative_to(root).as_posix() if root else str(path)
    columns = f",col={span.column},endColumn={span.end_column}" if span.row == span.end_row else ""
    body = "\n".join(filter(None, [item.message, item.help and f"help: {item.help}"]))
    return (
        f"::{code.severity} file={_property(name)},line={span.row},endLine={span.end_row}{columns},"
        f"title={_property(f'{item.code} {code.name}')}::{_data(body)}"
    )


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def sarif(found: Sequence[Diagnostic]) -> dict[str, Any]:
    """A SARIF 2.1.0 log; paths are relative to the repository's root where there is one.

    GitHub's `upload-sarif` action adds the fingerprints that tell results apart from run to run.
    """
    codes = sorted({item.code for item in found})
    driver = {
        "name": "growlang",
        "version": __version__,
        "rules": [_rule(code) for code in codes],
    }
    root = next((r for item in found if (r := repository(item.span.filename))), None)
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(item, codes.index(item.code), root) for item in found],
    }
    if root is not None:
        run["originalUriBaseIds"] = {ROOT: {"uri": f"{root.as_uri().removesuffix('/')}/"}}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str) -> dict[str, Any]:
    entry = CODES[code]
    return {
        "id": code,
        "name": entry.name,
        "shortDescription": {"text": entry.meaning},
        "fullDescription": {"text": entry.cause},
        "help": {
            "text": f"{entry.cause} An example and its fix: growlang explain {code}",
            "markdown": explanation(code),
        },
        "defaultConfiguration": {"level": entry.severity},
    }


def _result(item: Diagnostic, rule: int, root: Path | None) -> dict[str, Any]:
    text = f"{item.message}\n{item.help}" if item.help else item.message
    result: dict[str, Any] = {
        "ruleId": item.code,
        "ruleIndex": rule,
        "level": CODES[item.code].severity,
        "message": {"text": text},
        "locations": [{"physicalLocation": _physical(item.span, root)}],
    }
    if item.notes:
        result["relatedLocations"] = [
            _related(i, note, root) for i, note in enumerate(item.notes, start=1)
        ]
    if item.edits:
        replacements = [
            {"deletedRegion": _region(e.span), "insertedContent": {"text": e.text}}
            for e in item.edits
        ]
        place = _artifact(item.edits[0].span, root)
        change = {"artifactLocation": place, "replacements": replacements}
        kind = "safe" if all(e.safe for e in item.edits) else "unsafe"
        description = item.help if kind == "safe" else f"{item.help} (it may change the meaning)"
        fix = {"description": {"text": description}, "artifactChanges": [change]}
        result["fixes"] = [{**fix, "properties": {"applicability": kind}}]
    return result


def _related(number: int, note: Note, root: Path | None) -> dict[str, Any]:
    """A second place; one at an earlier commit has no file to point to, and is told in words."""
    if not Path(note.span.filename).is_file():
        return {"id": number, "message": {"text": f"{note.message} ({note.span})"}}
    place = _physical(note.span, root)
    return {"id": number, "message": {"text": note.message}, "physicalLocation": place}


def _physical(span: Span, root: Path | None) -> dict[str, Any]:
    return {"artifactLocation": _artifact(span, root), "region": _region(span)}


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.row,
        "startColumn": span.column,
        "endLine": span.end_row,
        "endColumn": span.end_column,
    }


def _artifact(span: Span, root: Path | None) -> dict[str, str]:
    path = Path(span.filename).absolute()
    if root is not None and path.is_relative_to(root):
        return {"uri": quote(path.relative_to(root).as_posix()), "uriBaseId": ROOT}
    return {"uri": path.as_uri()}


def repository(filename: str) -> Path | None:
    """The root of the git repository around a file; None where there is none."""
    folders = Path(filename).absolute().parents
    return next((folder for folder in folders if (folder / ".git").exists()), None)
