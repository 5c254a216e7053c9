"""Trains core_32, grows it to emoji_64, and leaves one image: real, core's and grown samples.

Run `make demo` in the project's root, or `python examples/emoji/demo.py --help`. It runs the same
commands that a user would type and prints them.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

HERE = Path(os.path.relpath(Path(__file__).resolve().parent))


def main(
    out: Annotated[Path, typer.Option(help="Folder for runs.")] = Path("runs/demo"),
    output: Annotated[Path, typer.Option("--output", "-o", help="PNG file to write.")] = Path(
        "demo.png"
    ),
    seed: Annotated[int, typer.Option(help="Seed of the samples.")] = 0,
) -> None:
    """Train, grow, train on with the core frozen and then unfrozen, and sample both models.

    Runs that are there already are resumed, and finished ones are used as they are.
    """
    core, grown = HERE / "core_32.grow", HERE / "emoji_64.grow"
    begun = time.monotonic()
    growlang("check", str(HERE))
    options = ("--out", str(out), "--resume-or-start", "--log-every", "50", "--threads", "auto")
    growlang("train", str(core), *options)
    growlang("diff", str(core), str(grown))
    parent = str(out / "core_32" / "main")
    growlang("verify", str(grown), "--parent-checkpoint", parent, "--real-inputs")
    growlang("train", str(grown), *options)
    rows = compare(out / "core_32" / "main", out / "emoji_64" / "grown", seed, output)
    minutes, seconds = divmod(round(time.monotonic() - begun), 60)
    print(f"\n{output}: real images, samples of core_32, samples of emoji_64, with the prompts")
    for name, (hits, count) in rows.items():
        print(f"retrieval@1 of {name}: {hits} of {count}")
    print(
        "The prompts are those of training images: this shows that the path from spec to grown\n"
        "model works, not that the model generalises.\n"
        f"Done in {minutes} min {seconds} s."
    )


def growlang(*arguments: str) -> None:
    """Run a command of growlang, shown as a user would type it; exit as it does if it fails."""
    print(f"\n$ growlang {shlex.join(arguments)}", flush=True)
    command = subprocess.Popen([sys.executable, "-m", "growlang", *arguments])
    status = None
    while status is None:
        try:
            status = command.wait()
        except KeyboardInterrupt:  # the command has it, too: it writes a checkpoint, and ends
            continue
    if status:
        sys.exit(status)


def compare(core: Path, grown: Path, seed: int, to: Path) -> dict[str, tuple[int, int]]:
    """Write a sheet of real and sampled images; retrieval@1 (hits, prompts) of each model."""
    import torch

    from growlang.plans.plan import Plan
    from growlang_runtime.data.images import Images, Indexes
    from growlang_runtime.evaluation.retrieval import matches, nearest
    from growlang_runtime.sample import sample

    plan = Plan.model_validate_json((grown / "plan.json").read_text())
    settings = plan.phases[0].settings
    indexes = Indexes(HERE, ["caption"], semantics=plan.semantics)
    data = Images(settings.data, settings.transform, plan.child_net().image, 0, indexes)
    training = data.batch(range(len(data)))
    captions = [caption or "" for caption in training.captions]
    prompts = [line for line in (HERE / "prompts.txt").read_text().splitlines() if line]
    real = torch.stack([training.images[captions.index(p)] for p in prompts])
    sampled = {
        run.parent.name: sample(run, prompts=prompts, seed=seed, batch=len(prompts)).tensor
        for run in (core, grown)
    }
    sheet({"real": real, **sampled}, prompts).save(to)
    found = {name: nearest(images, training.images) for name, images in sampled.items()}
    return {
        name: (matches([captions[place] for place in places], prompts), len(prompts))
        for name, places in found.items()
    }


def sheet(rows: dict[str, Tensor], prompts: Sequence[str]) -> Image.Image:
    """Columns of a prompt each and a row for each source, in two blocks of eight columns."""
    from PIL import Image, ImageDraw, ImageFont

    from growlang_runtime.report.grids import to_pil_image

    cell, margin, label, columns = 112, 6, 90, 8
    font = ImageFont.load_default(12)
    blocks = -(-len(prompts) // columns)
    block = 20 + len(rows) * (cell + margin)
    image = Image.new("RGB", (label + columns * (cell + margin), blocks * block), "white")
    draw = ImageDraw.Draw(image)
    for index, prompt in enumerate(prompts):
        left = label + index % columns * (cell + margin)
        top = index // columns * block
        draw.text((left, top + 3), prompt, fill="black", font=font)
        for row, (name, images) in enumerate(rows.items()):
            y = top + 20 + row * (cell + margin)
            if index % columns == 0:
                draw.text((4, y + cell // 2 - 8), name, fill="black", font=font)
            small = to_pil_image(images[index])
            image.paste(small.resize((cell, cell), Image.Resampling.NEAREST), (left, y))
    return image


if __name__ == "__main__":
    typer.run(main)
