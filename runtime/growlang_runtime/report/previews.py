"""Sample grids during training: the same prompts and seeds every time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.func import functional_call

from growlang.diagnostics import GrowlangError
from growlang.net import Net
from growlang.plans.plan import Plan
from growlang.spec.recipe import Sample
from growlang.torch_backend.lower import LoweredNet
from growlang_runtime.conditioning.conditioner import Conditioner, Encoded
from growlang_runtime.conditioning.readings import about_prompts, quoted
from growlang_runtime.data.images import Images
from growlang_runtime.diffusion.objective import Objective
from growlang_runtime.diffusion.sampling import Request, generate
from growlang_runtime.report.grids import write_grid

COUNT, MOST = 8, 64
"""Images of a grid without prompts, and the most that a grid has."""


@dataclass(frozen=True)
class Prompts:
    """Captions and labels to draw images for, and what is written below them."""

    captions: Sequence[str | None]
    labels: Sequence[int | None]

    @staticmethod
    def of(lines: Sequence[str], conditioner: Conditioner) -> Prompts:
        """Prompts from lines of text; where the net reads labels, numbers are labels."""
        classes = any(call["op"] == "classes" for call in conditioner.conditions.values())
        return Prompts(list(lines), [_label(line) if classes else None for line in lines])

    def texts(self) -> list[str]:
        """One text for each image."""
        return [
            caption or ("" if label is None else str(label))
            for caption, label in zip(self.captions, self.labels, strict=True)
        ]

    def encode(self, conditioner: Conditioner) -> dict[str, Tensor]:
        """The inputs that `read` makes."""
        return self.read(conditioner).inputs

    def read(self, conditioner: Conditioner) -> Encoded:
        """The net's inputs; the condition of an image that has no value for it is null."""
        missing = {
            name: torch.tensor(
                [
                    value is None
                    for value in (self.labels if call["op"] == "classes" else self.captions)
                ]
            )
            for name, call in conditioner.conditions.items()
        }
        return conditioner.read(self.captions, self.labels, missing)


def _label(line: str) -> int | None:
    """The label that a line is; None for any other text."""
    try:
        return int(line) if line.strip().isdecimal() else None
    except ValueError:  # more digits than Python reads
        return None


def require_readable(prompts: Sequence[str], conditioner: Conditioner) -> None:
    """Raise GrowlangError for a prompt that no condition reads; an empty one is the null."""
    calls = conditioner.conditions.values()
    if any(call["op"] != "classes" for call in calls):
        return
    labels = Prompts.of(prompts, conditioner).labels
    for prompt, label in zip(prompts, labels, strict=True):
        if prompt.strip() and label is None:
            what = "takes labels, not text" if calls else "has no conditions"
            most = max((int(call["n"]) for call in calls), default=0) - 1
            help = f"give a label from 0 to {most}, or" if calls else "give"
            raise GrowlangError(
                f"cannot use the prompt {quoted(prompt)}: the model {what}",
                help=f'{help} --prompt "" for each unconditional image',
            )


class Previews:
    """The grids of a run. Raises GrowlangError for prompts that cannot be read or encoded."""

    def __init__(
        self, plan: Plan, net: Net, conditioner: Conditioner, images: Images, data_root: Path
    ) -> None:
        self.net, self.sample, self.conditioner = net, plan.sample, conditioner
        self.seed = plan.phases[0].settings.seed
        self.prompts = chosen_prompts(plan.sample, conditioner, images, data_root)
        encoded = self.prompts.read(conditioner)
        self.inputs = encoded.inputs
        self.warnings = about_prompts([encoded.readings]) if plan.sample.prompts else []
        self.warnings += [unread] if plan.sample.prompts and (unread := self._unread()) else []
        """What the conditions cannot read of the spec's prompts, a line for each."""

    def _unread(self) -> str:
        try:
            require_readable([caption or "" for caption in self.prompts.captions], self.conditioner)
        except GrowlangError as error:
            return error.message
        return ""

    def draw(
        self, module: LoweredNet, weights: Mapping[str, Tensor], objective: Objective, path: Path
    ) -> bool:
        """Write the grid that `weights` give to `path`, unless it is there already.

        Returns whether all of it is finite.
        """
        if path.exists():
            return True
        texts = self.prompts.texts()
        request = Request(
            self.inputs,
            self.conditioner.null(len(texts)),
            range(len(texts)),
            self.seed,
            self.sample.guidance,
        )

        def averaged(*inputs: Tensor) -> Tensor:
            out: Tensor = functional_call(module, dict(weights), inputs)
            return out

        device = next(iter(weights.values())).device
        drawn = generate(averaged, self.net, objective, self.sample.sampler, request, device)
        path.parent.mkdir(exist_ok=True)  # the run's folder may have been copied without it
        write_grid(drawn, texts, path)
        return bool(drawn.isfinite().all())


def chosen_prompts(
    sample: Sample, conditioner: Conditioner, images: Images, data_root: Path
) -> Prompts:
    """The spec's prompts, or the captions and labels of the first draws."""
    if sample.prompts is None:
        first = images.batch(range(min(COUNT, len(images))))
        return Prompts(first.captions, first.labels)
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
