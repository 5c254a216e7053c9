"""What an evaluation has computed so far, on the disk: named by what it was made of.

An evaluation that is interrupted goes on from there, and another one of the same images, or with
the same references, computes nothing twice. A file is written whole or not at all; one that cannot
be read is made anew.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from growlang.atomic import whole
from growlang.torch_backend.tensor_files import write_tensors

log = logging.getLogger(__name__)
TENSOR, TEXTS = "tensor", "texts"


def features_cache() -> Path:
    """The folder of features in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "growlang" / "features"


@dataclass(frozen=True)
class Kept:
    """A folder of tensors and lists of texts by name."""

    folder: Path

    def tensor(self, name: str, make: Callable[[], torch.Tensor]) -> torch.Tensor:
        """The tensor of that name, made where it is not there."""
        return self.pair(name, lambda: (make(), ()))[0]

    def pair(
        self, name: str, make: Callable[[], tuple[torch.Tensor, tuple[str, ...]]]
    ) -> tuple[torch.Tensor, tuple[str, ...]]:
        """A tensor and the texts that belong to it."""
        path = self.folder / f"{name}.safetensors"
        try:
            with safe_open(path, framework="pt") as file:
                said = file.metadata() or {}
                return file.get_tensor(TENSOR), tuple(json.loads(said.get(TEXTS, "[]")))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, SafetensorError) as error:
            log.warning("making %s anew: %s", path, error)
        tensor, texts = make()
        self._write(path, tensor, texts)
        return tensor, texts

    def _write(self, path: Path, tensor: torch.Tensor, texts: tuple[str, ...]) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole(path, shared=True) as temporary:
                write_tensors(temporary, {TENSOR: tensor}, {TEXTS: json.dumps(texts)})
        except OSError as error:
            log.warning("cannot keep %s for the next time: %s", path, error)
