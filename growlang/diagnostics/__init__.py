"""What is reported, where and how: places, findings, their codes and their forms."""

from growlang.diagnostics.exits import Exit, exit_of
from growlang.diagnostics.findings import (
    LIMIT,
    Diagnostic,
    Edit,
    Findings,
    GrowlangError,
    KeyPath,
    Note,
    Outcome,
    Severity,
    Span,
    TooMany,
    stage,
)

__all__ = [
    "LIMIT",
    "Diagnostic",
    "Edit",
    "Exit",
    "Findings",
    "GrowlangError",
    "KeyPath",
    "Note",
    "Outcome",
    "Severity",
    "Span",
    "TooMany",
    "exit_of",
    "stage",
]
