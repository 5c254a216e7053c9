"""Frozen text encoders through transformers, with a cache of what they computed."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any, Literal, NamedTuple

import torch

from growlang.diagnostics import GrowlangError
from growlang_runtime.data.pretrained import first_line, local_first

ROWS = 16
"""Captions in one call of an encoder; a call with fewer is filled up.

Calls of few fixed shapes make an encoding independent of the captions beside it, hence of what
was cached before a run was interrupted."""

SHORTEST = 8
"""Tokens in the shortest call; the others have this times a power of two, or the limit."""


class Encoding(NamedTuple):
    """What is known of a caption."""

    states: torch.Tensor
    """(length, width) in bfloat16, without padding."""
    cut: bool
    """Whether the caption has more than `tokens` tokens."""
    wordless: bool
    """Whether it gives no other tokens than the empty caption."""


class FrozenEncoder:
    """A tokenizer and a model that is never trained, as a function of captions.

    The cache keeps encodings without padding, in bfloat16, until it holds `cache_bytes`; an
    encoding is rounded to bfloat16 whether it is cached or not.
    """

    def __init__(
        self, tokenizer: Any, model: Any, *, tokens: int, width: int, cache_bytes: int
    ) -> None:
        self.tokens = tokens
        self.width = width
        self.device: torch.device = model.device
        self._tokenizer, self._model = tokenizer, model
        self._room = cache_bytes
        self._cache: dict[str, Encoding] = {}
        self._lock = Lock()
        self._nothing = self._ids("")[0]

    def __call__(self, captions: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Encodings (B, tokens, width) float32 and their mask (B, tokens) bool, on the CPU.

        Captions are cut at `tokens`; an empty one has at least one valid token.
        """
        return self.embedded(self.encodings(captions))

    def encodings(self, captions: Sequence[str]) -> list[Encoding]:
        """The encoding of each caption."""
        with self._lock:  # tokenizers fail when two threads use one
            new = self._compute([c for c in dict.fromkeys(captions) if c not in self._cache])
            for caption, encoding in new.items():
                self._keep(caption, encoding)
        return [new[c] if c in new else self._cache[c] for c in captions]

    def embedded(self, encodings: Sequence[Encoding]) -> tuple[torch.Tensor, torch.Tensor]:
        """Encodings with padding: (B, tokens, width) float32, and their mask (B, tokens) bool."""
        embeddings = torch.zeros(len(encodings), self.tokens, self.width)
        mask = torch.zeros(len(encodings), self.tokens, dtype=torch.bool)
        for row, encoding in enumerate(encodings):
            embeddings[row, : len(encoding.states)] = encoding.states.float()
            mask[row, : len(encoding.states)] = True
        return embeddings, mask

    def _keep(self, caption: str, encoding: Encoding) -> None:
        """Cache until the room is used up. Epochs go round, so evicting would never hit."""
        if encoding.states.nbytes <= self._room:
            self._room -= encoding.states.nbytes
            self._cache[caption] = encoding

    def _compute(self, captions: Sequence[str]) -> dict[str, Encoding]:
        """The encoding of each caption, computed without the cache."""
        ids = {caption: self._ids(caption) for caption in captions}
        lengths: dict[int, list[str]] = {}
        for caption in captions:
            lengths.setdefault(self._length(len(ids[caption][0])), []).append(caption)
        encodings: dict[str, Encoding] = {}
        for length, group in sorted(lengths.items()):
            for start in range(0, len(group), ROWS):
                some = group[start : start + ROWS]
                hidden = self._forward([ids[caption][0] for caption in some], length)
                for caption, row in zip(some, hidden, strict=False):
                    own, cut = ids[caption]
                    states = row[: len(own)].clone()
                    encodings[caption] = Encoding(states, cut, own == self._nothing)
        return encodings

    def _ids(self, caption: str) -> tuple[list[int], bool]:
        """The ids of a caption, at least one, and whether it has more than `tokens`."""
        ids = self._tokenized(caption, self.tokens + 1)
        if len(ids) <= self.tokens:
            return ids or [self._tokenizer.eos_token_id], False
        return self._tokenized(caption, self.tokens), True

    def _tokenized(self, caption: str, most: int) -> list[int]:
        ids: list[int] = self._tokenizer(caption, truncation=True, max_length=most)["input_ids"]
        return ids

    def _length(self, length: int) -> int:
        fixed = SHORTEST
        while fixed < length:
            fixed *= 2
        return min(fixed, self.tokens)

    @torch.no_grad()
    def _forward(self, ids: list[list[int]], length: int) -> torch.Tensor:
        """Last hidden state (ROWS, length, width) in bfloat16, on the CPU."""
        filled = ids + ids[:1] * (ROWS - len(ids))
        batch = torch.full((ROWS, length), self._tokenizer.pad_token_id or 0)
        mask = torch.zeros_like(batch)
        for row, one in enumerate(filled):
            batch[row, : len(one)] = torch.tensor(one)
            mask[row, : len(one)] = 1
        output = self._model(input_ids=batch.to(self.device), attention_mask=mask.to(self.device))
        hidden: torch.Tensor = output.last_hidden_state
        return hidden.to("cpu", torch.bfloat16)


class TextEncoder(FrozenEncoder):
    """A pretrained text encoder, loaded by its name.

    `name` is a folder or the id of a model; `op` `t5` loads its encoder half, `clip` its text
    half, and any other op whatever `AutoModel` finds. Raises GrowlangError if the model cannot be
    loaded, or is not `width` wide.
    """

    def __init__(
        self,
        name: str,
        op: str,
        *,
        tokens: int,
        width: int,
        cache_bytes: int,
        device: torch.device | str = "cpu",
    ) -> None:
        on = torch.device(device)
        tokenizer, model = pretrained(name, op, torch.float32 if on.type == "cpu" else None)
        half = encoding_half(model, op).eval().requires_grad_(False).to(on)
        super().__init__(tokenizer, half, tokens=tokens, width=width, cache_bytes=cache_bytes)
        found = self._compute([""])[""].states.shape[-1]
        if found != width:
            raise GrowlangError(
                f"text encoder `{name}` has width {found}, but the net expects {width}",
                help=f"set `width = {found}` in the spec",
            )


def encoding_half(model: Any, op: str) -> Any:
    """The part of a loaded model that encodes text: of pairs, and of texts and images."""
    if op != "t5" and model.config.is_encoder_decoder:
        model = model.get_encoder()
    return getattr(model, "text_model", model)


def pretrained(
    name: str, op: str, dtype: torch.dtype | Literal["auto"] | None = None
) -> tuple[Any, Any]:
    """Tokenizer and model, by default in bfloat16. Raises GrowlangError if there are none."""
    from transformers import AutoModel, AutoTokenizer, CLIPTextModel, T5EncoderModel

    kind: Any = {"t5": T5EncoderModel, "clip": CLIPTextModel}.get(op, AutoModel)

    def read(name: str, **where: bool) -> tuple[Any, Any]:
        tokenizer = AutoTokenizer.from_pretrained(name, **where)
        return tokenizer, kind.from_pretrained(name, dtype=dtype or torch.bfloat16, **where)

    try:
        return local_first(read, name)
    except (OSError, ValueError, ImportError) as error:
        raise GrowlangError(
            f"cannot load text encoder `{name}`: it is not a local folder, and not in the Hugging "
            f"Face cache or incomplete there ({first_line(error)})",
            help=f"run `hf download {name}` while online, or give a folder with the model and its "
            "tokenizer",
        ) from error
