"""`growlang grow`: the mapping from a parent to its child, applied to a checkpoint on the disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from growlang.checking import Checked
from growlang.diagnostics import GrowlangError
from growlang.growth import mapping_json
from growlang.growth.bridging import bridged
from growlang.growth.mapping import Mapping as GrowthMapping
from growlang.net import digest
from growlang.planning import recipe_of
from growlang.plans.plan import DRAWS, SEMANTICS
from growlang.plans.weights_header import header, parsed, semantics_of
from growlang.spec.recipe import Phase, Sample, Settings
from growlang.tables.shown import Shown
from growlang.transferring.folder import opened
from growlang.transferring.layout import Layout, layout
from growlang.transferring.parent import Growth, ParentWeights, fitting, open_parent
from growlang.transferring.tensors import Made, made
from growlang.transferring.writing import Tell, Writing

if TYPE_CHECKING:
    from rich.console import Console

DTYPES = {"f32": "F32", "bf16": "BF16", "f16": "F16"}
"""What `--dtype` may be, and what the format calls it."""
SHARD_SIZE = 5_000_000_000
"""Bytes of a file, if nothing else is said; `transformers` writes as many."""


@dataclass(frozen=True, repr=False)
class Transferred(Shown):
    """A checkpoint that was grown: its folder, and what became of the parent's tensors."""

    path: Path
    """The folder."""
    files: tuple[Path, ...]
    """The files of tensors, and the index if there are several."""
    parent: Path
    parent_net: str
    child_net: str
    mapping: GrowthMapping
    bytes: Mapping[str, int]
    """Bytes that were copied, converted, drawn and computed."""
    resumed: int
    """Files that an earlier, interrupted transfer had written."""
    left: Mapping[str, int] = field(default_factory=dict)
    """Bytes of a parent's checkpoint of training that were not grown, by what they are."""

    def __repr__(self) -> str:
        return f"Transferred({self.parent_net} -> {self.child_net} in {self.path})"

    def print(self, out: Console) -> None:
        """Print what became of the tensors, and where the bytes come from."""
        from growlang.transferring.printing import print_transferred

        print_transferred(self, out)


def transfer(
    parent: Path,
    child: Checked,
    out: Path,
    *,
    recipe: str | None = None,
    dtype: str | None = None,
    shard_size: int = SHARD_SIZE,
    ema: bool = True,
    verify: bool = True,
    checksums: bool = False,
    begin: Callable[[int], Tell] = lambda total: lambda count: None,
) -> Transferred:
    """Write the checkpoint that the child begins with from the parent's, into the folder `out`.

    `parent` is a safetensors file, the index of several, a folder with either, a run or one of its
    checkpoints: of those the averages if `ema`. New tensors are drawn from the seed of the recipe,
    by default of the first, as `train` draws them; without a recipe from 0. `dtype` is "f32",
    "bf16" or "f16"; without it tensors keep the parent's. Files have at most `shard_size` bytes.
    `verify` holds the parent's tensors to the checksums that its files have, and `checksums` writes
    some. `begin` is called with the bytes in all, and gives what is told of those that are written.
    An interrupted transfer goes on when it is called again. Raises GrowlangError if the weights are
    not those of the parent's net or are damaged, if `out` holds something else, or if the disk is
    full, which leaves everything as it was.
    """
    if dtype is not None and dtype not in DTYPES:
        raise GrowlangError(f"no dtype is {dtype!r}", help=f"it may be {', '.join(DTYPES)}")
    if shard_size <= 0:
        raise GrowlangError(f"a file cannot have {shard_size:,} bytes", help="such as 5GB")
    weights = open_parent(parent, ema=ema)
    growth = fitting(weights, child)
    seed = _seed(child, recipe)
    zeros = _zeros(child, recipe, growth)
    tensors = made(
        growth.mapping, weights.tensors, weights.sums, seed, DTYPES[dtype] if dtype else None, zeros
    )
    files = layout(tensors, shard_size, _metadata(child, recipe, weights), checksums)
    inputs = _inputs(weights, child, growth, files, seed)
    inputs["the maps of a bridge"] = zeros
    with opened(out, files, inputs) as folder, ExitStack() as stack:
        left = [shard for shard in files.shards if shard.name not in folder.done]
        tell = begin(sum(p.made.bytes for shard in left for p in shard.tensors))
        paths = weights.index.files
        Writing(stack, paths, tell, check=verify, sums=checksums).write(folder)
        folder.complete()
    return Transferred(
        out,
        tuple(out / name for name in files.names),
        weights.path,
        growth.net.name,
        child.net.name,
        growth.mapping,
        _bytes(tensors),
        len(folder.done),
        weights.left,
    )


def _seed(child: Checked, recipe: str | None) -> int:
    """The seed that new tensors are drawn from."""
    phases = _phases(child, recipe)
    return phases[0].settings.seed if phases else 0


def _zeros(child: Checked, recipe: str | None, growth: Growth) -> list[str]:
    """The maps that begin at zero since the recipe fades from the parent's net to the child's."""
    phases = _phases(child, recipe)
    if not phases or child.parent is None or growth.net is not child.parent.net:
        return []
    if not recipe_of(child, recipe).start.bridge:
        return []
    predict = getattr(phases[0].settings.objective, "predict", "v")
    return [*bridged(child.net, growth.net, growth.mapping, predict).zeros]


def _phases(child: Checked, recipe: str | None) -> list[Phase]:
    if recipe is None and (child.net.of_tokens or not child.resolved.recipes):
        return []
    return child.phases(recipe_of(child, recipe).name)


def _metadata(child: Checked, recipe: str | None, weights: ParentWeights) -> dict[str, str]:
    """What the child's files say: its net, and what its weights were trained for last."""
    said = weights.metadata
    hashes = {"net_hash": child.net.net_hash, "spec_hash": child.resolved.spec_hash}
    phases = _phases(child, recipe)
    settings = phases[-1].settings if phases else None
    sample, semantics = child.resolved.sample, SEMANTICS
    if "settings" in said and "sample" in said:
        settings = parsed(Settings, said["settings"], weights.path)
        sample = parsed(Sample, said["sample"], weights.path)
        semantics = semantics_of(said, weights.path)
    return header(child.net.to_json(), hashes, settings, sample, semantics)


def _inputs(
    weights: ParentWeights, child: Checked, growth: Growth, files: Layout, seed: int
) -> dict[str, Any]:
    """What the written bytes follow from, by what a message calls it."""
    headers = hashlib.sha256()
    for shard in files.shards:
        headers.update(shard.header)
    states = [(path.name, path.stat()) for path in weights.index.files]
    return {
        "the files of the parent": [[name, s.st_size, s.st_mtime_ns] for name, s in states],
        "the averages or not": weights.is_averaged,
        "the spec of the child": child.resolved.spec_hash,
        "the mapping": digest(mapping_json.to_json(growth.mapping)),
        "the dtypes or sizes of the files": headers.hexdigest(),
        "the seed": seed,
        "how new tensors are drawn": DRAWS,
    }


def _bytes(tensors: list[Made]) -> dict[str, int]:
    found = dict.fromkeys(("copied", "converted", "drawn", "computed"), 0)
    for tensor in tensors:
        found[tensor.work.kind] += tensor.bytes
    return found
