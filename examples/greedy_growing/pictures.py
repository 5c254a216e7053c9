"""Pictures of samples in labelled rows, an object in each column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from torch import Tensor

from growlang_runtime.report.grids import to_pil_image

INCHES = 0.95
"""Side of an image."""


def write_rows(rows: Mapping[str, Tensor], captions: Sequence[str], path: Path) -> None:
    """Write rows of images (N, C, H, W) in [-1, 1] as PNG, their labels on the left.

    Images of different sizes are shown at one, pixel by pixel.
    """
    with matplotlib.rc_context({"font.size": 8}):
        size = (INCHES * len(captions) + 1.2, INCHES * len(rows) + 0.3)
        figure = Figure(figsize=size, layout="constrained", dpi=110)
        axes = figure.subplots(len(rows), len(captions), squeeze=False)
        for line, (label, images) in zip(axes, rows.items(), strict=True):
            for axis, image in zip(line, images, strict=True):
                axis.imshow(to_pil_image(image), interpolation="nearest")
                axis.set_xticks([])
                axis.set_yticks([])
                axis.spines[:].set_visible(False)
            line[0].set_ylabel(label, rotation=0, ha="right", va="center")
        for axis, caption in zip(axes[0], captions, strict=True):
            axis.set_title(caption, fontsize=6)
        figure.savefig(path, metadata={"Software": None}, pil_kwargs={"optimize": True})
