"""From captions and labels to the conditions that a net reads, and which of them are dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import torch

from growlang.diagnostics import GrowlangError
from growlang.net import Net
from growlang.ops import CONDITIONS, Condition
from growlang.plans.plan import SEMANTICS
from growlang.signatures.installed import attribute
from growlang.spec.labels import Labels
from growlang.spec.numbers import as_option, refusal
from growlang_runtime.conditioning.readers import Reader, Setting
from growlang_runtime.conditioning.readings import Reading
from growlang_runtime.data.draws import batch_uniforms, uniforms

CACHE_BYTES = 1 << 30
"""Memory for the encodings of each frozen encoder, by default."""

Numbers = Sequence[Mapping[str, Sequence[float]]]
"""Of each image the numbers that conditions read, by their names."""

NONE = (nan,)
"""Stands for numbers that are not there, where they are not read."""

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
        self._extent = None if net.of_tokens else net.pixels.dims[1:]
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
        numbers: Numbers = (),
    ) -> dict[str, torch.Tensor]:
        """The inputs that `read` makes."""
        return self.read(captions, labels, dropped, numbers).inputs

    def read(
        self,
        captions: Sequence[str | None],
        labels: Sequence[int | None],
        dropped: Mapping[str, torch.Tensor] | None = None,
        numbers: Numbers = (),
    ) -> Encoded:
        """The net's inputs for a batch, on the CPU, with the null condition where it is dropped.

        `dropped` gives for each condition a mask (B,) bool; a condition that it lacks is kept, and
        so are numbers that have no null. Raises GrowlangError where a caption, label or number that
        is needed is missing or out of range.
        """
        inputs: dict[str, torch.Tensor] = {}
        readings: dict[str, Reading] = {}
        for name, condition in self.conditions.items():
            null = [False] * len(captions)
            if dropped is not None and name in dropped and condition.can_be_null:
                null = dropped[name].tolist()
            values: Sequence[Any] = labels if condition.field == "label" else captions
            if condition.field == "number":
                values = [n.get(name) for n in numbers] or [None] * len(captions)
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
        """The net's inputs for `batch` images of which every condition is dropped.

        Numbers that have no null are left out: they are those of the images with the conditions.
        """
        everything = {name: torch.ones(batch, dtype=torch.bool) for name in self.conditions}
        left = [name for name, c in self.conditions.items() if not c.can_be_null]
        filled = [dict.fromkeys(left, NONE)] * batch
        inputs = self.encode([None] * batch, [None] * batch, everything, filled)
        return {name: x for name, x in inputs.items() if name.rpartition(".")[0] not in left}

    def usual_numbers(self, given: Mapping[str, Sequence[float]]) -> dict[str, tuple[float, ...]]:
        """The numbers of images that are drawn, of which some are `given`, by the condition's name.

        Of the others sizes are those of the model's images, without a crop; what else has a null
        is left out. Raises GrowlangError for what is no such condition, for another number of
        numbers, and where there is neither a number nor a null.
        """
        if refused := refusal(given, self.conditions):
            options = " and ".join(as_option(*item) for item in refused.wanted.items())
            raise GrowlangError(
                f"cannot use the numbers of `{refused.name}`: {refused.why}",
                help=f"give {options}" if options else "leave them out: the model reads none",
            )
        own = {name: c for name, c in self.conditions.items() if c.fields}
        found = {name: tuple(map(float, several)) for name, several in given.items()}
        for name, condition in own.items():
            usual = condition.usual(*self._extent) if self._extent else None
            if name not in found and usual:
                found[name] = usual
            elif name not in found and not condition.can_be_null:
                raise GrowlangError(
                    f"condition `{name}` has no null, and no number is given for it",
                    help=f"give {as_option(name, condition.fields)}",
                )
        return found


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
        return dict.fromkeys(names, together)
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
    """What of a sample some condition reads: its caption, its label, its JSON file, a table."""
    return frozenset().union(*(c.members for c in declared_conditions(conditions).values()))


def numbers_read(conditions: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """The fields of a sample that conditions read numbers of, by the condition's name."""
    found = declared_conditions(conditions).items()
    return {name: c.fields for name, c in found if c.fields}


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
    if stated != field and field != "number":
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
        if what == "number":
            raise GrowlangError(
                f"condition `{name}` reads numbers, and an image has none",
                help="give them by the name of the condition for each image",
            )
        who = f"condition `{name}` reads" if does == "reads" else f"the model {does}"
        raise GrowlangError(
            f"{who} the {what}, but the data source has none",
            help=f"name the files in the source: {_example(what)}",
        )
