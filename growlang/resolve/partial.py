"""What can be said for sure of a file that does not parse, from the statements that do."""

from __future__ import annotations

import re

from growlang.diagnostics import Diagnostic
from growlang.syntax.document import Cut

WHOLE_MODEL = frozenset(
    ("G204", "G205", "G206", "G208", "G209", "G210", "G212", "G301", "G302", "G304", "G305", "G309")
) | {"G320", "G321", "G401", "G402", "G473", "G501"}
"""What is said of how the parts of a model go together, or of what there is in it."""
WHOLE_RECIPES = frozenset(("G204", "G403", "G404", "G473", "G501"))
"""What is said of something that a recipe lacks."""
WHOLE_FILE = frozenset(("G108",))
"""What is said of something that nothing in the file does."""
NAMED = frozenset(("G101", "G106"))
"""What is said of a name that nothing binds, in the file or in its parent."""
WORD = re.compile(r"`([a-z_][a-z0-9_]*)")


def is_sure(found: Diagnostic, cut: Cut) -> bool:
    """Whether a finding would be there too if what was left out said what it was meant to say."""
    code = found.code
    if code in WHOLE_FILE:
        return False
    if code in NAMED and ("grows" in cut.names or not cut.names.isdisjoint(_words(found))):
        return False
    if code in WHOLE_MODEL and cut.may_lack("model"):
        return False
    return not (code in WHOLE_RECIPES and cut.may_lack("train"))


def _words(found: Diagnostic) -> list[str]:
    return WORD.findall(found.message)
