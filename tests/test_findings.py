"""Findings: a stage returns them with its result, and what is said twice is kept once."""

from __future__ import annotations

import pytest

from growlang.diagnostics import (
    LIMIT,
    Diagnostic,
    Findings,
    GrowlangError,
    Outcome,
    Span,
    TooMany,
    stage,
)

HERE = Span("here.grow", 1, 1, 1, 2)
THERE = Span("there.grow", 1, 1, 1, 2)


@stage
def halved(findings: Findings, number: int, mistakes: int = 0) -> int | None:
    """Half of an even number, with mistakes of its own."""
    for i in range(mistakes):
        findings.add("G201", f"mistake {i}", HERE)
    return number // 2 if number % 2 == 0 else None


def test_a_stage_returns_its_result_and_what_it_found() -> None:
    assert halved(6) == Outcome(3)
    found = Diagnostic("G201", "mistake 0", HERE)
    assert halved(5, mistakes=1) == Outcome(None, (found,))
    assert halved(6).is_sound and not halved(6, mistakes=1).is_sound


def test_a_stage_ends_at_the_limit_and_so_does_what_takes_its_findings() -> None:
    outcome = halved(6, mistakes=LIMIT + 1)
    assert (outcome.result, len(outcome.findings), outcome.full) == (None, LIMIT, True)
    findings = Findings()
    with pytest.raises(TooMany):
        findings.of(outcome)
    assert findings.full and tuple(findings.items) == outcome.findings
    full = halved(6, mistakes=LIMIT)
    assert (full.result, full.full) == (3, False)


def test_findings_of_two_stages_are_kept_once_each() -> None:
    findings = Findings()
    assert findings.of(halved(6, mistakes=2)) == 3
    assert findings.of(halved(8, mistakes=3)) == 4
    assert [item.message for item in findings.items] == ["mistake 0", "mistake 1", "mistake 2"]


def test_what_is_found_inside_is_seen_from_each_place_around_it() -> None:
    findings = Findings()
    with findings.seen_from(lambda found: found._replace(help=f"{found.help} outer")):
        with findings.seen_from(lambda found: found._replace(span=THERE, help="inner")):
            findings.add("G201", "wrong", HERE)
        findings.add("G202", "wrong", HERE)
    findings.add("G203", "wrong", HERE)
    assert [(item.code, item.span, item.help) for item in findings.items] == [
        ("G201", THERE, "inner outer"),
        ("G202", HERE, " outer"),
        ("G203", HERE, ""),
    ]


def test_what_would_steer_a_terminal_is_escaped_in_messages() -> None:
    error = GrowlangError("no \x1b[31mfile\u202e\r x\n  y\tz", help="é → \x07")
    assert error.as_text() == "error: no \\x1b[31mfile\\u202e\\r x\n  y\tz\n  help: é → \\x07"
