"""Tensors over one or several safetensors files: their places, read from headers alone.

Several files have an index, `model.safetensors.index.json`, as `transformers` and `diffusers` write
it: a `weight_map` from each tensor to its file, and `metadata`. Nothing is unpickled, no tensor is
read, and nothing outside of the index's folder is opened. No PyTorch, no NumPy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from growlang.diagnostics import GrowlangError
from growlang.diagnostics.literals import shown
from growlang.diagnostics.spelling import nearest
from growlang.plans.tensor_file import Header, read_header, require_regular, without_repeats

INDEX_ENDING = ".safetensors.index.json"
"""How the names of indexes end."""
ENDING = ".safetensors"
SINGLE = ("model.safetensors", "diffusion_pytorch_model.safetensors")
"""The file of weights in a folder that has one, best first."""
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
"""Endings of files that are unpickled to be read, which may run any code."""
SAFE = (
    "convert it where you trust it: `safetensors.torch.save_file(torch.load(PATH, "
    'weights_only=True), "model.safetensors")`'
)
INDEX_LIMIT = 100_000_000
"""Longest index, in bytes, that is read."""
SHOWN = 3
"""Tensors that a message names; of the rest it gives the number."""


class Located(NamedTuple):
    """One tensor: its dtype as the format calls it, its shape, and where its bytes lie."""

    dtype: str
    shape: tuple[int, ...]
    file: Path
    begin: int
    """Its first byte, from the begin of the file."""
    end: int

    @property
    def bytes(self) -> int:
        """The number of its bytes."""
        return self.end - self.begin


@dataclass(frozen=True)
class TensorIndex:
    """The tensors of a checkpoint by name, in the order of the files and of their bytes."""

    path: Path
    """The index, or the one file."""
    headers: Mapping[Path, Header]
    """What each file says about itself, by its path, in the order of the names."""
    tensors: Mapping[str, Located]
    metadata: Mapping[str, str]
    """What the index says beside the map, as texts; of one file, its metadata."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that hold tensors."""
        return tuple(self.headers)

    @property
    def bytes(self) -> int:
        """The bytes of all tensors."""
        return sum(located.bytes for located in self.tensors.values())


def read_index(path: Path) -> TensorIndex:
    """The tensors at `path`: a safetensors file, an index of several, or a folder with either.

    The headers of all files are read, and every byte of the files is accounted for. Raises
    GrowlangError, which names the file or the tensor, if a file is missing, of another format,
    truncated, or does not hold what its header or the index says.
    """
    found = index_file(path)
    if found.name.endswith(INDEX_ENDING):
        return _of_several(found)
    header = read_header(found)
    return TensorIndex(found, {found: header}, _located(found, header), dict(header.metadata))


def index_file(path: Path) -> Path:
    """The index or the file that `path` means: itself, or that of a folder.

    Raises GrowlangError if there is none, or if it is of a format that is unpickled.
    """
    if path.is_dir():
        return _in_folder(path)
    if path.suffix in PICKLED:
        raise _pickled(path, path)
    if path.name.endswith(".json") and not path.name.endswith(INDEX_ENDING):
        raise GrowlangError(
            f"{path} is no index of safetensors files: the name of one ends in {INDEX_ENDING}",
            help="name the index, or the folder that it lies in",
        )
    if not path.exists():
        close = nearest(path.name, [p.name for p in path.parent.glob("*")]) if path.name else []
        hint = "".join(f"did you mean `{path.with_name(name)}`?" for name in close)
        raise GrowlangError(f"there is no file {path}", help=hint)
    return path


