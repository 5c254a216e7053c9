"""From captions and labels to the conditions that a net reads, and which of them are dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import torch

from growlang.diagnostics import GrowlangError
from growlang.net import Net, Shape
from growlang.plans.plan import SEMANTICS
from growlang_runtime.conditioning.encoders import TextEncoder
from growlang_runtime.conditioning.readings import Reading
from growlang_runtime.conditioning.words import words
from growlang_runtime.data.draws import batch_uniforms, uniforms

CACHE_BYTES = 1 << 30
"""Memory for the encodings of each frozen encoder, by default."""


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
        for name, call in self.conditions.items():
            null = [False] * len(captions)
            if dropped is not None and name in dropped:
                null = dropped[name].tolist()
            field = _field(call)
            _require(name, field, labels if field == "label" else captions, null)
            if call["op"] == "classes":
                inputs |= self._classes(name, call["n"], labels, null)
                continue
            kept = [
                None if drop else str(caption) for caption, drop in zip(captions, null, strict=True)
            ]
            read = self._words if call["op"] == "words" else self._texts
            found, readings[name] = read(name, kept)
            inputs |= found
        return Encoded(inputs, readings)

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
                    f"label {label} is out of range for condition `{name}`, which has {n} classes",
                    help=f"labels start at 0; `classes({label + 1}, ...)` includes this one",
                )
        ids = [
            n if label is None or drop else label for label, drop in zip(labels, null, strict=True)
        ]
        return {
            f"{name}.label": torch.tensor(ids),
            f"{name}.mask": torch.ones(len(ids), 1, dtype=torch.bool),
        }

    def _words(
        self, name: str, captions: Sequence[str | None]
    ) -> tuple[dict[str, torch.Tensor], Reading]:
        """Ids (B, T), padded with the null id, and the mask (B, T) of those that are words."""
        (length,) = self._shapes[f"{name}.ids"].dims
        vocabulary: int = self.conditions[name]["vocabulary"]
        ids = torch.full((len(captions), length), vocabulary)
        mask = torch.zeros(len(captions), length, dtype=torch.bool)
        mask[:, 0] = True
        counts = []
        for row, caption in enumerate(captions):
            found = word_ids(caption or "", vocabulary, self.semantics)
            counts.append(len(found))
            read = found[:length]
            ids[row, : len(read)] = torch.tensor(read, dtype=torch.int64)
            mask[row, : len(read)] = True
        lost = [(count > length, count == 0) for count in counts]
        inputs = {f"{name}.ids": ids, f"{name}.mask": mask}
        return inputs, _reading(length, "words", captions, lost)

    def _texts(
        self, name: str, captions: Sequence[str | None]
    ) -> tuple[dict[str, torch.Tensor], Reading]:
        """Embeddings (B, T, width) by a frozen encoder, and their mask (B, T)."""
        encoder = self._encoders[name]
        found = encoder.encodings([caption or "" for caption in captions])
        embeddings, mask = encoder.embedded(found)
        inputs = {f"{name}.embedding": embeddings, f"{name}.mask": mask}
        lost = [(encoding.cut, encoding.wordless) for encoding in found]
        return inputs, _reading(encoder.tokens, "tokens", captions, lost)


def _reading(
    limit: int, unit: str, captions: Sequence[str | None], lost: Sequence[tuple[bool, bool]]
) -> Reading:
    """A reading from whether each caption, None where it is dropped, was cut or had no word."""
    read = [
        (caption, *what)
        for caption, what in zip(captions, lost, strict=True)
        if caption is not None
    ]
    cut = tuple(caption for caption, is_cut, _ in read if is_cut)
    wordless = tuple(caption for caption, _, is_wordless in read if is_wordless)
    return Reading(limit, unit, len(read), cut, wordless)


def word_ids(caption: str, vocabulary: int, semantics: int = SEMANTICS) -> list[int]:
    """The words of a caption as ids in [0, vocabulary).

    The id is BLAKE2b-64 of the word's UTF-8, read as a little-endian number, modulo the
    vocabulary. `semantics` says what a word is (growlang_runtime.conditioning.words).
    """
    return [
        int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little") % vocabulary
        for word in words(caption, semantics)
    ]


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


def _example(field: str) -> str:
    extension = "cls" if field == "label" else "txt"
    return f'webdataset(..., {field} = "{extension}")'


def _require_field(name: str, call: Mapping[str, object]) -> None:
    field = _field(call)
    if call.get("from", field) != field:
        raise GrowlangError(
            f"condition `{name}` reads the field `{call['from']}`, but {call['op']} can only read "
            f"the {field} of a sample",
            help=f"remove `from`, and name the files in the source: {_example(field)}",
        )


def _require(name: str, what: str, values: Sequence[object], null: Sequence[bool]) -> None:
    if any(value is None and not drop for value, drop in zip(values, null, strict=True)):
        raise GrowlangError(
            f"condition `{name}` reads the {what}, but the data source has none",
            help=f"name the files in the source: {_example(what)}",
        )
