"""The journal of a transfer: an empty hidden file, whose name says what is written from what.

It holds no block of the disk, since to free one a file system may wait for all that it still has to
write: seconds, at the end of a large transfer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

PREFIX = ".growlang-transfer-"
DIGITS = 12
"""Hexadecimal digits of a hash; with eight inputs and the boot a name has 135 characters."""
NAME = re.compile(rf"{re.escape(PREFIX)}[0-9a-f]{{{DIGITS}}}(-[0-9a-f]{{{DIGITS}}})*")
BOOT = Path("/proc/sys/kernel/random/boot_id")
"""Where Linux says which boot of the machine it is; elsewhere all count as one."""

Inputs = Mapping[str, Any]
"""What a transfer is a function of, by what a message calls it."""


def journal_name(inputs: Inputs) -> str:
    """The name of the journal of a transfer that this boot of the machine writes."""
    return PREFIX + "-".join([*_hashes(inputs), _hash(_boot())])


def differing(name: str, inputs: Inputs) -> list[str]:
    """Which inputs are not those of a journal, or that another version wrote it."""
    said = name.removeprefix(PREFIX).split("-")[:-1]
    now = _hashes(inputs)
    if len(said) != len(now):
        return ["the version of growlang"]
    return [what for what, a, b in zip(inputs, said, now, strict=True) if a != b]


def is_of_this_boot(name: str) -> bool:
    """Whether what is written is there: what an earlier boot wrote may not have been flushed."""
    return name.rpartition("-")[2] == _hash(_boot())


def _hashes(inputs: Inputs) -> list[str]:
    return [_hash(json.dumps(value)) for value in inputs.values()]


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:DIGITS]


def _boot() -> str:
    try:
        return BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""
