"""Numbers of bytes, as they are written."""

from __future__ import annotations

import re

from growlang.diagnostics import GrowlangError

UNITS = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4}
BINARY = {"K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


def parsed_size(text: str) -> int:
    """The bytes of 500MB, 5GB or 4GiB. Raises GrowlangError if the text is no such size."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) *([KMGT]?)(i?)B?", text.strip(), re.IGNORECASE)
    unit = found[2].upper() if found else ""
    if found is None or (found[3] and not unit) or not float(found[1]):
        raise GrowlangError(f"`{text}` is no size of a file", help="write 500MB, 5GB or 4GiB")
    return int(float(found[1]) * (BINARY if found[3] else UNITS)[unit])
