"""What each diagnostic code means, for `growlang explain`: the pages of docs/errors."""

from __future__ import annotations

from pathlib import Path

from growlang.diagnostics import GrowlangError
from growlang.diagnostics.codes import CODES, FAMILIES
from growlang.diagnostics.spelling import suggestion

PACKAGE = Path(__file__).parent.parent
FOLDERS = (PACKAGE / "errors", PACKAGE.parent / "docs" / "errors")
"""Where the pages lie: beside an installed package, or in a checkout."""


def explanation(code: str) -> str:
    """The page of a code, or of the name of one.

    Raises GrowlangError if there is no such code, or no page of it.
    """
    wanted = {c.name: key for key, c in CODES.items()}.get(code.lower(), code.upper())
    if wanted not in CODES:
        known = [*CODES, *(c.name for c in CODES.values())]
        help = suggestion(wanted, known) or suggestion(code.lower(), known)
        raise GrowlangError(f"unknown code `{code}`", help=help or "`growlang explain` lists them")
    for folder in FOLDERS:
        page = folder / f"{wanted}.md"
        if page.is_file():
            text = page.read_text(encoding="utf-8")
            return text[text.index("# ") :]
    raise GrowlangError(
        f"the page of {wanted} is not installed", help=f"in short: {CODES[wanted].meaning}"
    )


def listing() -> str:
    """A line for each code, by family."""
    lines: list[str] = []
    width = max(len(c.name) for c in CODES.values())
    for family, title in FAMILIES.items():
        codes = {k: c for k, c in CODES.items() if k.startswith(family)}
        if codes:
            lines += ["", title]
            lines += [f"  {k}  {c.name.ljust(width)}  {c.meaning}" for k, c in codes.items()]
    return "\n".join(lines[1:])
