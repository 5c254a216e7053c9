"""Whether a model reads a prompt: as a caption, or as a label by its name or number."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from growlang.ops import Condition
from growlang.spec.labels import Labels


class Refusal(NamedTuple):
    """Why a model cannot read a prompt, and what it reads."""

    why: str
    labels: Labels | None
    """The labels that it has; None where it reads none."""

    @property
    def help(self) -> str:
        """What may be given instead."""
        if self.labels is None:
            return 'give "" for each unconditional image'
        return f'give {self.labels.asked()}, or "" for each unconditional image'


def reads_labels(conditions: Collection[Condition]) -> bool:
    """Whether some condition reads labels."""
    return any(c.field == "label" for c in conditions)


def refusal(prompt: str, conditions: Collection[Condition]) -> Refusal | None:
    """Why no condition of a model reads a prompt; None if one does. The empty prompt is the null.

    Sampling, the grids of a run and the compiler all ask this, so that they refuse the same.
    """
    labels = Labels.of(conditions) if reads_labels(conditions) else None
    label = labels.read(prompt) if labels else None
    if label is not None and labels and labels.count is not None and label >= labels.count:
        return Refusal(f"the last label of the model is {labels.count - 1}", labels)
    captions = any(c.field == "caption" for c in conditions)
    if captions or not prompt.strip() or label is not None:
        return None
    if labels is None:
        return Refusal(f"the model has no conditions{' but numbers' * bool(conditions)}", None)
    return Refusal(labels.refusal(prompt), labels)


def labels_shown(conditions: Collection[Condition], most: int) -> list[str] | None:
    """Prompts that show what a model reads: each label once, `most` of them.

    Nothing for a model without conditions; None where captions are read, or labels without end.
    """
    if not conditions:
        return []
    labels = Labels.of(conditions)
    if any(c.field == "caption" for c in conditions):
        return None
    if not reads_labels(conditions):
        return []
    if labels.count is None:
        return None
    return [labels.name(label) for label in range(min(labels.count, most))]
