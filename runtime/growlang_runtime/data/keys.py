"""The hash of a sample's key, by which a share is held out."""

from __future__ import annotations

from hashlib import blake2b


def hashed(key: str) -> float:
    """The hash of a sample's key, in [0, 1)."""
    found = blake2b(key.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(found, "big") / 2**64
