"""Tensors in files, and what tells whether two of them are the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from growlang.plans.tensor_file import header_bytes

SAFETENSORS_NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""What the safetensors format calls the dtypes that training writes."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file: what is equal gives equal bytes.

    The format's own writer orders metadata as its hash map does, each time another way.
    """
    layouts = {name: (SAFETENSORS_NAMES[t.dtype], tuple(t.shape)) for name, t in tensors.items()}
    start, order = header_bytes(layouts, metadata)
    with path.open("wb") as file:
        file.write(start)
        for name in order:
            file.write(bytes_of(tensors[name]))


def contents_hash(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, shapes, dtypes and values, in the order of the names."""
    return hash_of({name: tensor_hash(tensor) for name, tensor in tensors.items()})


def hash_of(hashes: Mapping[str, str]) -> str:
    """The `contents_hash` of tensors whose hashes are known."""
    lines = (f"{name} {hashes[name]}\n" for name in sorted(hashes))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def tensor_hash(tensor: Tensor) -> str:
    """SHA-256 over the shape, the dtype and the values of a tensor."""
    found = hashlib.sha256(f"{tensor.dtype} {list(tensor.shape)}".encode())
    found.update(bytes_of(tensor))
    return found.hexdigest()


def bytes_of(tensor: Tensor) -> memoryview:
    """The values of a tensor as they lie in memory, in the order of its axes."""
    values = tensor.detach().cpu().contiguous()
    return values.reshape(-1).view(torch.uint8).numpy().data
