"""The parent's weights on the disk, held to the parent's net; no tensor is loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from growlang.checking import Checked
from growlang.diagnostics import GrowlangError
from growlang.growth import mapping as growth
from growlang.growth.composition import over_generations
from growlang.net import Net
from growlang.plans.fit import MODEL, averages_in, differences, require_fit
from growlang.plans.tensor_file import Header, Layout
from growlang.plans.tensor_index import Located, TensorIndex, index_file, read_index
from growlang.plans.weights_header import (
    CHECKPOINTS,
    RECORD,
    is_sharded,
    is_state,
    net_of,
    recorded_files,
    weights_file,
)

WEIGHTS = "model."
"""What the names of a checkpoint's weights begin with."""
LEFT = {"model": "weights", "ema": "averages", "moment": "moments of the optimizer"}
"""What the tensors of a checkpoint are, by how their names begin."""
OTHERS = "state of training"
SUMS = "crc32"
"""The key of a file's metadata with the CRC-32 of tensors by name, as JSON."""


@dataclass(frozen=True)
class ParentWeights:
    """The tensors of a checkpoint by their names in the net, and what the checkpoint says."""

    path: Path
    index: TensorIndex
    tensors: Mapping[str, Located]
    metadata: Mapping[str, str]
    sums: Mapping[str, int]
    """The CRC-32 of tensors, where their files say."""
    is_averaged: bool | None = None
    """Of a checkpoint of training: whether these are its averages."""
    left: Mapping[str, int] = field(default_factory=dict)
    """Bytes of a checkpoint of training that do not grow with it, by what they are."""


class Growth(NamedTuple):
    """A net that the child grows from, over one generation or several."""

    net: Net
    spec: Path
    mapping: growth.Mapping


def ancestors(checked: Checked) -> Iterator[Growth]:
    """The nets that a spec grows from, the parent first, each with the mapping from it.

    Raises GrowlangError if it has none.
    """
    parent, mapping = checked.parent, checked.mapping
    if parent is None or mapping is None:
        raise GrowlangError(
            f"{checked.path} grows from no other spec, so nothing can be taken over",
            help=f'declare a parent: `model {checked.name} grows "PARENT.grow"`',
        )
    yield Growth(parent.net, parent.path, mapping)
    composed: growth.Mapping = mapping
    while parent.parent is not None and parent.mapping is not None:
        older = parent.parent
        composed = over_generations(parent.mapping, composed, older.net)
        yield Growth(older.net, older.path, composed)
        parent = older


def open_parent(path: Path, *, ema: bool = True) -> ParentWeights:
    """The weights at `path`: a file, an index, a folder with either, a run or a checkpoint.

    Of a checkpoint of training the averages, or the weights themselves without `ema`; its sums are
    checked. Raises GrowlangError if nothing is there, or if a file is damaged or is not read here.
    """
    file = _file(path)
    if file.name == RECORD and is_sharded(file.parent):
        raise GrowlangError(
            f"the tensors of the checkpoint {file.parent} lie in files of several processes",
            help=f"write them as one file first: growlang export {file.parent} --to safetensors "
            "-o model.safetensors",
        )
    index = read_index(file)
    sums = {n: crc for header in index.headers.values() for n, crc in _sums(header).items()}
    if not is_state(file):
        return ParentWeights(file, index, index.tensors, index.metadata, sums)
    _require_recorded(file)
    prefix = averages_in(index.tensors)[0] if ema else WEIGHTS
    tensors = {
        name.removeprefix(prefix): located
        for name, located in index.tensors.items()
        if name.startswith(prefix)
    }
    left = _left(index, prefix)
    return ParentWeights(file, index, tensors, index.metadata, {}, ema, left)


def _left(index: TensorIndex, taken: str) -> dict[str, int]:
    """The bytes of a checkpoint of training under other prefixes than one, by what they are."""
    found = dict[str, int]()
    for name, located in index.tensors.items():
        if not name.startswith(taken):
            what = LEFT.get(name.partition(".")[0], OTHERS)
            found[what] = found.get(what, 0) + located.bytes
    return found


def _file(path: Path) -> Path:
    ours = path.is_dir() and ((path / CHECKPOINTS).is_dir() or (path / RECORD).exists())
    return weights_file(path) if ours else index_file(path)


def _sums(header: Header) -> dict[str, int]:
    """The sums in a file's metadata; what cannot be read is as if it were not there."""
    try:
        said = json.loads(header.metadata.get(SUMS, "{}"))
        return {name: int(text, 16) for name, text in said.items() if name in header.tensors}
    except (ValueError, TypeError, AttributeError):
        return {}


def _require_recorded(file: Path) -> None:
    """Raise GrowlangError unless a checkpoint's file is the one that its record tells of."""
    try:
        wanted = recorded_files(file.parent)[file.name]
        size, sha256 = wanted["bytes"], wanted["sha256"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise GrowlangError(f"the record of {file.parent} cannot be read: {error}") from error
    with file.open("rb") as opened:
        same = file.stat().st_size == size
        same = same and hashlib.file_digest(opened, "sha256").hexdigest() == sha256
    if not same:
        raise GrowlangError(
            f"the checkpoint {file.parent} is damaged: {file.name} does not match its checksum",
            help="use an older one of the run",
        )


def fitting(parent: ParentWeights, checked: Checked) -> Growth:
    """The ancestor of a spec that the weights are those of.

    Weights that name their net have to be of the same one; others are told by the names and shapes
    of their tensors. Raises GrowlangError, with what differs from the parent, if none fits.
    """
    found = [*ancestors(checked)]
    shapes = {name: located.shape for name, located in parent.tensors.items()}
    named = net_of(parent.path, parent.metadata) if "net" in parent.metadata else None
    for growth_ in found:
        wanted = {t.name: t.shape for t in growth_.net.tensors()}
        same = named is None or named.net_hash == growth_.net.net_hash
        if same and shapes == wanted:
            _require_fit(parent, growth_)
            return growth_
    _require_fit(parent, found[0])
    assert named is not None
    given, wanted = ({t.name: t.shape for t in n.tensors()} for n in (named, found[0].net))
    lines = [str(d) for d in differences(given, wanted)]
    lines = lines or ["the same tensors, but a different computation"]
    raise GrowlangError(
        f"{parent.path} contains {named.name} with net_hash {named.net_hash[:12]}, but "
        f"{found[0].spec} (the parent {found[0].net.name}) has net_hash "
        f"{found[0].net.net_hash[:12]}:" + "".join(f"\n  {line}" for line in lines),
        help=f"name weights of {found[0].spec} as it is now, or revert the change to the spec",
    )


def _require_fit(parent: ParentWeights, found: Growth) -> None:
    """Raise GrowlangError unless names, shapes and dtypes are those of a net."""
    layouts = {n: Layout(t.dtype, t.shape, 0, 0) for n, t in parent.tensors.items()}
    header = Header(parent.metadata, layouts, 0)
    whose = f"{found.spec} (the parent {found.net.name})"
    require_fit(parent.path, header, found.net, MODEL, whose)
