"""Tensors that several processes wrote side by side: torch.distributed.checkpoint, by name.

Each process has a file `__RANK_0.distcp`, and `.metadata` says what lies where. It is a pickle: it
is read only if its checksum is the recorded one, and nothing is loaded from it but the types that
PyTorch writes there.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.metadata import Metadata, StorageMeta, TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from growlang.diagnostics import GrowlangError
from growlang.plans.tensor_file import Header
from growlang.plans.weights_header import INDEX, recorded_files, recorded_header
from growlang.torch_backend.tensor_files import SAFETENSORS_NAMES

METADATA = "torch.distributed.checkpoint.metadata"
ALLOWED = {
    (METADATA, "Metadata"),
    (METADATA, "MetadataIndex"),
    (METADATA, "TensorStorageMetadata"),
    (METADATA, "TensorProperties"),
    (METADATA, "ChunkStorageMetadata"),
    (METADATA, "StorageMeta"),
    (METADATA, "_MEM_FORMAT_ENCODING"),
    ("torch.distributed.checkpoint.filesystem", "_StorageInfo"),
    ("torch", "Size"),
    ("torch.serialization", "_get_layout"),
    ("pathlib", "PosixPath"),
    ("pathlib", "WindowsPath"),
    ("pathlib._local", "PosixPath"),
    ("pathlib._local", "WindowsPath"),
}
"""All that the pickle of `.metadata` names beside dtypes: exactly these, as a dotted name such as
`os.system` would lead out of its module."""

DAMAGED = (
    *(OSError, EOFError, LookupError, ValueError, TypeError, AttributeError, ImportError),
    pickle.UnpicklingError,
)
"""What reading an index raises that is not whole, or not one."""


class _Unpickler(pickle.Unpickler):
    """Loads the types of a checkpoint's index, and no other."""

    def find_class(self, module: str, name: str) -> Any:
        dtype = module == "torch" and isinstance(vars(torch).get(name), torch.dtype)
        if dtype or (module, name) in ALLOWED:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it names {module}.{name}")


class _Reader(FileSystemReader):
    """A folder's files; its index must be as `state.json` recorded it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        """The index. Raises GrowlangError if it is not what was written."""
        path = self.folder / INDEX
        try:
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() != recorded_files(self.folder)[INDEX]["sha256"]:
                raise ValueError("it does not match its checksum")
            found = _Unpickler(io.BytesIO(data)).load()
            if not isinstance(found, Metadata):
                raise ValueError("it is no index of tensors")
        except DAMAGED as error:
            raise GrowlangError(
                f"the index {path} of a checkpoint cannot be used: {error}",
                help="use an older checkpoint of the run",
            ) from error
        found.storage_meta = found.storage_meta or StorageMeta()
        found.storage_meta.load_id = self.load_id
        return found


def write(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write the tensors into a folder: each process of the group what it holds of them.

    Each flushes its own file to the disk, since those of one machine need not be in the caches of
    another. All processes have to call it, and what one raises, all raise.
    """
    try:
        save(dict(tensors), storage_writer=FileSystemWriter(folder, sync_files=True))
    except CheckpointException as error:
        for failure in error.failures.values():
            cause = failure[0] if isinstance(failure, tuple) else failure
            if isinstance(cause, OSError):
                raise cause from error
        raise


def read(folder: Path, targets: Mapping[str, Tensor]) -> None:
    """Read tensors of a folder, in place: of sharded ones the rows that this process holds.

    Processes read by themselves. Raises GrowlangError if the files are not as they were recorded,
    or have no tensor of such a name, shape and dtype.
    """
    _require(folder, targets)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled")
        load(dict(targets), storage_reader=_Reader(folder), no_dist=True)


def _require(folder: Path, targets: Mapping[str, Tensor]) -> None:
    """Hold what is recorded, the index and the targets to each other.

    PyTorch would pass over a tensor that is not asked for, and convert one of another dtype.
    """
    header = recorded_header(folder)
    if header is None:
        raise GrowlangError(f"{folder} does not record its tensors")
    index = _Reader(folder).read_metadata().state_dict_metadata
    said = {name: (layout.dtype, layout.shape) for name, layout in header.tensors.items()}
    there = {
        name: (SAFETENSORS_NAMES.get(entry.properties.dtype), tuple(entry.size))
        for name, entry in index.items()
        if isinstance(entry, TensorStorageMetadata)
    }
    asked = {n: (SAFETENSORS_NAMES.get(t.dtype), tuple(t.shape)) for n, t in targets.items()}
    wrong = [n for n in {**said, **there} if said.get(n) != there.get(n)]
    wrong += [n for n, layout in asked.items() if said.get(n) != layout]
    if wrong:
        raise GrowlangError(
            f"the tensors of {folder} are not those that it records: {', '.join(wrong[:3])}",
            help="use an older checkpoint of the run",
        )


def empty(header: Header, name: str) -> Tensor:
    """A plain tensor of the recorded shape and dtype, for `read` to fill."""
    dtypes = {text: dtype for dtype, text in SAFETENSORS_NAMES.items()}
    layout = header.tensors[name]
    return torch.empty(layout.shape, dtype=dtypes[layout.dtype])
