"""What `growlang import hf` does: weights that `transformers` saved, as those of a spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from torch import Tensor

from growlang.atomic import whole
from growlang.checking import Checked
from growlang.diagnostics import GrowlangError
from growlang.interop.accounting import Accounted, Pair, account
from growlang.interop.config import CONFIG, disagreements, read_config, unknown_fields
from growlang.interop.reading import read_table, table_of
from growlang.interop.table import NameTable
from growlang.interop.tensors import into_ours
from growlang.plans.tensor_file import header_bytes
from growlang.plans.tensor_index import TensorIndex, read_index
from growlang.plans.weights_header import header
from growlang.torch_backend.tensor_files import SAFETENSORS_NAMES, bytes_of

FEW = 4
"""Tensors that repeat others of which not each has a line of its own."""
WIDTHS = {"F32": 32, "F16": 16, "BF16": 16}
"""The dtypes in which weights are taken as they are, and the bits of a number."""


class Imported(NamedTuple):
    """What was written, and what became of the tensors that were there."""

    path: Path
    tensors: int
    """Of ours, each from one or several of theirs."""
    ignored: Mapping[str, str]
    """Theirs that are no parameters, with what they are."""
    copies: Mapping[str, str]
    """Theirs that repeat another of theirs, bit for bit."""
    unknown: tuple[str, ...]
    """Fields of the config of which the table says nothing."""

    @property
    def told(self) -> list[str]:
        """What became of all tensors, and what is not known of the config, a line each."""
        lines = [f"{self.tensors:,} tensors of the spec, each from the checkpoint"]
        for reason in dict.fromkeys(self.ignored.values()):
            names = [name for name, why in self.ignored.items() if why == reason]
            lines.append(f"{len(names):,} left out, such as `{names[0]}`: {reason}")
        again = [f"`{name}` is `{source}` once more" for name, source in self.copies.items()]
        more = f"{len(again) - 1:,} more tensors repeat others, too"
        lines += again if len(again) < FEW else [again[0], more]
        if self.unknown:
            listed = ", ".join(f"`{name}`" for name in self.unknown)
            lines.append(f"config.json also has {listed}, of which the table of names says nothing")
        return lines


def import_hf(
    folder: Path, spec: Checked, output: Path, *, table: Path | None = None, force: bool = False
) -> Imported:
    """Write the weights in a folder of `transformers` as those of a spec.

    `output` is a safetensors file, as a run has one; what exists is replaced only if `force`. The
    table of names is that of the config's `model_type`, or in a file. Raises GrowlangError if a
    tensor of either side has no counterpart, if shapes differ, if the spec computes something else
    than the config says, or if the weights are not finite: then nothing is written.
    """
    _require_place(output, force)
    config = read_config(folder)
    names = read_table(table) if table else table_of(config["model_type"])
    _require_type(names, config["model_type"], table, folder)
    if differing := list(disagreements(names, config, spec.net)):
        raise GrowlangError(
            f"{spec.resolved.path} would not compute what {folder / CONFIG} says:"
            + "".join(f"\n  {line}" for line in differing)
        )
    index = read_index(folder)
    shapes = {name: located.shape for name, located in index.tensors.items()}
    accounted = account(names, shapes, spec.net, str(folder))
    _require_dtypes(index, accounted)
    with _Reader(index) as read:
        _require_copies(accounted, names, read, folder)
        with whole(output) as temporary:
            _write(temporary, spec, accounted, index, read)
    unknown = tuple(unknown_fields(names, config))
    return Imported(output, len(spec.net.table), accounted.ignored, accounted.copies, unknown)


def _require_place(output: Path, force: bool) -> None:
    if output.suffix != ".safetensors":
        raise GrowlangError(
            f"{output} does not end in .safetensors",
            help=f"write --output {output.with_suffix('.safetensors')}",
        )
    if not output.parent.is_dir():
        raise GrowlangError(f"cannot write {output}: there is no folder {output.parent}")
    if output.exists() and not force:
        raise GrowlangError(
            f"{output} exists", help="choose another path with --output, or overwrite with --force"
        )


def _require_type(names: NameTable, model_type: str, table: Path | None, folder: Path) -> None:
    if names.model_type != model_type:
        raise GrowlangError(
            f"{table} is a table of the model_type `{names.model_type}`, and {folder / CONFIG} "
            f"says `{model_type}`"
        )


def _require_dtypes(index: TensorIndex, accounted: Accounted) -> None:
    """Raise GrowlangError where weights are in numbers that ours are not."""
    used = [accounted.given[n] for pair in accounted.pairs for n in pair.theirs]
    odd = [n for n in used if index.tensors[n].dtype not in WIDTHS]
    if odd:
        raise GrowlangError(
            f"`{odd[0]}` is in {index.tensors[odd[0]].dtype}, and weights are read in "
            f"{', '.join(WIDTHS)}",
            help="save the model again in one of them: `model.float().save_pretrained(FOLDER)`",
        )


class _Reader:
    """Reads tensors of an index by name; its files stay open."""

    def __init__(self, index: TensorIndex) -> None:
        self.index = index

    def __enter__(self) -> Callable[[str], Tensor]:
        self.files: dict[Path, Any] = {
            path: safe_open(path, framework="pt") for path in self.index.files
        }
        return lambda name: self.files[self.index.tensors[name].file].get_tensor(name)

    def __exit__(self, *_: object) -> None:
        self.files.clear()


def _require_copies(
    accounted: Accounted, names: NameTable, read: Callable[[str], Tensor], folder: Path
) -> None:
    """Raise GrowlangError where what should repeat a tensor is another one."""
    for name, source in accounted.copies.items():
        if torch.equal(read(name), read(accounted.given[source])):
            continue
        if mend := next((r.mend for r in names.repeated if r.copy_of == source), ""):
            raise GrowlangError(f"`{name}` of {folder} is not `{source}`", help=mend)
        raise GrowlangError(
            f"`{name}` of {folder} is not `{source}`, though the config says that they are one",
            help=f"write `tied = false` in `unembed`, and `tie_word_embeddings: false` in {CONFIG}",
        )


def _write(
    path: Path,
    spec: Checked,
    accounted: Accounted,
    index: TensorIndex,
    read: Callable[[str], Tensor],
) -> None:
    """Write our tensors one after the other, so that few of them are in memory at once."""
    net, of = spec.net, {name: pair for pair in accounted.pairs for name in pair.ours}
    shapes = {name: tensor.shape for name, tensor in net.table.items()}
    dtypes = {name: _dtype(pair, accounted, index) for name, pair in of.items()}
    hashes = {"net_hash": spec.net_hash, "spec_hash": spec.spec_hash}
    said = header(net.to_json(), hashes, None, spec.resolved.sample)
    start, order = header_bytes({n: (dtypes[n], shapes[n]) for n in net.table}, said)
    made: dict[str, Tensor] = {}
    with path.open("wb") as file:
        file.write(start)
        for name in order:
            if name not in made:
                made = into_ours(of[name], lambda one: read(accounted.given[one]), shapes)
            value = made[name]
            if not bool(value.isfinite().all()):
                theirs = ", ".join(f"`{accounted.given[t]}`" for t in of[name].theirs)
                raise GrowlangError(
                    f"{theirs} is not finite: it has NaN or infinity",
                    help="take weights from before the training broke down",
                )
            file.write(bytes_of(value.to(DTYPES[dtypes[name]])))


def _dtype(pair: Pair, accounted: Accounted, index: TensorIndex) -> str:
    """That of theirs; of several parts in several dtypes F32, which has room for all."""
    found = {index.tensors[accounted.given[name]].dtype for name in pair.theirs}
    return found.pop() if len(found) == 1 else "F32"


DTYPES = {said: dtype for dtype, said in SAFETENSORS_NAMES.items()}
