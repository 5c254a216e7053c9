"""Depth and width of the core against alignment, at equal compute.

A core of 32 px learns all 499 emoji, with each size for as many steps as the same operations pay
for. It then draws the captions of every other emoji; `align_ridge` is fitted on the real images of
the others. Run `make proof-full`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from statistics import mean
from typing import Annotated, Any, NamedTuple

import typer
from arms import SPECS
from cells import train_spec
from compute import training_flops
from finished import trained_steps
from metrics import scores
from perceived import Judge
from plots import chart
from pool import run_all
from samples import BATCH, ensure, images_of, read
from sets import SMALL, emoji, resized, shard, write_shard
from tables import Table, as_markdown, printed, spread
from typer import Option

import growlang
from growlang.atomic import write_text
from growlang.cli.console import console
from growlang.net import digest
from growlang.torch_backend.tensor_files import contents_hash
from growlang_runtime.sample import sample
from growlang_runtime.storage.weights import load
from growlang_runtime.train.threads import usable_cores

SPEC = SPECS / "core_32.grow"


class Size(NamedTuple):
    """Of a core."""

    depth: int
    width: int

    def __str__(self) -> str:
        return f"depth_{self.depth}-width_{self.width}"


USUAL = Size(3, 128)
DEPTHS = tuple(Size(depth, USUAL.width) for depth in (1, 2, 3, 6, 9))
WIDTHS = tuple(Size(USUAL.depth, width) for width in (64, 96, 128, 192))


class Found(NamedTuple):
    """One size, trained with one seed."""

    depth: int
    width: int
    seed: int
    steps: int
    parameters: int
    alignment: float
    retrieval: float
    """Share of samples whose own image is the nearest of all."""
    error: float


def main(
    out: Annotated[Path, Option(help="Folder for data, runs, samples and tables.")] = Path(
        "runs/greedy_growing_sizes"
    ),
    seed: Annotated[list[int] | None, Option(help="Seeds; by default 0.")] = None,
    steps: Annotated[int, Option(help="Steps of depth 3 and width 128.", min=2)] = 3000,
    sampler_steps: Annotated[int | None, Option(help="By default the spec's.", min=1)] = None,
    jobs: Annotated[int | None, Option(help="Processes; by default one a core.", min=1)] = None,
    run: Annotated[bool, Option(help="Train and sample what is missing.")] = True,
) -> None:
    """Train each size with the same operations, and print how well images fit their captions."""
    sizes = sorted({*DEPTHS, *WIDTHS})
    pictures = out / "data" / shard("objects")
    if not pictures.exists():
        pictures.parent.mkdir(parents=True, exist_ok=True)
        write_shard(pictures, {name: resized(one, SMALL) for name, one in emoji().items()})
    seeds = seed or [0]
    if run:
        tasks = {
            f"seed-{one}-{size}": partial(_one, size, one, paid(size, steps), out, sampler_steps)
            for one in seeds
            for size in sizes
        }
        run_all(tasks, out / "logs", jobs or usable_cores())
    found = [one for s in seeds for size in sizes if (one := measured(size, s, out)) is not None]
    made = table(found)
    write_text(out / "sizes.json", json.dumps([one._asdict() for one in found], indent=1) + "\n")
    write_text(out / "sizes.md", as_markdown([made]))
    write_text(out / "sizes.svg", picture(found))
    console().print(printed(made))


def paid(size: Size, steps: int) -> int:
    """Steps of a size for the operations of so many of the usual one."""
    return round(steps * flops(USUAL) / flops(size))


@cache
def flops(size: Size) -> int:
    """Of one step."""
    return training_flops(growlang.plan(_spec(size, 0, 100))) // 100


def _spec(size: Size, seed: int, steps: int) -> growlang.Checked:
    return growlang.load(SPEC, {**size._asdict(), "seed": seed, "core_steps": steps})


def _one(size: Size, seed: int, steps: int, out: Path, sampler_steps: int | None) -> None:
    spec, folder = _spec(size, seed, steps), out / f"seed-{seed}"
    weights = load(train_spec(spec, None, str(size), folder, out / "data"))
    captions = list(emoji())[1::2]
    inputs = [contents_hash(weights.tensors), weights.metadata["sample"], sampler_steps]
    settings: dict[str, Any] = {"prompts": captions, "steps": sampler_steps, "seed": seed}
    ensure(
        _samples(size, seed, out),
        captions,
        digest([*inputs, captions]),
        lambda: sample(weights, **settings, device="auto", batch=BATCH).tensor,
    )


def _samples(size: Size, seed: int, out: Path) -> Path:
    return out / f"seed-{seed}" / "samples" / f"{size}.safetensors"


def measured(size: Size, seed: int, out: Path) -> Found | None:
    """The scores of a size; None before it has drawn."""
    if not (path := _samples(size, seed, out)).exists():
        return None
    captions = list(emoji())
    real = images_of(out / "data" / shard("objects"))
    judge = Judge(real[1::2], captions[1::2], real[::2], captions[::2])
    drawn = read(path, len(captions[1::2]))
    found = scores(drawn, real[1::2], range(len(drawn)))
    run = out / f"seed-{seed}" / "core_32" / str(size)
    return Found(
        *size,
        seed,
        trained_steps(run),
        sum(tensor.numel() for tensor in load(run).tensors.values()),
        judge.perceived(drawn).alignment,
        found.hits / found.objects,
        found.rmse,
    )


def from_json(text: str) -> list[Found]:
    """What the command wrote."""
    return [Found(**one) for one in json.loads(text)]


def table(found: Sequence[Found]) -> Table:
    """A line for each size."""
    head = ["depth", "width", "seeds", "parameters", "steps", "align_ridge", "retrieval@1", "error"]
    lines = []
    for size in sorted({(one.depth, one.width) for one in found}):
        some = [one for one in found if (one.depth, one.width) == size]
        lines.append(
            [
                *map(str, size),
                str(len(some)),
                f"{some[0].parameters / 1e6:.2f} M",
                str(some[0].steps),
                spread([one.alignment for one in some], 3),
                spread([one.retrieval for one in some], 3),
                spread([one.error for one in some], 4),
            ]
        )
    return Table("Size of the core at equal compute", head, lines)


def picture(found: Sequence[Found]) -> str:
    """Alignment over depth, and over width."""
    with chart(2) as (axes, text):
        for axis, name, sizes in zip(axes, ("depth", "width"), (DEPTHS, WIDTHS), strict=True):
            points = []
            for size in sizes:
                some = [one for one in found if (one.depth, one.width) == size]
                axis.scatter([getattr(size, name)] * len(some), [s.alignment for s in some], s=12)
                points += [(getattr(size, name), mean(s.alignment for s in some))] if some else []
            axis.plot([x for x, _ in points], [y for _, y in points])
            axis.set_xlabel(f"{name} of the core")
        axes[0].set_ylabel("align_ridge")
    return text.getvalue()


if __name__ == "__main__":
    typer.run(main)
