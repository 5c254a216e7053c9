"""Tokenizers: texts as the ids of tokens, and back."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growlang.diagnostics import GrowlangError
from growlang.spec.tokenizers import Bytes
from growlang_runtime.data.pretrained import first_line, local_first

Ids = NDArray[np.unsignedinteger[Any]]


class Tokenizer(ABC):
    """What turns texts into ids."""

    size: int
    """Ids are below it."""
    end: int | None
    """The id that ends a text; None where the tokenizer has none."""
    identity: str
    """Tells it from others that give other ids."""

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> list[Ids]:
        """The ids of each text, without any that are added at its ends."""

    @abstractmethod
    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; what is no text becomes U+FFFD."""


class ByteTokenizer(Tokenizer):
    """The bytes of UTF-8; 0, which no text has but as the character of that number, ends one."""

    size = Bytes.vocabulary
    end = 0
    identity = "bytes"

    def encode(self, texts: Sequence[str]) -> list[Ids]:
        """A byte each."""
        return [np.frombuffer(text.encode("utf-8", "replace"), np.uint8) for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of bytes."""
        return bytes(id for id in ids if id < self.size).decode("utf-8", "replace")


class PretrainedTokenizer(Tokenizer):
    """A tokenizer that transformers loads, from a folder or by its id."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._lock = Lock()
        self.size = len(tokenizer)
        self.end = tokenizer.eos_token_id
        inner = getattr(tokenizer, "backend_tokenizer", None)
        said = inner.to_str() if inner else json.dumps(tokenizer.get_vocab(), sort_keys=True)
        self.identity = hashlib.sha256(f"{self.end} {said}".encode()).hexdigest()

    def encode(self, texts: Sequence[str]) -> list[Ids]:
        """As the tokenizer gives them, whatever length its model has."""
        if not texts:
            return []
        kind = np.uint16 if self.size <= 1 << 16 else np.uint32
        with self._lock:  # tokenizers fail when two threads use one
            found = self._tokenizer(
                [*texts], add_special_tokens=False, return_attention_mask=False, verbose=False
            )
        return [np.asarray(ids, kind) for ids in found["input_ids"]]

    def decode(self, ids: Sequence[int]) -> str:
        """The text, spaces as they are; ids that the tokenizer does not have are left out."""
        known = [id for id in ids if id < self.size]
        text: str = self._tokenizer.decode(known, clean_up_tokenization_spaces=False)
        return text


def tokenizer_of(declared: Bytes | str, data_root: Path) -> Tokenizer:
    """The tokenizer that a source names; a folder is looked for in the data root.

    Raises GrowlangError if it cannot be loaded.
    """
    if isinstance(declared, Bytes):
        return ByteTokenizer()
    from transformers import AutoTokenizer

    folder = data_root / declared
    name = str(folder) if folder.is_dir() else declared
    try:
        found = local_first(AutoTokenizer.from_pretrained, name)
    except (OSError, ValueError, ImportError) as error:
        raise GrowlangError(
            f"cannot load the tokenizer `{declared}`: it is no folder in {data_root.resolve()}, "
            f"and not in the Hugging Face cache ({first_line(error)})",
            help=f"run `hf download {declared}` while online, give a folder with its files, or "
            "write `tokenizer = bytes()`",
        ) from error
    return PretrainedTokenizer(found)
