"""The tensors of a checkpoint: one file where a process trains alone, one of each of several.

Either form is read by any number of processes, of which each takes what it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from growlang.plans.tensor_file import Header, Layout
from growlang.plans.weights_header import (
    INDEX,
    STATE,
    TABLE,
    header_of,
    is_sharded,
    state_of,
    table_of,
)
from growlang_runtime.distributed.ranks import Ranks
from growlang_runtime.storage.sums import sums_of

if TYPE_CHECKING:
    from torch import Tensor


def write(
    at: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str], ranks: Ranks
) -> dict[str, Any]:
    """Write the tensors into a folder; returns what the record says of them, with `files`.

    Of several processes each writes what it holds, and reads its own file again for its sum.
    """
    if ranks.size == 1:
        from growlang.torch_backend.tensor_files import write_tensors

        write_tensors(at / STATE, tensors, metadata)
        return {"files": sums_of(at / STATE)}
    from growlang.torch_backend import distcp

    distcp.write(at, tensors)
    own = [at / INDEX] if ranks.first else []
    own += sorted(at.glob(f"__{ranks.rank}_*.distcp"))
    found = ranks.gather(ranks.agree(lambda: sums_of(*own)))
    files = {name: sums for several in found for name, sums in several.items()}
    return {"files": files, TABLE: table_of(_header(tensors, metadata))}


def _header(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Header:
    from growlang.torch_backend.tensor_files import SAFETENSORS_NAMES

    layouts = {
        name: Layout(SAFETENSORS_NAMES[tensor.dtype], tuple(tensor.shape), 0, 0)
        for name, tensor in tensors.items()
    }
    return Header(metadata, layouts, 0)


def names(folder: Path) -> set[str]:
    """The names of the tensors in a checkpoint's folder."""
    return set(header_of(state_of(folder)).tensors)


def read(folder: Path, prefix: str = "") -> dict[str, Tensor]:
    """The whole tensors whose names begin with `prefix`, named without it."""
    if is_sharded(folder):
        from growlang.torch_backend import distcp

        header = header_of(state_of(folder))
        wanted = [name for name in header.tensors if name.startswith(prefix)]
        found = {name: distcp.empty(header, name) for name in wanted}
        distcp.read(folder, found)
        return {name.removeprefix(prefix): tensor for name, tensor in found.items()}
    from safetensors import safe_open

    with safe_open(folder / STATE, framework="pt") as file:
        return {
            name.removeprefix(prefix): file.get_tensor(name)
            for name in file.keys()  # noqa: SIM118 - not a dict
            if name.startswith(prefix)
        }


def fill(folder: Path, targets: Mapping[str, Tensor]) -> None:
    """Read tensors in place: of one that is sharded, the rows that this process holds.

    Raises KeyError for a name that is not there.
    """
    if missing := targets.keys() - names(folder):
        raise KeyError(min(missing))
    if is_sharded(folder):
        from growlang.torch_backend import distcp

        distcp.read(folder, targets)
        return
    from safetensors import safe_open

    from growlang.torch_backend.shards import local, rows

    with safe_open(folder / STATE, framework="pt") as file:
        for name, target in targets.items():
            local(target).copy_(file.get_slice(name)[rows(target)])
