"""From captions and labels to the conditions that a net reads, and which of them are dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from growlang.diagnostics import GrowlangError
from growlang.net import Net
from growlang.ops import CONDITIONS, Condition
from growlang.plans.plan import SEMANTICS
from growlang.signatures.installed import attribute
from growlang.spec.labels import Labels
from growlang_runtime.conditioning.readers import Reader, Setting
from growlang_runtime.conditioning.readings import Reading
from growlang_runtime.data.draws import batch_uniforms, uniforms

CACHE_BYTES = 1 << 30
"""Memory for the encodings of each frozen encoder, by default."""

ATTENTION = {"attention", "transformer"}
"""Ops whose mask may be left out."""


@dataclass(frozen=True)
class Encoded:
    """The net's inputs for a batch, and what the conditions read of the captions."""

    inputs: dict[str, torch.Tensor]
    readings: dict[str, Reading]


class Conditioner:
    """Makes the net's inputs NAME.ids, NAME.label, NAME.embedding and NAME.mask.

    Frozen encoders are loaded when it is made, and take `cache_bytes` of memory each. `semantics`
    is that of the plan, which says what a word is (growlang_runtime.conditioning.words). Raises
    GrowlangError if an encoder cannot be loaded.
    """

    def __init__(
        self,
        net: Net,
        *,
        semantics: int = SEMANTICS,
        cache_bytes: int = CACHE_BYTES,
        device: torch.device | str = "cpu",
    ) -> None:
        self.semantics = semantics
        declared = declared_conditions(net.encoders)
        for name, condition in declared.items():
            _require_field(name, condition)
        self.conditions = {name: c for name, c in declared.items() if not c.is_target}
        self._targets = {name: c for name, c in declared.items() if c.is_target}
        shapes = {i.name: i.shape for i in net.inputs if i.condition}
        self._masks = masks_of_attention(net)
        self._readers: dict[str, Reader] = {
            name: attribute(c.runtime, c.call)(
                c, Setting(name, shapes[f"{name}.{c.role}"], semantics, cache_bytes, device)
            )
            for name, c in self.conditions.items()
        }

    def encode(
        self,
        captions: Sequence[str | None],
        labels: Sequence[int | None],
        dropped: Mapping[str, torch.Tensor] | None = None,
    ) -> dict[str, torch.Tensor]:
        """The inputs that `read` makes."""
        return self.read(captions, labels, dropped).inputs

    def read(
        self,
        captions: Sequence[str | None],
        labels: Sequence[int | None],
        dropped: Mapping[str, torch.Tensor] | None = None,
    ) -> Encoded:
        """The net's inputs for a batch, on the CPU, with the null condition where it is dropped.

        `dropped` gives for each condition a mask (B,) bool; a condition that it lacks is kept.
        Raises GrowlangError where a caption or label that is needed is missing or out of range.
        """
        inputs: dict[str, torch.Tensor] = {}
        readings: dict[str, Reading] = {}
        for name, condition in self.conditions.items():
            null = [False] * len(captions)
            if dropped is not None and name in dropped:
                null = dropped[name].tolist()
            values = labels if condition.field == "label" else captions
            _require(name, condition.field, values, null)
            kept = [None if drop else value for value, drop in zip(values, null, strict=True)]
            found = self._readers[name](kept)
            inputs |= {f"{name}.{condition.role}": found.values, f"{name}.mask": found.mask}
            if found.reading is not None:
                readings[name] = found.reading
        return Encoded(inputs, readings)

    def targets(self, labels: Sequence[int | None]) -> dict[str, torch.Tensor]:
        """The labels that the net predicts, (B,) int64, by `target_of` their names.

        Raises GrowlangError where one is missing or out of range.
        """
        found = {}
        for name, condition in self._targets.items():
            _require(name, condition.field, labels, [False] * len(labels), "predicts")
            for label in labels:
                _require_class(name, condition, label)
            found[target_of(name)] = torch.tensor(labels)
        return found

    def without_full_masks(self, inputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The inputs without masks under which all tokens of the batch are valid.

        With any mask, attention on a GPU does without its fastest kernel. A mask that something
        else reads stays.
        """
        return {
            name: value
            for name, value in inputs.items()
            if name not in self._masks or not bool(value.all())
        }

    def null(self, batch: int) -> dict[str, torch.Tensor]:
        """The net's inputs for `batch` images of which every condition is dropped."""
        everything = {name: torch.ones(batch, dtype=torch.bool) for name in self.conditions}
        return self.encode([None] * batch, [None] * batch, everything)


def target_of(name: str) -> str:
    """What the values of a label that is predicted are called among those of a batch."""
    return f"{name}.target"


def dropped(
    seed: int, draws: Sequence[int], drop: float | Mapping[str, float], names: Sequence[str]
) -> dict[str, torch.Tensor]:
    """Which conditions of which draws are null: a mask (B,) bool for each name.

    A number drops all conditions of a draw together; a mapping drops each by its own probability,
    never where it is not named. Raises GrowlangError for a name that is not a condition.
    """
    if not isinstance(drop, Mapping):
        together = batch_uniforms(seed, draws, "drop") < drop
        return {name: together for name in names}
    if unknown := [name for name in drop if name not in names]:
        raise GrowlangError(
            f"`drop` names `{unknown[0]}`, which is not a condition of the model",
            help="conditions of the model: " + (", ".join(names) or "none"),
        )
    values = torch.tensor([uniforms(seed, p, "drop", len(names)).tolist() for p in draws])
    return {name: values[:, i] < drop.get(name, 0.0) for i, name in enumerate(names)}


def masks_of_attention(net: Net) -> frozenset[str]:
    """The masks that only attention reads, which does without one if all tokens are valid."""
    others = {name for node in net.nodes if node.op not in ATTENTION for name in node.inputs}
    return frozenset(i.name for i in net.inputs if i.role == "mask") - others


def fields_read(conditions: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    """Which of caption and label some condition reads."""
    return frozenset(c.field for c in declared_conditions(conditions).values())


def classes_of(conditions: Mapping[str, Mapping[str, Any]]) -> Labels:
    """The classes that labels of samples and prompts name or number."""
    return Labels.of(declared_conditions(conditions).values())


def declared_conditions(conditions: Mapping[str, Mapping[str, Any]]) -> dict[str, Condition]:
    """The typed conditions of a net. Raises GrowlangError for one that is not installed."""
    found = {}
    for name, call in conditions.items():
        arguments = {argument: value for argument, value in call.items() if argument != "op"}
        found[name] = CONDITIONS.require(call["op"]).model_validate(arguments)
    return found


def _example(field: str) -> str:
    beside, apart = ("cls", "folder") if field == "label" else ("txt", "captions.csv")
    return f'webdataset(..., {field} = "{beside}"), or folder(..., {field} = "{apart}")'


def _require_field(name: str, condition: Condition) -> None:
    field, stated = condition.field, getattr(condition, "from_", condition.field)
    if stated != field:
        raise GrowlangError(
            f"condition `{name}` reads the field `{stated}`, but {condition.call} can only read "
            f"the {field} of a sample",
            help=f"remove `from`, and name the files in the source: {_example(field)}",
        )


def _require_class(name: str, condition: Condition, label: int | None) -> None:
    count = condition.labels()
    if label is not None and count is not None and not 0 <= label < count:
        names = Labels.of([condition])
        raise GrowlangError(
            f"label {label} is out of range for `{name}`, which has {count} classes",
            help=f"its classes are {names.listed()}"
            if names.names
            else f"labels start at 0; `classes({label + 1})` includes this one",
        )


def _require(
    name: str,
    what: str,
    values: Sequence[object],
    null: Sequence[bool],
    does: str = "reads",
) -> None:
    if any(value is None and not drop for value, drop in zip(values, null, strict=True)):
        who = f"condition `{name}` reads" if does == "reads" else f"the model {does}"
        raise GrowlangError(
            f"{who} the {what}, but the data source has none",
            help=f"name the files in the source: {_example(what)}",
        )
