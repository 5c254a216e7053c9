"""What a prompt is to a model: a caption, a label, or something that it cannot read."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from growlang.ops import Condition


class Refusal(NamedTuple):
    """Why a model cannot read a prompt, and what it reads."""

    why: str
    reads: str
    """Labels that it has; empty where it has no conditions."""


def label_of(prompt: str) -> int | None:
    """The label that a prompt is; None for any other text."""
    try:
        return int(prompt) if prompt.strip().isdecimal() else None
    except ValueError:  # more digits than Python reads
        return None


def reads_labels(conditions: Collection[Condition]) -> bool:
    """Whether some condition reads labels."""
    return any(c.field == "label" for c in conditions)


def refusal(prompt: str, conditions: Collection[Condition]) -> Refusal | None:
    """Why no condition of a model reads a prompt; None if one does. The empty prompt is the null.

    Sampling, the grids of a run and the compiler all ask this, so that they refuse the same.
    """
    counts = [n for c in conditions if (n := c.labels()) is not None]
    label = label_of(prompt)
    reads = f"a label from 0 to {min(counts) - 1}" if counts else "a label"
    if label is not None and counts and label >= min(counts):
        return Refusal(f"the last label of the model is {min(counts) - 1}", reads)
    captions = any(c.field != "label" for c in conditions)
    if captions or not prompt.strip() or (label is not None and conditions):
        return None
    if conditions:
        return Refusal("the model takes labels, not text", reads)
    return Refusal("the model has no conditions", "")


def labels_shown(conditions: Collection[Condition], most: int) -> list[str] | None:
    """Prompts that show what a model reads: each label once, `most` of them.

    Nothing for a model without conditions; None where captions are read, or labels without end.
    """
    if not conditions:
        return []
    counts = [n for c in conditions if (n := c.labels()) is not None]
    if not counts or any(c.field != "label" for c in conditions):
        return None
    return [str(label) for label in range(min(min(counts), most))]
