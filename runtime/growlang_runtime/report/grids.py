"""Grids of images with a caption below each, as one image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from growlang_runtime.report.lettering import draw_caption
from growlang_runtime.storage.files import RESUME, saved

CELL = 128
"""Least side of an image in a grid, in pixels: smaller ones are enlarged by an integer factor."""
MARGIN, LINE, LINES = 4, 14, 2


def to_pil_image(x: Tensor) -> Image.Image:
    """An image (C, H, W) in [-1, 1] as 8-bit grey (1 channel) or RGB; NaN is black."""
    values = ((x.detach().float().cpu().nan_to_num(-1) + 1) * 127.5).round().clamp(0, 255)
    array = values.permute(1, 2, 0).numpy().astype(np.uint8)
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)


def write_grid(
    images: Tensor,
    captions: Sequence[str],
    path: Path,
    help: str = RESUME,
    columns: int | None = None,
) -> None:
    """Write a grid as a PNG, atomically. Raises GrowlangError with `help` if the disk is full."""
    with saved(path, help) as temporary:
        path.parent.mkdir(exist_ok=True)  # git and archives leave empty folders out
        grid(images, captions, columns).save(temporary, "png")


def write_image(x: Tensor, path: Path, help: str = RESUME) -> None:
    """Write an image (C, H, W) in [-1, 1] as a PNG, atomically, as `write_grid` does."""
    with saved(path, help) as temporary:
        to_pil_image(x).save(temporary, "png")


def grid(images: Tensor, captions: Sequence[str], columns: int | None = None) -> Image.Image:
    """Images (N, C, H, W) in [-1, 1] in rows of about sqrt(N), each above its caption.

    With `columns`, each row has so many images of one caption, which stands once below it.
    """
    count, _, height, width = images.shape
    scale = max(1, math.ceil(CELL / width))
    across = columns or math.ceil(math.sqrt(count))
    cell = width * scale + 2 * MARGIN, height * scale + 2 * MARGIN + LINE * LINES
    sheet = Image.new("RGB", (across * cell[0], math.ceil(count / across) * cell[1]), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (x, caption) in enumerate(zip(images, captions, strict=True)):
        left = index % across * cell[0] + MARGIN
        top = index // across * cell[1] + MARGIN
        tile = to_pil_image(x).resize((width * scale, height * scale), Image.Resampling.NEAREST)
        sheet.paste(tile, (left, top))
        if columns is None or left == MARGIN:
            room = (columns or 1) * cell[0] - 2 * MARGIN
            box = (left, top + height * scale + MARGIN // 2, room, LINE * LINES)
            draw_caption(draw, caption, box, LINE)
    return sheet
