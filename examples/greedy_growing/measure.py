"""Train a core on two resolutions, grow it in several ways, and compare what they draw at 64 px.

Run `make proof` in the project's root, or `python examples/greedy_growing/measure.py
--help`. An arm whose run and samples exist is not run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch
import typer
from metrics import Scores, downsampled, scores
from perceived import Judge
from prepare import (
    LARGE,
    OBJECTS,
    REFERENCE,
    SHARDS,
    TRAINING,
    prepare,
    read_shard,
    resized,
)
from results import Results, Row, as_json, as_markdown, as_tables
from runs import Speed, speeds, with_core_of
from safetensors import safe_open
from torch import Tensor
from typer import Option

import growlang
from growlang.atomic import whole, write_text
from growlang.cli.console import console
from growlang.net import digest
from growlang.net.shape import grid
from growlang.torch_backend.tensor_files import contents_hash, write_tensors
from growlang_runtime.data.transforms import to_tensor
from growlang_runtime.report.grids import write_grid
from growlang_runtime.sample import sample
from growlang_runtime.storage.weights import Weights, load

HERE = Path(__file__).resolve().parent


class Arm(StrEnum):
    """A way to a model of 64 px, or the core alone."""

    core = "core"
    scratch = "scratch"
    joint = "joint"
    frozen = "frozen"
    greedy = "greedy"
    bridge = "bridge"
    retain = "retain"


class Recipe(NamedTuple):
    """Where an arm is written down, and what the table calls it."""

    spec: str
    name: str
    label: str


class Steps(NamedTuple):
    """How long to train and to sample."""

    core: int
    grown: int
    sampler: int | None


QUICK = Steps(core=600, grown=400, sampler=20)

RECIPES = {
    Arm.core: Recipe("core_32.grow", "main", "baseline: the core's samples, upsampled"),
    Arm.scratch: Recipe("discard_64.grow", "scratch", "from scratch"),
    Arm.joint: Recipe("discard_64.grow", "joint", "discard, joint from the start"),
    Arm.frozen: Recipe("discard_64.grow", "frozen", "discard, core frozen"),
    Arm.greedy: Recipe("discard_64.grow", "greedy", "discard, core frozen, then joint"),
    Arm.bridge: Recipe("discard_64.grow", "bridge", "bridge, core frozen, then joint"),
    Arm.retain: Recipe("retain_64.grow", "main", "retain"),
}
GROWN = (Arm.joint, Arm.frozen, Arm.greedy, Arm.bridge, Arm.retain)
"""The arms that keep the core."""
CORE = ", core"
"""Samples at 32 px by the core's own ends, with the core as the arm left it."""
CALM = "retain, calm"
"""The retained path and the detail that the model holds for likely, drawn without chance."""
HALF = "retain, half"
"""Half of that detail."""
PATH = "retain, low path"
"""What the retained path draws of the same noise: samples of `retain` without their detail."""
LABELS = {str(arm): recipe.label for arm, recipe in RECIPES.items()} | {
    CALM: "retain, `detail_temperature = 0`",
    HALF: "retain, `detail_temperature = 0`, `detail_scale = 0.5`",
    PATH: "retain, the same samples without their detail",
}


class Drawing(NamedTuple):
    """Samples of an arm; what is None is the spec's."""

    name: str
    detail_scale: float | None = None
    detail_temperature: float | None = None


OTHERS = {Arm.retain: (Drawing(CALM, None, 0.0), Drawing(HALF, 0.5, 0.0))}
"""What is drawn of an arm beside its samples by the spec's settings."""


def main(
    out: Annotated[Path, Option(help="Folder for data, runs, samples and tables.")] = Path(
        "runs/greedy_growing"
    ),
    seed: Annotated[list[int] | None, Option(help="Seeds; by default 0, 1, 2.")] = None,
    arm: Annotated[list[Arm] | None, Option(help="Arms; by default all.")] = None,
    core_steps: Annotated[int, Option(help="Training steps of the core.", min=1)] = 2000,
    steps: Annotated[int, Option(help="Training steps of each other arm.", min=2)] = 1400,
    sampler_steps: Annotated[
        int | None, Option(help="Steps of the sampler; by default the spec's.", min=1)
    ] = None,
    quick: Annotated[
        bool, Option("--quick", help="Seed 0 and fewer steps, for a first look.")
    ] = False,
    run: Annotated[bool, Option(help="Train and sample what is missing.")] = True,
) -> None:
    """Train and sample the arms, seed by seed, and print the table of all samples that exist.

    It is also written to results.md and, seed by seed, to results.json. The core is always run,
    since the others grow from it.
    """
    data = out / "data"
    if not all((data / name).exists() for name in (TRAINING, REFERENCE)):
        prepare(data)
    if run:
        long = QUICK if quick else Steps(core_steps, steps, sampler_steps)
        for one in seed or ((0,) if quick else (0, 1, 2)):
            for name in dict.fromkeys((Arm.core, *(arm or Arm))):
                draw(name, one, out, long)
    found = measured(out)
    write_text(out / "results.json", as_json(found))
    write_text(out / "results.md", as_markdown(found, LABELS))
    console().print(*as_tables(found, LABELS), sep="\n\n")


