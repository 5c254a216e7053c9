"""The real images that generated ones are compared with: a recipe's own, or its held-out ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch

from growlang.diagnostics import GrowlangError
from growlang.net import Net, digest
from growlang.plans.plan import Plan
from growlang.spec.data import Source, Transform
from growlang.spec.labels import Labels
from growlang_runtime.conditioning.conditioner import classes_of, fields_read
from growlang_runtime.data.corrupt import Budget
from growlang_runtime.data.identity import read_recorded, recorded
from growlang_runtime.data.images import Images, Indexes
from growlang_runtime.data.mix import Batch
from growlang_runtime.evaluation.kept import Kept
from growlang_runtime.evaluation.pictures import Chunk, Pictures, to_bytes


class Reference(NamedTuple):
    """The real images, what is said of them in a protocol, and what is to be told."""

    pictures: Pictures
    """All of them."""
    said: dict[str, Any]
    warnings: tuple[str, ...] = ()


def open_reference(
    plan: Plan, net: Net, which: Literal["training", "held_out"], data_root: Path, kept: Kept
) -> Reference:
    """The images of the recipe's last phase, or those that it holds out, in a fixed order.

    Raises GrowlangError if the data cannot be read, or if the recipe holds nothing out.
    """
    sources, transform, held_out, decoder = _declared(plan, which)
    budget = Budget(sys.maxsize, data_root)
    reads, names = fields_read(net.encoders), classes_of(net.encoders)
    indexes = Indexes(data_root, reads, semantics=plan.semantics)
    seed = plan.phases[0].settings.seed
    images = Images(
        sources,
        transform,
        net.pixels,
        seed,
        indexes,
        budget,
        classes=names,
        held_out=held_out,
        decoder=decoder,
    )
    said: dict[str, Any] = {
        "images": which,
        "data": recorded(images.identity),
        "transform": [t.model_dump(mode="json") for t in transform],
        "seed": seed,
    }
    size = [net.pixels.dims, plan.semantics, held_out]
    identity = digest([*said.values(), *size, [s.model_dump(mode="json") for s in sources]])
    told = digest([identity, "texts", sorted(reads), *names.names])

    def caption(places: range) -> tuple[str, ...]:
        name = digest([told, places.start, len(places)])
        path = f"{name[:2]}/{name}"
        return kept.pair(path, lambda: (torch.zeros(0), texts(places)))[1]

    def texts(places: range) -> tuple[str, ...]:
        return _texts(images.batch(places), names)

    def make(places: range) -> Chunk:
        batch = images.batch(places)
        return Chunk(places, to_bytes(batch.images), _texts(batch, names))

    pictures = Pictures(identity, len(images), make, caption, kept)
    changed = which == "training" and plan.data is not None and _differs(plan, images)
    warnings = [*images.warnings]
    if changed:
        warnings.append("the reference is not the data that the run was trained on: it has changed")
    said |= {"decoder": decoder, "sha256": identity}
    return Reference(pictures, said, tuple(warnings))


def _declared(
    plan: Plan, which: Literal["training", "held_out"]
) -> tuple[list[Source], list[Transform], bool, str]:
    """Sources, transforms, whether they are what is held out, and the decoder of a run for them."""
    if which == "training":
        settings = plan.phases[-1].settings
        return settings.data, settings.transform, False, settings.decoder
    if plan.validation is None:
        raise GrowlangError(
            f"`reference = held_out`, but recipe {plan.recipe} holds nothing out",
            help="write `reference = training`, or train with `holdout = 5%` in the recipe",
        )
    held, decoder = plan.validation, plan.phases[0].settings.decoder
    return held.data, held.transform, bool(held.holdout), decoder


def _differs(plan: Plan, images: Images) -> bool:
    """Whether a run was trained on other images than these, or on latents of others."""
    known = {identity.without_vae() for identity in read_recorded(plan.data or {})}
    return not known.issuperset(images.identity.values())


def _texts(batch: Batch, names: Labels) -> tuple[str, ...]:
    """The caption of each image, or the name of its class, or nothing."""
    return tuple(
        caption or (names.name(label) if label is not None else "")
        for caption, label in zip(batch.captions, batch.labels, strict=True)
    )
