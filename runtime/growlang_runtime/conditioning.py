"""From captions and labels to the conditions that a net reads, and which of them are dropped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b

import torch

from growlang.diagnostics import GrowlangError
from growlang.net import Net, Shape
from growlang_runtime.draws import batch_uniforms, uniforms
from growlang_runtime.encoders import TextEncoder

CACHE_BYTES = 1 << 30
"""Memory for the encodings of each frozen encoder, unless told otherwise."""


class Conditioner:
    """Makes the net's inputs NAME.ids, NAME.label, NAME.embedding and NAME.mask.

    Frozen encoders are loaded when it is made, and take `cache_bytes` of memory each. Raises
    GrowlangError if one cannot be loaded.
    """

    def __init__(
        self, net: Net, *, cache_bytes: int = CACHE_BYTES, device: torch.device | str = "cpu"
    ) -> None:
        self.conditions = {name: dict(call) for name, call in net.encoders.items()}
        self._shapes = {i.name: i.shape for i in net.inputs if i.condition}
        for name, call in self.conditions.items():
            _require_field(name, call)
        self._encoders = {
            name: _encoder(call, self._shapes[f"{name}.embedding"], cache_bytes, device)
            for name, call in self.conditions.items()
            if call["op"] not in ("words", "classes")
        }

    def encode(
        self,
        captions: Sequence[str | None],
        labels: Sequence[int | None],
        dropped: Mapping[str, torch.Tensor] | None = None,
    ) -> dict[str, torch.Tensor]:
        """The net's inputs for a batch, on the CPU, with the null condition where it is dropped.

        `dropped` gives for each condition a mask (B,) bool; a condition that it lacks is kept.
        Raises GrowlangError where a caption or label that is needed is missing or out of range.
        """
        inputs: dict[str, torch.Tensor] = {}
        for name, call in self.conditions.items():
            null = [False] * len(captions)
            if dropped is not None and name in dropped:
                null = dropped[name].tolist()
            field = _field(call)
            _require(name, field, labels if field == "label" else captions, null)
            if call["op"] == "classes":
                inputs |= self._classes(name, call["n"], labels, null)
            elif call["op"] == "words":
                inputs |= self._words(name, call["vocabulary"], captions, null)
            else:
                texts = [
                    "" if drop else str(caption)
                    for caption, drop in zip(captions, null, strict=True)
                ]
                inputs[f"{name}.embedding"], inputs[f"{name}.mask"] = self._encoders[name](texts)
        return inputs

    def null(self, batch: int) -> dict[str, torch.Tensor]:
        """The net's inputs for `batch` images of which every condition is dropped."""
        everything = {name: torch.ones(batch, dtype=torch.bool) for name in self.conditions}
        return self.encode([None] * batch, [None] * batch, everything)

    def _classes(
        self, name: str, n: int, labels: Sequence[int | None], null: Sequence[bool]
    ) -> dict[str, torch.Tensor]:
        """Label ids (B,), n for null, and a mask (B, 1) that is all true."""
        for label, drop in zip(labels, null, strict=True):
            if label is not None and not drop and not 0 <= label < n:
                raise GrowlangError(
                    f"the label {label} is none of the {n} classes of condition `{name}`",
                    help=f"labels count from 0; classes({label + 1}, ...) has this one",
                )
        ids = [
            n if label is None or drop else label for label, drop in zip(labels, null, strict=True)
        ]
        return {
            f"{name}.label": torch.tensor(ids),
            f"{name}.mask": torch.ones(len(ids), 1, dtype=torch.bool),
        }

    def _words(
        self, name: str, vocabulary: int, captions: Sequence[str | None], null: Sequence[bool]
    ) -> dict[str, torch.Tensor]:
        """Ids (B, T), padded with the null id, and the mask (B, T) of those that are words."""
        (length,) = self._shapes[f"{name}.ids"].dims
        ids = torch.full((len(captions), length), vocabulary)
        mask = torch.zeros(len(captions), length, dtype=torch.bool)
        mask[:, 0] = True
        for row, (caption, drop) in enumerate(zip(captions, null, strict=True)):
            words = [] if caption is None or drop else word_ids(caption, vocabulary)[:length]
            ids[row, : len(words)] = torch.tensor(words, dtype=torch.int64)
            mask[row, : len(words)] = True
        return {f"{name}.ids": ids, f"{name}.mask": mask}


def word_ids(caption: str, vocabulary: int) -> list[int]:
    r"""The words of a caption as ids in [0, vocabulary).

    Words are the runs of letters, digits and underscores (`\w+`) of the lower-cased caption. The
    id is BLAKE2b-64 of the word's UTF-8, read as a little-endian number, modulo the vocabulary.
    """
    return [
        int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little") % vocabulary
        for word in re.findall(r"\w+", caption.lower())
    ]


def dropped(
    seed: int, draws: Sequence[int], drop: float | Mapping[str, float], names: Sequence[str]
) -> dict[str, torch.Tensor]:
    """Which conditions of which draws are null: a mask (B,) bool for each name.

    A number drops all conditions of a draw together; a mapping drops each by its own probability,
    never where it is not named. Raises GrowlangError for a name that is no condition.
    """
    if not isinstance(drop, Mapping):
        together = batch_uniforms(seed, draws, "drop") < drop
        return {name: together for name in names}
    if unknown := [name for name in drop if name not in names]:
        raise GrowlangError(
            f"drop names `{unknown[0]}`, which is no condition of the model",
            help="its conditions are " + (", ".join(names) or "none"),
        )
    values = torch.tensor([uniforms(seed, p, "drop", len(names)).tolist() for p in draws])
    return {name: values[:, i] < drop.get(name, 0.0) for i, name in enumerate(names)}


def fields_read(conditions: Mapping[str, Mapping[str, object]]) -> frozenset[str]:
    """Which of caption and label some condition reads."""
    return frozenset(_field(call) for call in conditions.values())


def classes_of(conditions: Mapping[str, Mapping[str, object]]) -> int | None:
    """The number that all labels must be below; None where no condition reads labels."""
    counts = [int(str(c["n"])) for c in conditions.values() if c["op"] == "classes"]
    return min(counts, default=None)


def _encoder(
    call: Mapping[str, object], shape: Shape, cache_bytes: int, device: torch.device | str
) -> TextEncoder:
    tokens, width = shape.dims
    return TextEncoder(
        str(call["id"]),
        str(call["op"]),
        tokens=tokens,
        width=width,
        cache_bytes=cache_bytes,
        device=device,
    )


def _field(call: Mapping[str, object]) -> str:
    return "label" if call["op"] == "classes" else "caption"


def _require_field(name: str, call: Mapping[str, object]) -> None:
    field = _field(call)
    if call.get("from", field) != field:
        raise GrowlangError(
            f"the condition `{name}` reads the field `{call['from']}`, but {call['op']} can read "
            f"the {field} of a sample only",
            help=f'leave out `from`, and name the members: webdataset(..., {field} = "ENDING")',
        )


def _require(name: str, what: str, values: Sequence[object], null: Sequence[bool]) -> None:
    if any(value is None and not drop for value, drop in zip(values, null, strict=True)):
        raise GrowlangError(
            f"the condition `{name}` reads the {what}, but the source has none",
            help=f'webdataset(..., {what} = "ENDING") names the ending of its {what}s',
        )
