"""Prompts: of a spec, of a file, or given with a command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.spec.labels import ANY, Labels
from growlang.spec.recipe import Sample
from growlang_runtime.conditioning.conditioner import Conditioner, Encoded
from growlang_runtime.conditioning.readings import quoted
from growlang_runtime.data.images import Images

COUNT, MOST = 8, 64
"""Images of a grid without prompts, and the most that a grid has."""


@dataclass(frozen=True)
class Prompts:
    """Captions and labels to draw images for, and what is written below them."""

    captions: Sequence[str | None]
    labels: Sequence[int | None]
    classes: Labels = ANY

    @staticmethod
    def of(lines: Sequence[str], conditioner: Conditioner) -> Prompts:
        """Prompts from lines of text; where the net reads labels, these have names or numbers."""
        conditions = conditioner.conditions.values()
        reads = any(c.field == "label" for c in conditions)
        classes = Labels.of(conditions)
        return Prompts(
            list(lines), [classes.read(line) if reads else None for line in lines], classes
        )

    def texts(self) -> list[str]:
        """One text for each image."""
        return [
            caption or self.classes.name(label)
            for caption, label in zip(self.captions, self.labels, strict=True)
        ]

    def encode(self, conditioner: Conditioner) -> dict[str, Tensor]:
        """The inputs that `read` makes."""
        return self.read(conditioner).inputs

    def read(self, conditioner: Conditioner) -> Encoded:
        """The net's inputs; the condition of an image that has no value for it is null."""
        missing = {
            name: torch.tensor(
                [value is None for value in (self.labels if c.field == "label" else self.captions)]
            )
            for name, c in conditioner.conditions.items()
        }
        return conditioner.read(self.captions, self.labels, missing)


def require_readable(prompts: Sequence[str], conditioner: Conditioner) -> None:
    """Raise GrowlangError for a prompt that no condition reads; an empty one is the null."""
    conditions = conditioner.conditions.values()
    if any(c.field != "label" for c in conditions):
        return
    labels = Prompts.of(prompts, conditioner).labels
    for prompt, label in zip(prompts, labels, strict=True):
        if prompt.strip() and label is None:
            classes = Labels.of(conditions)
            why = classes.refusal(prompt) if conditions else "the model has no conditions"
            help = f"give {classes.asked()}, or" if conditions else "give"
            raise GrowlangError(
                f"cannot use the prompt {quoted(prompt)}: {why}",
                help=f'{help} --prompt "" for each unconditional image',
            )


def chosen_prompts(
    sample: Sample, conditioner: Conditioner, images: Images, data_root: Path
) -> Prompts:
    """The spec's prompts, or the captions and labels of the first draws."""
    if sample.prompts is None:
        first = images.batch(range(min(COUNT, len(images))))
        classes = Labels.of(conditioner.conditions.values())
        return Prompts(first.captions, first.labels, classes)
    lines = sample.prompts
    if isinstance(lines, str):
        lines = read_prompts(data_root / lines)
    if not lines:
        raise GrowlangError(
            "`prompts` is an empty list: there is nothing to draw in a grid",
            help="leave it out, and the grids have the captions or labels of the first images",
        )
    return Prompts.of(lines[:MOST], conditioner)


def read_prompts(path: Path) -> list[str]:
    """The lines of a file of prompts that are not empty."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise GrowlangError(
            f"cannot read the prompts file {path}: {error}",
            help="`prompts` is relative to the data root, which --data-root sets",
        ) from error
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise GrowlangError(f"the prompts file {path} is empty")
    return found
