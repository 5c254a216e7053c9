"""What is said of a code."""

from __future__ import annotations

from typing import NamedTuple

from growlang.diagnostics import Severity


class Code(NamedTuple):
    """One kind of finding. `name` is stable, like the code itself."""

    name: str
    meaning: str
    """One line."""
    cause: str = ""
    """The rule behind it, and why there is one."""
    severity: Severity = "error"
