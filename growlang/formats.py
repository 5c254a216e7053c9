"""Findings for other programs: one line each, GitHub's workflow commands, and SARIF."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from growlang import __version__
from growlang.codes import CODES
from growlang.diagnostics import Diagnostic, Span

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
ROOT = "ROOT"
"""The name that SARIF files give the repository's root."""


def concise(item: Diagnostic) -> str:
    """One line: place, severity, code, message and the edit that mends it."""
    help = f" ({item.help})" if item.help else ""
    return f"{item.span}: {CODES[item.code].severity}[{item.code}]: {item.message}{help}"


def github(item: Diagnostic) -> str:
    """A workflow command, which GitHub shows at the line of a pull request.

    Source: docs.github.com, "Workflow commands for GitHub Actions".
    """
    code, span = CODES[item.code], item.span
    name, _ = location(span.filename)
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
    """A SARIF 2.1.0 log; paths are relative to the repository's root where there is one."""
    codes = sorted({item.code for item in found})
    driver = {
        "name": "growlang",
        "semanticVersion": __version__,
        "rules": [_rule(code) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(item, codes.index(item.code)) for item in found],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str) -> dict[str, Any]:
    entry = CODES[code]
    return {
        "id": code,
        "name": entry.name,
        "shortDescription": {"text": entry.meaning},
        "fullDescription": {"text": entry.cause or entry.meaning},
        "defaultConfiguration": {"level": entry.severity},
    }


def _result(item: Diagnostic, rule: int) -> dict[str, Any]:
    text = f"{item.message}\n{item.help}" if item.help else item.message
    result: dict[str, Any] = {
        "ruleId": item.code,
        "ruleIndex": rule,
        "level": CODES[item.code].severity,
        "message": {"text": text},
        "locations": [{"physicalLocation": _physical(item.span)}],
    }
    if item.notes:
        result["relatedLocations"] = [
            {"id": i, "message": {"text": note.message}, "physicalLocation": _physical(note.span)}
            for i, note in enumerate(item.notes)
        ]
    if item.edits:
        replacements = [
            {"deletedRegion": _region(e.span), "insertedContent": {"text": e.text}}
            for e in item.edits
        ]
        change = {"artifactLocation": _artifact(item.span), "replacements": replacements}
        result["fixes"] = [{"description": {"text": item.help}, "artifactChanges": [change]}]
    return result


def _physical(span: Span) -> dict[str, Any]:
    return {"artifactLocation": _artifact(span), "region": _region(span)}


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.row,
        "startColumn": span.column,
        "endLine": span.end_row,
        "endColumn": span.end_column,
    }


def _artifact(span: Span) -> dict[str, str]:
    name, relative = location(span.filename)
    return {"uri": quote(name), "uriBaseId": ROOT} if relative else {"uri": Path(name).as_uri()}


def location(filename: str) -> tuple[str, bool]:
    """The path from the repository's root, and True; or the whole path where there is no root."""
    path = Path(filename).absolute()
    for folder in path.parents:
        if (folder / ".git").exists():
            return path.relative_to(folder).as_posix(), True
    return str(path), False
