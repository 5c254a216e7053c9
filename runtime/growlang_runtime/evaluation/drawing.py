"""The images that weights draw for an evaluation, kept so that an interrupted one goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.net import digest
from growlang.signatures.canonical import canonical
from growlang.spec.recipe import Sample
from growlang.torch_backend.tensor_files import contents_hash
from growlang_runtime.evaluation.kept import Kept
from growlang_runtime.evaluation.pictures import Chunk, Pictures, to_bytes
from growlang_runtime.sample import Drawer
from growlang_runtime.storage.weights import Weights


@dataclass(frozen=True)
class Drawing:
    """What is drawn: how, for which prompts, with which seed."""

    asked: Sample
    prompts: Sequence[str]
    """They are taken in turn until there is one for each image."""
    count: int
    seed: int


def drawn(
    weights: Weights,
    drawing: Drawing,
    device: torch.device,
    batch: int,
    folder: Path,
    say: Callable[[str], None],
) -> Pictures:
    """The images of some weights, made when they are wanted and kept below `folder`.

    An image depends on the seed, its prompt and its number, as those of `growlang sample` do.
    """
    identity = digest([contents_hash(weights.tensors), *said_of(drawing)])
    kept = Kept(folder / identity[:16])
    drawer = Drawer(weights, drawing.asked, device, say=say)

    def caption(places: range) -> tuple[str, ...]:
        return tuple(drawing.prompts[place % len(drawing.prompts)] for place in places)

    def images(places: range) -> Tensor:
        wanted = [(place, drawing.seed) for place in places]
        made = drawer.draw(caption(places), wanted, batch, first=places.start)
        if not made.isfinite().all():
            raise GrowlangError(
                f"sampling from {weights.path} gave NaN or infinity, although its weights are "
                "finite",
                help="lower --guidance, or train with a lower learning rate",
            )
        say(f"drew {places.stop:,} of {drawing.count:,} images")
        return to_bytes(made)

    def make(places: range) -> Chunk:
        name = f"{places.start:08d}-{len(places)}"
        return Chunk(places, kept.tensor(name, lambda: images(places)), caption(places))

    return Pictures(identity, drawing.count, make, caption)


def said_of(drawing: Drawing) -> tuple[object, ...]:
    """What decides the images besides the weights; how many there are does not."""
    said = canonical(drawing.asked.model_copy(update={"prompts": None}))
    return said, [*drawing.prompts], drawing.seed
