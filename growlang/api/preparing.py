"""The Python API before a run: shards, specs that fit a budget, pinned plans, checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from growlang.api.given import StrPath, checked_spec, path_of
from growlang.diagnostics import GrowlangError
from growlang.torch_backend import require_torch

if TYPE_CHECKING:
    from growlang.checking import Checked
    from growlang.interop.importing import Imported
    from growlang.pinning import Planned
    from growlang.plans.plan import Plan
    from growlang.starting.seen import Asked, Condition, Seen
    from growlang.starting.start import Started
    from growlang.transferring.transfer import Transferred
    from growlang_runtime.packing.packed import Packed
    from growlang_runtime.train.options import RunOptions


def pack(
    folder: StrPath,
    output: str,
    *,
    captions: StrPath | None = None,
    caption: str | None = None,
    label: str | None = None,
    holdout: float = 0.0,
    name: str | None = None,
    shard_bytes: int = 256_000_000,
    max_corrupt: int = 0,
    force: bool = False,
    quiet: bool = True,
) -> Packed:
    """Pack a folder of images, with their captions and labels, into tar shards.

    `output` is a pattern such as "shards/{000000..}.tar". `captions` is a table of them (CSV, JSONL
    or Parquet), `caption` its column of captions, and `label` its column of labels, or "folder" for
    the name of the folder that holds an image. `holdout`, a share, goes to shards of its own. What
    a killed call left is gone on with. Raises GrowlangError for what cannot be packed, unless they
    are at most `max_corrupt` images, and for an `output` that exists, unless `force`.
    """
    require_torch("packing")
    from growlang_runtime.packing.pack import Packing
    from growlang_runtime.packing.pack import pack as packed

    return packed(
        Packing(
            path_of(folder),
            output,
            captions=None if captions is None else str(path_of(captions)),
            caption=caption,
            label=label,
            holdout=holdout,
            name=name,
            shard_bytes=shard_bytes,
            max_corrupt=max_corrupt,
            force=force,
            quiet=quiet,
        )
    )


def init(
    data: StrPath,
    *,
    out: StrPath = ".",
    captions: str | None = None,
    size: int | None = None,
    condition: Condition | None = None,
    minutes: float = 10,
    device: str = "auto",
    name: str | None = None,
    force: bool = False,
    say: Callable[[str], None] | None = None,
) -> Started:
    """Write a spec that trains in a budget of minutes, and one that grows its model.

    `data` is a folder of images, a folder of shards or their pattern. `size` is the side of grown
    images, in pixels; `condition` is what images are drawn for: "text", "classes" or "none". What
    is None is chosen by what the images are, the net and its steps by measuring steps on `device`,
    which `say` is told of. Many images are packed into `out`/NAME_shards first. Raises
    GrowlangError for what cannot be read or trained, for specs that are in `out` already, unless
    `force`, and for other shards.
    """
    require_torch("measuring a training step")
    from growlang.starting.seen import Asked
    from growlang.torch_backend.device import open_device
    from growlang_runtime.starting.looking import seen

    open_device(device)
    given, place = str(data), path_of(out)
    asked = Asked(name or given, size, condition, minutes, device)
    found = seen(given, place, captions)
    return begin(found, asked, given, place, captions=captions, force=force, say=say)


def begin(
    found: Seen,
    asked: Asked,
    data: str,
    out: Path,
    *,
    captions: str | None = None,
    force: bool = False,
    say: Callable[[str], None] | None = None,
) -> Started:
    """What `init` does with images that have been looked at: `found` is what `data` holds."""
    from growlang.starting.choice import batch_on
    from growlang.starting.project import refuse_existing
    from growlang.starting.seen import project_of
    from growlang.starting.start import start
    from growlang.torch_backend.device import open_device
    from growlang_runtime.starting import sources
    from growlang_runtime.starting.measuring import seconds_per_step
    from growlang_runtime.train.options import RunOptions

    options = RunOptions(data_root=out, device=asked.device, threads="auto")
    kind = open_device(asked.device).type
    asked = asked._replace(device=kind)
    project = project_of(found, asked)
    refuse_existing(out, project.files, force)
    if sources.is_large(found.data, found.images):
        shards = sources.packed(found.data, data, captions, out / f"{project.name}_shards")
        project = project_of(replace(found, data=sources.from_root(shards, out)), asked)

    def measure(plan: Plan, runs: Path) -> float:
        return seconds_per_step(plan, replace(options, out=runs))

    return start(project, out, batch_on(kind), measure, say or (lambda line: None))


def pin(
    spec: StrPath | Checked,
    recipe: str | None = None,
    output: StrPath | None = None,
    options: RunOptions | None = None,
    *,
    force: bool = False,
) -> Planned:
    """The plan of a recipe, by default the first, with its data and the parent's weights pinned.

    With `output` it is written there, for `growlang train --plan`. `options` say where data and
    the parent's run are, as for training. Raises SpecError as `load` does, and GrowlangError for
    weights that are not the parent's, for an `output` that exists, unless `force`, and, where there
    is an `output`, for data that cannot be read.
    """
    from growlang.api.holding import pinned_now
    from growlang.atomic import write_text

    place = None if output is None else path_of(output)
    if place is not None:
        _require_free(place, force)
    found, unread, refused = pinned_now(checked_spec(spec), recipe, options)
    if refused is not None:
        raise refused
    if place is not None:
        if unread is not None:
            raise unread
        write_text(place, found.pinned.as_text())
    return found


def _require_free(path: Path, force: bool) -> None:
    """Raise GrowlangError for a file that is there, but for a plan that is to be replaced."""
    from growlang.plans.pins import FORMAT

    if not path.exists():
        return
    if not force:
        raise GrowlangError(
            f"{path} already exists", help="choose another file, or replace it with --force"
        )
    if path.is_dir() or FORMAT.encode() not in path.read_bytes()[:100]:
        raise GrowlangError(
            f"{path} is no plan that `growlang plan` wrote", help="choose another file"
        )


def transfer(
    parent: StrPath,
    child: StrPath | Checked,
    out: StrPath,
    *,
    recipe: str | None = None,
    dtype: Literal["f32", "bf16", "f16"] | None = None,
    shard_size: int | str = "5GB",
    ema: bool = True,
    verify: bool = True,
    checksums: bool = False,
) -> Transferred:
    """Write the checkpoint that a child begins with from its parent's, into the folder `out`.

    `parent` is a .safetensors file, the index of several, a folder with either, a run, RUN@STEP or
    RUN@best; of checkpoints the averages are taken if `ema`. New tensors are drawn from the seed of
    `recipe`, by default the first. Tensors keep their dtype unless `dtype` is given; files have at
    most `shard_size` bytes. With `verify` the parent's tensors are held to the checksums in its
    files, if any; `checksums` writes some. A transfer that was interrupted goes on. Raises
    SpecError as `load` does, and GrowlangError if the weights are damaged or not the parent's, if
    `out` holds something else, or if the disk is full, which leaves everything as it was.
    """
    from growlang.transferring import sizes
    from growlang.transferring import transfer as transferring

    return transferring.transfer(
        _weights_at(parent),
        checked_spec(child),
        path_of(out),
        recipe=recipe,
        dtype=dtype,
        shard_size=sizes.parsed_size(str(shard_size)),
        ema=ema,
        verify=verify,
        checksums=checksums,
    )


def import_hf(
    folder: StrPath,
    spec: StrPath | Checked,
    output: StrPath,
    *,
    table: StrPath | None = None,
    force: bool = False,
) -> Imported:
    """Write the weights in a folder of transformers or diffusers as those of a spec.

    `output` is a .safetensors file, which `load_weights`, `diff`, `sample` and growth read; one
    that is there is replaced only if `force`. The table of names is that of the config's
    `model_type`, or in a file of your own. Raises SpecError as `load` does, and GrowlangError if a
    tensor of either side has no counterpart, if shapes differ, if the spec computes something else
    than the config says, or if the weights are not finite: then nothing is written.
    """
    from growlang.interop import importing

    names = None if table is None else path_of(table)
    place = path_of(output)
    return importing.import_hf(path_of(folder), checked_spec(spec), place, table=names, force=force)


def _weights_at(path: StrPath) -> Path:
    if "@" not in Path(path).name:
        return path_of(path)
    from growlang_runtime.storage.place import located

    return located(path_of(path))