def draw(arm: Arm, seed: int, out: Path, steps: Steps) -> None:
    """Train an arm unless it is trained, and sample each object unless that is done too."""
    folder, recipe = out / f"seed-{seed}", RECIPES[arm]
    trained = growlang.train(
        growlang.load(HERE / recipe.spec, params(arm, seed, steps)),
        recipe.name,
        out=folder,
        data_root=out / "data",
        resume="may",
        with_parents=True,
        log_every=50,
    )
    if trained.signal is not None:
        raise typer.Exit(trained.exit_status)
    weights = load(trained.run)
    inputs = [contents_hash(weights.tensors), weights.metadata["sample"], steps.sampler, seed]
    about = {"steps": str(trained.steps)}
    for drawing in drawings(arm):
        made_from = [*inputs, OBJECTS, *([drawing] if drawing.name != arm else [])]
        ensure(
            samples_of(drawing.name, seed, out),
            about | {"inputs": digest(made_from)},
            partial(
                _drawn,
                trained.run,
                steps=steps.sampler,
                detail_scale=drawing.detail_scale,
                detail_temperature=drawing.detail_temperature,
                seed=seed,
            ),
        )
    if arm in GROWN:
        core = load(run_of(Arm.core, seed, out))
        ensure(
            samples_of(f"{arm}{CORE}", seed, out),
            about | {"inputs": digest([*inputs, contents_hash(core.tensors), OBJECTS])},
            partial(_drawn, with_core_of(core, weights), steps=steps.sampler, seed=seed),
        )


def _drawn(run: Path | Weights, **settings: Any) -> Tensor:
    return sample(run, prompts=OBJECTS, **settings).tensor


def ensure(path: Path, metadata: dict[str, str], make: Callable[[], Tensor]) -> None:
    """Write samples unless those that are there were made from the same."""
    if not path.exists() or read_samples(path)[1] != metadata:
        write_samples(make(), metadata, path)


def run_of(arm: Arm, seed: int, out: Path) -> Path:
    """The folder of an arm's run."""
    recipe = RECIPES[arm]
    return out / f"seed-{seed}" / recipe.spec.removesuffix(".grow") / recipe.name


def drawings(arm: Arm) -> tuple[Drawing, ...]:
    """What is drawn of an arm."""
    return Drawing(str(arm)), *OTHERS.get(arm, ())


def write_samples(images: Tensor, metadata: dict[str, str], path: Path) -> None:
    """Write images, one of each object, as a grid and as they are."""
    path.parent.mkdir(exist_ok=True)
    write_grid(images, OBJECTS, path.with_suffix(".png"))
    with whole(path) as temporary:
        write_tensors(temporary, {"images": images}, metadata)


def params(arm: Arm, seed: int, steps: Steps) -> dict[str, int]:
    """What an arm's spec is told."""
    core = {"seed": seed, "core_steps": steps.core}
    return core if arm is Arm.core else core | {"steps": steps.grown}


def measured(out: Path) -> Results:
    """The scores of all samples below a folder, seed by seed."""
    real = images_of(out / "data" / REFERENCE)
    judge = Judge(real, OBJECTS, *others())
    return Results(tuple(_rows(out, real, judge)), judge.floor())


def others() -> tuple[Tensor, list[str]]:
    """Images (N, C, 64, 64) of the emoji that are none of the objects, and their captions."""
    found = {name: image for path in SHARDS for name, image in read_shard(path)}
    names = [name for name in found if name not in OBJECTS]
    shape = grid(3, LARGE, LARGE)
    return torch.stack([to_tensor(resized(found[n], LARGE), shape) for n in names]), names


def _rows(out: Path, real: Tensor, judge: Judge) -> Iterator[Row]:
    sides = [image.width for _, image in read_shard(out / "data" / TRAINING)]
    unseen = [place for place, side in enumerate(sides) if side < LARGE]
    seen = [place for place, side in enumerate(sides) if side >= LARGE]
    for seed in sorted(int(path.name.removeprefix("seed-")) for path in out.glob("seed-*")):
        for name in (drawing.name for arm in Arm for drawing in drawings(arm)):
            if not (path := samples_of(name, seed, out)).exists():
                continue
            drawn, metadata = read_samples(path)
            rows = {name: drawn} | ({PATH: downsampled(drawn)} if name == Arm.retain else {})
            for row, x in rows.items():
                yield Row(
                    row,
                    seed,
                    int(metadata["steps"]),
                    scores(x[unseen], real, unseen),
                    scores(x[seen], real, seen),
                    judge.perceived(x),
                    _core(row, seed, out, real),
                    _speeds(row, seed, out),
                )


def _core(name: str, seed: int, out: Path, real: Tensor) -> Scores | None:
    """What the core's model draws at 32 px with what an arm made of the core."""
    path = samples_of(name if name == Arm.core else f"{name}{CORE}", seed, out)
    if not path.exists():
        return None
    return scores(read_samples(path)[0], downsampled(real), range(len(real)))


def _speeds(name: str, seed: int, out: Path) -> tuple[Speed, ...]:
    """Of the run whose samples these are, if they are those by its spec's settings."""
    if name not in list(Arm):
        return ()
    return speeds(run_of(Arm(name), seed, out))


def samples_of(name: str, seed: int, out: Path) -> Path:
    """Where a drawing of an arm is kept."""
    return out / f"seed-{seed}" / "samples" / f"{name.replace(', ', '-')}.safetensors"


def read_samples(path: Path) -> tuple[Tensor, dict[str, str]]:
    """Images (N, C, H, W) in [-1, 1], one of each object, and what they were drawn from."""
    with safe_open(path, framework="pt") as file:
        return file.get_tensor("images"), file.metadata()


def images_of(shard: Path) -> Tensor:
    """The images (N, C, H, W) in [-1, 1] of a shard of 64 px."""
    shape = grid(3, LARGE, LARGE)
    return torch.stack([to_tensor(image, shape) for _, image in read_shard(shard)])


if __name__ == "__main__":
    typer.run(main)
