"""Checkpoints for tests of transfers: of a parent's net, in one file or several."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from growlang.net import Net
from growlang.torch_backend.initialisation import draw
from growlang.torch_backend.tensor_files import write_tensors

NAMES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}


def trained(net: Net, dtype: str = "F32") -> dict[str, Tensor]:
    """Values that no initialiser gives, the same for a name."""
    found = {}
    for tensor in net.tensors():
        noise = torch.Generator().manual_seed(len(tensor.name))
        value = draw(tensor, 7) + 0.1 * torch.randn(tensor.shape, generator=noise)
        found[tensor.name] = value.to(NAMES[dtype])
    return found


def write_index(folder: Path, tensors: Mapping[str, Tensor], files: int) -> Path:
    """Write tensors over several files with their index, as others do."""
    names = sorted(tensors)
    folder.mkdir(parents=True, exist_ok=True)
    places = {}
    for n in range(files):
        part = f"model-{n + 1:05}-of-{files:05}.safetensors"
        own = names[n::files]
        write_tensors(folder / part, {name: tensors[name] for name in own}, {"format": "pt"})
        places |= dict.fromkeys(own, part)
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return path


def read(folder: Path) -> dict[str, Tensor]:
    """All tensors of a folder, read by safetensors itself."""
    from safetensors.torch import load_file

    found: dict[str, Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        found |= load_file(file)
    return found


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of all files of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def same_bits(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors are equal bit for bit, the signs of zeros too."""
    if (a.dtype, a.shape) != (b.dtype, b.shape):
        return False
    return torch.equal(a.reshape(-1).view(torch.uint8), b.reshape(-1).view(torch.uint8))
