"""How large frozen text encoders are, by their published dimensions or the files of a folder."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from growlang.diagnostics import GrowlangError
from growlang.plans.tensor_file import read_header

ENCODER_BYTES = 2
"""Bytes of a weight of an encoder: they are read in bf16, except on a CPU."""
HALVES = {"t5": ("encoder.", "shared."), "clip": ("text_model.",)}
"""How the names of tensors begin that a condition reads of a larger model, by its op."""


class T5(NamedTuple):
    """An encoder half of T5 (arXiv 1910.10683, 2002.05202)."""

    width: int
    inner: int
    hidden: int
    layers: int
    heads: int

    def parameters(self, vocabulary: int, maps: int) -> int:
        """Scalars; `maps` are those of a feed-forward layer, 3 where it is gated."""
        layer = 4 * self.width * self.inner + maps * self.width * self.hidden + 2 * self.width
        return (vocabulary + 1) * self.width + 32 * self.heads + self.layers * layer


GATED = {
    "small": T5(512, 384, 1024, 8, 6),
    "base": T5(768, 768, 2048, 12, 12),
    "large": T5(1024, 1024, 2816, 24, 16),
    "xl": T5(2048, 2048, 5120, 24, 32),
    "xxl": T5(4096, 4096, 10240, 24, 64),
}
PLAIN = {
    "small": T5(512, 512, 2048, 6, 8),
    "base": T5(768, 768, 3072, 12, 12),
    "large": T5(1024, 1024, 4096, 24, 16),
    "3b": T5(1024, 4096, 16384, 24, 32),
    "11b": T5(1024, 16384, 65536, 24, 128),
}


def _clip(width: int, layers: int) -> int:
    """Scalars of the text half of a CLIP (arXiv 2103.00020)."""
    return (49408 + 77 + 2) * width + layers * (12 * width**2 + 13 * width)


PARAMETERS = {
    **{
        f"google/{family}-{size}": t5.parameters(vocabulary, 3)
        for family, vocabulary in (("t5-v1_1", 32128), ("flan-t5", 32128), ("mt5", 250112))
        for size, t5 in GATED.items()
    },
    **{
        f"{p}t5-{s}": t5.parameters(32128, 2) for p in ("", "google-t5/") for s, t5 in PLAIN.items()
    },
    "openai/clip-vit-base-patch16": _clip(512, 12),
    "openai/clip-vit-base-patch32": _clip(512, 12),
    "openai/clip-vit-large-patch14": _clip(768, 12),
    "openai/clip-vit-large-patch14-336": _clip(768, 12),
    "laion/CLIP-ViT-H-14-laion2B-s32B-b79K": _clip(1024, 24),
    "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k": _clip(1280, 32),
    "google-bert/bert-base-uncased": 109_482_240,
    "google-bert/bert-large-uncased": 335_141_888,
    "sentence-transformers/all-MiniLM-L6-v2": 22_713_216,
    "sentence-transformers/all-mpnet-base-v2": 109_486_464,
}
"""Scalars of the encoders whose widths `growlang.ops.conditions` knows."""


class Encoders(NamedTuple):
    """The frozen encoders that a net is conditioned on."""

    bytes: int
    unknown: tuple[str, ...]
    """Those whose size is not known."""


def encoders_of(conditions: Mapping[str, Mapping[str, Any]]) -> Encoders:
    """The encoders among the conditions of a net, `Net.encoders`; each is held once."""
    found = {
        (str(call["op"]), str(call["id"])): None for call in conditions.values() if "id" in call
    }
    sizes = {id: _parameters(op, id) for op, id in found}
    known = sum(size for size in sizes.values() if size is not None)
    return Encoders(known * ENCODER_BYTES, tuple(n for n, size in sizes.items() if size is None))


def _parameters(op: str, id: str) -> int | None:
    """Scalars of an encoder; those of a folder are counted in its files."""
    folder = Path(id)
    if not folder.is_dir():
        return PARAMETERS.get(id)
    try:
        headers = [read_header(file) for file in sorted(folder.glob("*.safetensors"))]
    except GrowlangError:
        return None
    shapes = {name: t.shape for header in headers for name, t in header.tensors.items()}
    own = [prod(s) for n, s in shapes.items() if n.startswith(HALVES.get(op, ""))]
    return sum(own) or None
