"""The inputs of a net that say what an image is to be: made of captions, classes or prompts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.net import Net
from growlang.plans.plan import SEMANTICS
from growlang.spec.numbers import Given, listed
from growlang.tables.shown import Shown
from growlang.torch_backend.device import open_device
from growlang_runtime.conditioning.conditioner import Conditioner
from growlang_runtime.diffusion.objective import Denoiser, denoiser
from growlang_runtime.report.prompts import Prompts

if TYPE_CHECKING:
    from rich.console import Console

MEANINGS = {
    "ids": "int64: hashed words; the last id is the null",
    "label": "int64: number of the class; the last one is the null",
    "number": "float32: numbers of a sample; NaN is the null",
    "embedding": "float32: tokens of the frozen encoder",
    "mask": "bool: which of them are read",
}
"""What an input of a condition holds, by its role."""


class Conditions(Shown):
    """Makes the inputs of a net's conditions; it prints as a table of them.

    Called with prompts it gives a dict, NAME.ids, NAME.label or NAME.embedding with NAME.mask,
    each (B, ...). A model without conditions gives an empty dict. Frozen encoders are loaded
    when it is made.
    """

    def __init__(
        self, net: Net, device: torch.device | str = "cpu", semantics: int = SEMANTICS
    ) -> None:
        self.net = net
        self.device = open_device(str(device))
        self.conditioner = Conditioner(net, semantics=semantics, device=self.device)

    def __call__(
        self,
        prompts: str | Sequence[str],
        numbers: Given | None = None,
    ) -> dict[str, Tensor]:
        """The inputs for prompts, one image each: captions, or names or numbers of classes.

        `numbers` are those of conditions that read numbers, as `sample` has them. An empty prompt
        is the null condition. Raises GrowlangError for a prompt that no condition reads, as
        `sample` does.
        """
        lines = [prompts] if isinstance(prompts, str) else list(prompts)
        asked = Prompts.of(lines, self.conditioner, listed(numbers))
        return self._moved(asked.encode(self.conditioner))

    def of(
        self,
        captions: Sequence[str | None] | None = None,
        labels: Sequence[int | None] | None = None,
        *,
        numbers: Sequence[Mapping[str, Sequence[float]]] | None = None,
        dropped: Sequence[bool] | Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The inputs for captions and labels of a batch; what is None is the null condition.

        `numbers` has for each image those of conditions that read numbers, by their names.
        `dropped` (B,) says which images are trained without any condition, which guidance needs.
        Raises GrowlangError if they are not of one length, or for a label that is out of range.
        """
        given = [
            len(values) for values in (captions, labels, numbers, dropped) if values is not None
        ]
        if not given or len({*given}) > 1:
            raise GrowlangError(
                f"the batch has {' and '.join(map(str, given)) or 'no'} captions and labels",
                help="give `captions`, `labels` or both, with a value for each image",
            )
        null = [bool(drop) for drop in dropped] if dropped is not None else [False] * given[0]
        texts, classes = (
            [None if drop else v for v, drop in zip(values or [None] * given[0], null, strict=True)]
            for values in (captions, labels)
        )
        kept = [{} if drop else of for of, drop in zip(numbers or (), null, strict=bool(numbers))]
        asked = Prompts(texts, classes, numbers=kept)  # type: ignore[arg-type]
        return self._moved(asked.encode(self.conditioner))

    def null(self, batch: int) -> dict[str, Tensor]:
        """The inputs for `batch` images without any condition."""
        return self._moved(self.conditioner.null(batch))

    def _moved(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: value.to(self.device) for name, value in inputs.items()}

    def __repr__(self) -> str:
        names = ", ".join(self.conditioner.conditions) or "none"
        return f"Conditions({self.net.name}: {names})"

    def print(self, out: Console) -> None:
        """Print the inputs of the net that conditions make."""
        from growlang.tables.parts import table_of

        table = table_of("<input", "<shape", "<made of", "<holds")
        for i in self.net.inputs:
            if i.condition:
                reads = self.conditioner.conditions[i.condition].field
                table.add_row(i.name, f"B x {i.shape}", reads, MEANINGS[i.role])
        out.print(table if table.row_count else f"{self.net.name} has no conditions")


def denoiser_of(
    module: Callable[..., Tensor], net: Net, conditions: Mapping[str, Tensor]
) -> Denoiser:
    """The module of a net under conditions. Raises GrowlangError unless these are its inputs."""
    wanted = {i.name for i in net.inputs if i.condition}
    if wanted != conditions.keys():
        missing = sorted(wanted - conditions.keys())
        named = missing or sorted(conditions.keys() - wanted)
        raise GrowlangError(
            f"the net {net.name} {'needs' if missing else 'has no input'} "
            + ", ".join(f"`{name}`" for name in named),
            help="give what `growlang.conditions(spec)` makes of prompts or captions",
        )
    return denoiser(module, net, conditions)
