"""Sample grids as pictures inside a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

from growlang_runtime.report.side_by_side import Grid

MOST = 24
"""Grids of a run that a page shows, evenly spread, with the first and the last."""
QUALITY = 85
WIDEST = 1200
"""Pixels; wider grids are made smaller."""


def chosen(grids: Sequence[Grid], most: int = MOST) -> list[Grid]:
    """At most so many of the grids, evenly spread."""
    if len(grids) <= most:
        return list(grids)
    return [grids[i * (len(grids) - 1) // (most - 1)] for i in range(most)]


def data_uri(path: Path) -> str | None:
    """A picture as WebP in a `data:` address; None where the file cannot be read."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as found:
            image = found.convert("RGB")
    except (OSError, UnidentifiedImageError):
        return None
    if image.width > WIDEST:
        image = image.resize((WIDEST, round(image.height * WIDEST / image.width)))
    data = io.BytesIO()
    image.save(data, "webp", quality=QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(data.getvalue()).decode()}"
