"""How many examples a property is tried on."""

from __future__ import annotations

from hypothesis import settings


def examples(most: int) -> int:
    """A sixth of `most`, and all of them under `--hypothesis-profile thorough`."""
    return most if settings.get_current_profile_name() == "thorough" else max(most // 6, 8)
