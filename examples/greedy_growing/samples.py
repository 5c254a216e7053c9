"""What trained cells draw, kept as files: one or several images of each object.

Images are (N, C, H, W) in [-1, 1], object by object, the draws of each side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from arms import DRAWINGS, GROWN, Arm
from cells import Cell
from finished import with_core_of
from safetensors import safe_open
from sets import read_shard, shard
from torch import Tensor

from growlang.atomic import whole
from growlang.net import digest
from growlang.net.shape import grid
from growlang.torch_backend.tensor_files import contents_hash, write_tensors
from growlang_runtime.data.transforms import to_tensor
from growlang_runtime.report.grids import write_grid
from growlang_runtime.sample import sample
from growlang_runtime.storage.weights import Weights, load

CORE = ", core"
"""Samples at 32 px by the core's own ends, with the core as an arm left it."""
BATCH = 64
"""Images that are drawn at once; none depends on it."""


def draw(cell: Cell, out: Path, draws: int, sampler_steps: int | None) -> None:
    """Draw each object with what a cell has trained, unless that is done."""
    weights = load(cell.run(out))
    captions = captions_of(out / "data")
    settings: dict[str, Any] = {"draws": draws, "steps": sampler_steps, "seed": cell.seed}
    inputs = [contents_hash(weights.tensors), weights.metadata["sample"], settings, captions]
    drawn = partial(_drawn, captions=captions, **settings)
    for drawing in DRAWINGS[cell.arm]:
        ensure(
            path_of(cell, drawing.name, out),
            captions,
            digest([*inputs, drawing]),
            partial(
                drawn,
                weights,
                detail_scale=drawing.detail_scale,
                detail_temperature=drawing.detail_temperature,
            ),
        )
    if cell.arm in GROWN:
        first = Cell(Arm.core, cell.seed)
        core = load(first.run(out))
        now = with_core_of(core, weights)
        same = contents_hash(now.tensors) == contents_hash(core.tensors)
        known = partial(_images, path_of(first, str(Arm.core), out))
        ensure(
            path_of(cell, f"{cell.arm}{CORE}", out),
            captions,
            digest([*inputs, contents_hash(core.tensors)]),
            known if same else partial(drawn, now),
        )


def _drawn(
    weights: Weights, *, captions: Sequence[str], draws: int, seed: int, **settings: Any
) -> Tensor:
    settings |= {"count": draws, "seed": seed * draws, "device": "auto", "batch": BATCH}
    return sample(weights, prompts=captions, **settings).tensor


def ensure(path: Path, captions: Sequence[str], inputs: str, make: Callable[[], Tensor]) -> None:
    """Write samples unless those that are there were made from the same."""
    if path.exists() and _inputs(path) == inputs:
        return
    images = make()
    path.parent.mkdir(exist_ok=True)
    write_grid(by_object(images, len(captions))[:, 0], captions, path.with_suffix(".png"))
    with whole(path) as temporary:
        write_tensors(temporary, {"images": images}, {"inputs": inputs})


def path_of(cell: Cell, drawing: str, out: Path) -> Path:
    """Where a drawing of a cell is kept."""
    name = drawing.replace(str(cell.arm), cell.key, 1).replace(", ", "-")
    return cell.folder(out) / "samples" / f"{name}.safetensors"


def read(path: Path, objects: int) -> Tensor:
    """Samples (objects, draws, C, H, W)."""
    return by_object(_images(path), objects)


def _images(path: Path) -> Tensor:
    with safe_open(path, framework="pt") as file:
        found: Tensor = file.get_tensor("images")
    return found


def by_object(images: Tensor, objects: int) -> Tensor:
    """(N, C, H, W) -> (objects, draws, C, H, W)."""
    return images.view(objects, -1, *images.shape[1:])


def _inputs(path: Path) -> str | None:
    with safe_open(path, framework="pt") as file:
        return (file.metadata() or {}).get("inputs")


def captions_of(data: Path) -> list[str]:
    """Of the objects of a set, in order."""
    return [caption for caption, _ in read_shard(data / shard("reference"))]


def images_of(path: Path) -> Tensor:
    """The images (N, C, H, W) in [-1, 1] of a shard."""
    images = [image for _, image in read_shard(path)]
    return torch.stack([to_tensor(one, grid(3, one.height, one.width)) for one in images])
