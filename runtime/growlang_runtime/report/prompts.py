"""Prompts: of a spec, of a file, or given with a command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.ops import Condition
from growlang.plans.weights_header import PLAN, parsed, run_of
from growlang.spec.labels import ANY, Labels
from growlang.spec.prompts import labels_shown, reads_labels, refusal
from growlang.spec.recipe import Sample
from growlang_runtime.conditioning.conditioner import (
    Conditioner,
    Encoded,
    Numbers,
    declared_conditions,
)
from growlang_runtime.conditioning.readings import quoted
from growlang_runtime.data.mix import Mix
from growlang_runtime.storage.run import recorded_plan
from growlang_runtime.storage.weights import Weights

COUNT, MOST = 8, 64
"""Images of a grid without prompts, and the most that a grid has."""
GIVE = 'give --prompt "..." or --prompts FILE'
DATA_ROOT = "`prompts` is relative to the data root, which --data-root sets"


@dataclass(frozen=True)
class Prompts:
    """Captions and labels to draw images for, and what is written below them."""

    captions: Sequence[str | None]
    labels: Sequence[int | None]
    classes: Labels = ANY
    numbers: Numbers = ()
    """Of each image those that conditions read, by their names; none is the null."""

    @staticmethod
    def of(
        lines: Sequence[str],
        conditioner: Conditioner,
        numbers: Mapping[str, Sequence[float]] | None = None,
    ) -> Prompts:
        """Prompts from lines of text; where the net reads labels, these have names or numbers.

        `numbers` are those of conditions that read numbers, by name. Raises GrowlangError for a
        prompt that no condition reads, and for numbers that none does; an empty prompt is the null.
        """
        conditions = conditioner.conditions.values()
        for line in lines:
            if refused := refusal(line, conditions):
                raise GrowlangError(
                    f"cannot use the prompt {quoted(line)}: {refused.why}", help=refused.help
                )
        classes, reads = Labels.of(conditions), reads_labels(conditions)
        labels = [classes.read(line) if reads else None for line in lines]
        own = conditioner.usual_numbers(numbers or {})
        return Prompts(list(lines), labels, classes, [own] * len(lines))

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
            name: torch.tensor([value is None for value in self._given(name, c)])
            for name, c in conditioner.conditions.items()
        }
        return conditioner.read(self.captions, self.labels, missing, self.numbers)

    def _given(self, name: str, condition: Condition) -> Sequence[object]:
        """What a condition reads of each image; None where there is nothing."""
        if condition.field == "number":
            return [of.get(name) for of in self.numbers] or [None] * len(self.captions)
        return self.labels if condition.field == "label" else self.captions


def chosen_prompts(
    sample: Sample, conditioner: Conditioner, images: Mix, data_root: Path
) -> Prompts:
    """The spec's prompts, or the captions and labels of the first draws.

    Raises GrowlangError for prompts that `growlang sample` would refuse too.
    """
    if sample.prompts is None:
        first = images.batch(range(min(COUNT, len(images))))
        classes = Labels.of(conditioner.conditions.values())
        return Prompts(first.captions, first.labels, classes, first.numbers)
    lines = stated_prompts(sample, data_root) or []
    try:
        return Prompts.of(lines, conditioner, sample.given_numbers)
    except GrowlangError as error:
        raise GrowlangError(f"`prompts` of `sample`: {error.message}", help=error.help) from error


def stated_prompts(sample: Sample, data_root: Path) -> list[str] | None:
    """The prompts of a `sample` section, at most those of a grid; None where it has none."""
    lines = sample.prompts
    if isinstance(lines, str):
        lines = read_prompts(data_root / lines, DATA_ROOT)
    if lines is not None and not lines:
        raise GrowlangError(
            "`prompts` is an empty list: there is nothing to draw in a grid",
            help="leave it out, and the grids have the captions or labels of the first images",
        )
    return lines and lines[:MOST]


def own_prompts(weights: Weights) -> list[str]:
    """The prompts of the spec that weights were trained by, from what is stored with them.

    Without any: each class of a model that reads classes alone, and a few unconditional images of
    one without conditions. Raises GrowlangError where only the user knows what to ask for.
    """
    text = weights.metadata.get("sample")
    sample: Sample = parsed(Sample, text, weights.path) if text else Sample()
    stated = _stored_prompts(sample, weights.path)
    if stated is not None:
        return stated
    shown = labels_shown(declared_conditions(weights.net.encoders).values(), MOST)
    if shown is None:
        raise GrowlangError(
            f"no prompts given, and the spec of {weights.path} has none in its `sample` section",
            help=GIVE,
        )
    return shown or [""] * COUNT


def _stored_prompts(sample: Sample, path: Path) -> list[str] | None:
    """Prompts as they are stored; of older runs that name a file, the lines of it.

    Raises GrowlangError if the file is not where the run's spec was.
    """
    if not isinstance(sample.prompts, str):
        return stated_prompts(sample, path)
    run = run_of(path)
    spec = Path(recorded_plan(run).spec) if (run / PLAN).exists() else path
    return read_prompts(spec.parent / sample.prompts, GIVE)[:MOST]


def read_prompts(path: Path, help: str = DATA_ROOT) -> list[str]:
    """The lines of a file of prompts that are not empty. Raises GrowlangError with `help`."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise GrowlangError(f"cannot read the prompts file {path}: {error}", help=help) from error
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise GrowlangError(f"the prompts file {path} is empty", help="write a prompt a line")
    return found
