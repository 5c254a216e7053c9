"""What conditions could not read of captions: truncated ones, and those without words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

_CONTROLS = re.compile("[\0-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters for a terminal, and what it cannot show."""
LONGEST = 60
"""Most characters of a caption in a message."""
MOST = 5
"""Most prompts that are named of those that are truncated."""


@dataclass(frozen=True)
class Reading:
    """What one condition read of the captions of a batch."""

    limit: int
    """How many words or tokens it reads at most."""
    unit: str
    """What it reads: `words` or `tokens`."""
    captions: int
    """How many captions it read; those that are dropped are not read."""
    cut: tuple[str, ...] = ()
    """Those that had more than `limit`."""
    wordless: tuple[str, ...] = ()
    """Those that had none."""


def added(readings: Sequence[Mapping[str, Reading]]) -> dict[str, Reading]:
    """What conditions read of the shares of a batch, as of the whole batch."""
    found: dict[str, Reading] = {}
    for share in readings:
        for name, one in share.items():
            before = found.get(name, replace(one, captions=0, cut=(), wordless=()))
            found[name] = replace(
                one,
                captions=before.captions + one.captions,
                cut=before.cut + one.cut,
                wordless=before.wordless + one.wordless,
            )
    return found


def about_prompts(readings: Sequence[Mapping[str, Reading]]) -> list[str]:
    """A line for each prompt that a condition truncates or finds no words in, but the empty one.

    Of each kind no more than `MOST`, and how many more there are.
    """
    lines = []
    for name in readings[0] if readings else ():
        read = [reading[name] for reading in readings]
        cut = [
            f"prompt {quoted(prompt)} is truncated to its first {one.limit} {one.unit}, the limit "
            f"of condition `{name}`"
            for one in read
            for prompt in one.cut
        ]
        wordless = [
            f"prompt {quoted(prompt)} has no words: condition `{name}` treats it as no caption"
            for one in read
            for prompt in one.wordless
            if prompt.strip()
        ]
        lines += [*_some(cut, "are truncated"), *_some(wordless, "have no words")]
    return lines


def _some(lines: list[str], what: str) -> list[str]:
    known = list(dict.fromkeys(lines))
    more = len(known) - MOST
    return [*known[:MOST], *([f"and {more} more prompts {what}"] if more > 0 else [])]


def quoted(caption: str) -> str:
    """A caption on one line in double quotes, shortened if it is long, without controls."""
    text = _CONTROLS.sub(lambda c: f"U+{ord(c[0]):04X}", " ".join(caption.split()))
    return f'"{text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"}"'
