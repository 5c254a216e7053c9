"""The suite holds on any machine, however slow and busy: no test reads a clock or waits briefly.

A clock may not even be imported: what is not read reaches no assertion, by whatever way.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).parent
SAMPLE = TESTS / "fixtures" / "clocks.txt"

MODULES = {"time", "timeit", "benchmarks.measuring"}
"""Modules of clocks, and of sleep: a test waits for what it expects, and not for a while."""
CLOCKS = {"getrusage", "times", "cpu_times", "now", "utcnow", "today", "default_timer"} | {
    f"{name}{unit}"
    for name in ("perf_counter", "monotonic", "process_time", "thread_time", "clock_gettime")
    for unit in ("", "_ns")
}
"""Functions and methods that read a clock, of whatever module or object."""
ALARMS = {"alarm", "setitimer", "dump_traceback_later"}
WAITS = {"wait_for": 1, "wait": 0, "join": 0, "communicate": 1, "result": 0, "timeout": 0}
"""Where functions that wait take their limit, if not as `timeout`."""
PATIENCE = 600
"""Seconds: a limit only ends what hangs."""


class Found(NamedTuple):
    line: int
    what: str


def clocks(source: str) -> list[Found]:
    """Where a file reads a clock, sleeps, or waits no longer than a busy machine may take."""
    return sorted({*_found(ast.parse(source), {})})


def _found(tree: ast.AST, numbers: dict[str, float]) -> Iterator[Found]:
    numbers = numbers | _constants(tree)
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        for name in sorted(_imported(node) & MODULES):
            yield Found(line, f"imports {name}")
        if (name := _clock(node)) is not None:
            yield Found(line, f"reads {name}")
        if isinstance(node, ast.Call):
            yield from (Found(line, what) for what in _hurry(node, numbers))
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for inner in _script(node.value):
                yield Found(line + inner.line - 1, inner.what)


def _constants(tree: ast.AST) -> dict[str, float]:
    """Names of numbers, which may be the limits of waits."""
    return {
        target.id: node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, int | float)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _imported(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        return {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return set()


def _clock(node: ast.AST) -> str | None:
    """The clock that is read or imported, such as that of an event loop: `loop.time()`."""
    match node:
        case ast.Attribute(attr=name) | ast.alias(name=name) if name in CLOCKS | ALARMS:
            return name
        case ast.Call(func=ast.Attribute(attr="time"), args=[], keywords=[]):
            return "time"
        case ast.Call(func=ast.Attribute(attr="sleep")):
            return "sleep"
    return None


def _hurry(call: ast.Call, numbers: dict[str, float]) -> Iterator[str]:
    """The limits of a call that a slow machine reaches."""
    for keyword in call.keywords:
        if keyword.arg == "deadline" and ast.unparse(keyword.value) != "None":
            yield "deadline"
        if keyword.arg == "timeout" and _number(keyword.value, numbers) < PATIENCE:
            yield "timeout"
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
    at = WAITS.get(name, len(call.args))
    if at < len(call.args) and _number(call.args[at], numbers) < PATIENCE:
        yield name


def _number(node: ast.expr, numbers: dict[str, float]) -> float:
    """The seconds that an argument stands for; without end if they are not known."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.Name(id=name):
            return numbers.get(name, PATIENCE)
    return PATIENCE


def _script(text: str) -> list[Found]:
    """Clocks in a text that is Python, which another process may run."""
    if "import" not in text:
        return []
    try:
        return clocks(text)
    except (SyntaxError, ValueError):
        return []


@pytest.mark.parametrize("path", sorted(TESTS.rglob("*.py")), ids=lambda p: p.stem)
def test_no_test_reads_a_clock_or_waits_briefly(path: Path) -> None:
    found = [f"{path.relative_to(TESTS)}:{at}: {what}" for at, what in clocks(path.read_text())]
    assert found == [], "count the work with tests/work.py, or measure it in benchmarks/"


def test_every_clock_in_a_sample_is_found() -> None:
    """What stands behind `# found:` is found in its line, and nothing in the lines without."""
    source = SAMPLE.read_text()
    expected = [
        (row, what)
        for row, line in enumerate(source.split("\n"), 1)
        for what in sorted(line.partition("# found: ")[2].split(", "))
        if what
    ]
    assert [tuple(found) for found in clocks(source)] == expected