def _in_folder(folder: Path) -> Path:
    indexes = sorted(folder.glob(f"*{INDEX_ENDING}"))
    files = sorted(folder.glob(f"*{ENDING}"))
    named = [folder / name for name in SINGLE if (folder / name) in files]
    found = indexes or named or files
    if len(found) == 1 or (found and found is named):
        return found[0]
    if found:
        names = ", ".join(p.name for p in found[:SHOWN]) + (", ..." if found[SHOWN:] else "")
        raise GrowlangError(f"{folder} has several files of weights: {names}", help="name one")
    pickled = sorted(p for p in folder.iterdir() if p.suffix in PICKLED)
    if pickled:
        raise _pickled(pickled[0], folder)
    raise GrowlangError(
        f"there are no weights in {folder}: no *{ENDING}", help="name the file or its index"
    )


def _pickled(file: Path, named: Path) -> GrowlangError:
    return GrowlangError(
        f"{file} is not read: a file that ends in {file.suffix} is unpickled, which may run "
        "any code that stands in it",
        help=SAFE.replace("PATH", json.dumps(str(file if named == file else file.name))),
    )


def _located(file: Path, header: Header) -> dict[str, Located]:
    return {
        name: Located(t.dtype, t.shape, file, header.length + t.begin, header.length + t.end)
        for name, t in header.tensors.items()
    }


def _of_several(path: Path) -> TensorIndex:
    said = _read_json(path)
    named = _weight_map(path, said)
    folder, headers = path.parent, dict[Path, Header]()
    for name in sorted(set(named.values())):
        file = folder / name
        if not file.is_file():
            lost = [tensor for tensor, where in named.items() if where == name]
            raise GrowlangError(
                f"{path} names {name}, which is not there: it would hold {_listed(lost)}",
                help="fetch the missing file, or save the checkpoint again",
            )
        headers[file] = read_header(file)
    tensors = dict[str, Located]()
    for file, header in headers.items():
        for tensor, located in _located(file, header).items():
            if named.get(tensor) != file.name:
                where = f"says {named[tensor]}" if tensor in named else "does not name it"
                raise _lies(path, f"{shown(tensor)} lies in {file.name}, and the index {where}")
            tensors[tensor] = located
    if absent := [f"{named[n]} does not hold {shown(n)}" for n in named if n not in tensors]:
        raise _lies(path, absent[0] + (f" (and {len(absent) - 1:,} more)" if absent[1:] else ""))
    metadata = said.get("metadata") or {}
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in metadata.items()}
    return TensorIndex(path, headers, tensors, texts)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        require_regular(path)
        if path.stat().st_size > INDEX_LIMIT:
            raise ValueError(f"it has more than {INDEX_LIMIT:,} bytes")
        said = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=without_repeats)
    except OSError as error:
        raise GrowlangError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise GrowlangError(f"{path} is not a valid index: {error}") from error
    if not isinstance(said, dict) or not isinstance(said.get("metadata") or {}, dict):
        raise GrowlangError(f"{path} is not a valid index: it is not an object with a `weight_map`")
    return said


def _weight_map(path: Path, said: Mapping[str, Any]) -> dict[str, str]:
    """The file of each tensor: a name in the index's folder, of a safetensors file."""
    named = said.get("weight_map")
    if not isinstance(named, dict) or not named:
        raise GrowlangError(f"{path} is not a valid index: it has no `weight_map`")
    for tensor, file in named.items():
        if not isinstance(file, str) or not _is_name(file):
            what = f"{shown(tensor)} is said to lie in {file!r}, which is no name of a file"
            raise _lies(path, what)
        if Path(file).suffix in PICKLED:
            raise _pickled(path.parent / file, path)
        if Path(file).suffix != ENDING:
            what = f"{shown(tensor)} is said to lie in {file}, which is no {ENDING} file"
            raise _lies(path, what)
    return named


def _is_name(text: str) -> bool:
    """Whether a text is the name of a file in a folder, and can be shown as it is."""
    return text.isprintable() and text == Path(text).name and "\\" not in text


def _lies(path: Path, what: str) -> GrowlangError:
    return GrowlangError(
        f"{path} does not fit its files: {what}",
        help="save the checkpoint again: the index and the files are not of one time",
    )


def _listed(names: list[str]) -> str:
    listed = ", ".join(map(shown, names[:SHOWN]))
    return listed + (f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else "")
