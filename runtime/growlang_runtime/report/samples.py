"""Images that were sampled, and the files that they are written to."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple, overload

from PIL import Image
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang_runtime.conditioning.readings import quoted
from growlang_runtime.report.grids import grid, to_pil_image, write_grid, write_image
from growlang_runtime.report.png import require_png
from growlang_runtime.storage.files import disk_full, require_place

SLUG = 40
"""Most characters of a prompt in the name of a file."""
HELP = "free disk space, or choose another path with --output"


@dataclass(frozen=True, repr=False, eq=False)
class Samples(Sequence[Image.Image]):
    """PIL images that a model drew for prompts, in their order; a notebook shows them as a grid."""

    tensor: Tensor
    """The same images (N, C, H, W), float32 in [-1, 1], on the CPU."""
    prompts: tuple[str, ...]
    files: tuple[Path, ...] = ()
    """The PNG files that were written."""
    columns: int | None = None
    """Images of each prompt, where there are several: a grid has a row for each prompt."""

    def __len__(self) -> int:
        return len(self.prompts)

    @overload
    def __getitem__(self, index: int) -> Image.Image: ...
    @overload
    def __getitem__(self, index: slice) -> Samples: ...
    def __getitem__(self, index: int | slice) -> Image.Image | Samples:
        if isinstance(index, slice):
            return Samples(self.tensor[index], self.prompts[index])
        return to_pil_image(self.tensor[index])

    def __repr__(self) -> str:
        _, _, height, width = self.tensor.shape
        shown = ", ".join(map(quoted, self.prompts[:3])) + (", ..." if len(self) > 3 else "")
        count = f"{len(self)} image{'s' if len(self) != 1 else ''}"
        return f"Samples({count} of {width} x {height}: {shown})"

    def grid(self) -> Image.Image:
        """All images in one, each above its prompt."""
        return grid(self.tensor, self.prompts, self.columns)

    def _repr_png_(self) -> bytes:
        data = io.BytesIO()
        self.grid().save(data, "png")
        return data.getvalue()


class Places(NamedTuple):
    """Where images are to be written: a file for a grid, a folder for single images, or both.

    A file that is there is overwritten if `overwrite`; else the next free number is added to the
    name of the new one.
    """

    grid: Path | None = None
    each: Path | None = None
    overwrite: bool = False

    def require(self) -> None:
        """Raise GrowlangError unless PNG files can be written there."""
        if self.grid is not None:
            require_png(self.grid)
        if self.each is not None:
            if self.each.exists() and not self.each.is_dir():
                raise GrowlangError(
                    f"{self.each} is a file, not a folder", help="choose a folder with --each"
                )
            require_place(self.each / name_of(0, ""), "--each")

    def write(
        self, images: Tensor, prompts: Sequence[str], columns: int | None = None
    ) -> Iterator[Path]:
        """Write images (N, C, H, W) in [-1, 1]; gives the paths, the grid's first.

        With `columns`, the grid has a row for so many images of one prompt.

        Raises GrowlangError if the disk is full.
        """
        if self.grid is not None:
            path = self._named(self.grid)
            write_grid(images, prompts, path, HELP, columns)
            yield path
        if self.each is not None:
            for index, (x, prompt) in enumerate(zip(images, prompts, strict=True)):
                path = self._named(self.each / name_of(index, prompt))
                write_image(x, path, HELP)
                yield path

    def _named(self, path: Path) -> Path:
        """The path that a file gets, in a folder that exists."""
        with disk_full(path, HELP):
            path.parent.mkdir(parents=True, exist_ok=True)
        return path if self.overwrite else free(path)


def free(path: Path) -> Path:
    """The path, or the first of NAME-1.png, NAME-2.png, ... where nothing is."""
    numbered = (path.with_stem(f"{path.stem}-{n}") for n in count(1))
    return next(p for p in chain([path], numbered) if not (p.exists() or p.is_symlink()))


def name_of(index: int, prompt: str) -> str:
    """The file of a single image, by its number from 0 and its prompt: `003-red-apple.png`."""
    words = re.sub(r"[^\w]+", "-", prompt)[:SLUG].strip("-")
    return f"{index:03d}-{words}.png" if words else f"{index:03d}.png"
