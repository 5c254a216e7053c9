"""What `pack` gives: the shards as sources of data, and what to write into a spec."""

from __future__ import annotations

from dataclasses import dataclass

from growlang.spec.data import WebDataset
from growlang.spec.declaring import classes_call, statement


@dataclass(frozen=True)
class Packed:
    """The shards that were written, and what a spec says to train on them."""

    name: str
    """The name that the statements give the data; the held-out images are `NAME_holdout`."""
    data: WebDataset
    """The shards to train on."""
    holdout: WebDataset | None
    """The shards that were held out."""
    images: int
    """Images to train on."""
    held_out: int
    """Images that were held out."""
    classes: tuple[str, ...]
    """The names of the classes in their order; empty where labels are numbers, or none."""
    class_count: int
    """The number of classes; 0 without labels."""
    smallest: tuple[int, int]
    """The width and height, in pixels, of the image whose shorter side is the shortest."""
    left_out: tuple[str, ...]
    """Files that were left out, each with the reason."""

    @property
    def captioned(self) -> bool:
        """Whether the images have captions."""
        return self.data.caption is not None

    @property
    def statements(self) -> str:
        """The `data` statements of the shards, one a line."""
        lines = [statement(self.name, self.data)]
        if self.holdout is not None:
            lines.append(statement(f"{self.name}_holdout", self.holdout))
        return "\n".join(lines)

    @property
    def condition(self) -> str:
        """The call of the condition that reads the labels, with `width` for the token's channels.

        Empty without labels.
        """
        return classes_call(self.classes, self.class_count)
