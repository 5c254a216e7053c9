"""Makes an input that breaks a promise as short as it can be."""

from __future__ import annotations

from collections.abc import Callable


def minimised(content: bytes, breaks: Callable[[bytes], bool], tries: int = 600) -> bytes:
    """The input with pieces left out, from halves to single bytes, as long as it still breaks."""
    size = max(1, len(content) // 2)
    while tries > 0:
        at, shorter = 0, False
        while at < len(content) and tries > 0:
            tries -= 1
            candidate = content[:at] + content[at + size :]
            if breaks(candidate):
                content, shorter = candidate, True
            else:
                at += size
        if size == 1 and not shorter:
            break
        size = max(1, size // 2)
    return content
