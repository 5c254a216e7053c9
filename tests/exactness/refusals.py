"""Every refusal of a growth with its message, as a page of the docs."""

from __future__ import annotations

from pathlib import Path

from growlang.checking import check
from growlang.diagnostics import Diagnostic

FIXTURES = Path(__file__).parents[1] / "fixtures" / "refusals"
INTRODUCTION = """# What growth refuses

Each of these specs grows from a small one and is refused: G320 where a promise does not hold, G321
where nothing says how the declared numbers are reached. The message says where and why, the help
is the edit that mends it. [The table of exactness](exactness.md) has what is exact.
"""


def refused(path: Path) -> tuple[Diagnostic, ...]:
    """What is said of a spec that is refused."""
    return check(path).diagnostics


def said(found: tuple[Diagnostic, ...]) -> str:
    """Messages and helps, without places: a file holds them for each spec."""
    return "\n".join(f"{d.code}: {d.message}\nhelp: {d.help}" for d in found) + "\n"


def page() -> str:
    """The page: of every spec what it is about, what it says, and what is said of it."""
    parts = [INTRODUCTION]
    for path in sorted(FIXTURES.glob("*.grow")):
        _, title, *spec = path.read_text().split("\n", 3)[1:]
        heading = title.removeprefix("# ")
        body = spec[0].strip()
        parts.append(
            f"## {heading[0].upper()}{heading[1:]}\n\n"
            f"```text\n{body}\n```\n\n```text\n{path.with_suffix('.txt').read_text()}```\n"
        )
    return "\n".join(parts).rstrip("\n") + "\n"
