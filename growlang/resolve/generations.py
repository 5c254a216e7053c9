"""`retain`: the ends of a parent that stay in its child, as its path to smaller images.

A child that retains the ends of a model of images n_0 wide and declares ends for n_1 has two
generations; where it grows again, the last ends join those that were retained before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from growlang.diagnostics import Diagnostic, Findings, Note, Span
from growlang.net import CORE, HEAD, STEM, TIME, ComponentName
from growlang.ops import Op
from growlang.ops.generations import Predict
from growlang.resolve.contract import Contract
from growlang.spec.model import RETAINING, LatentImage, Model, Pipe, ops_of

if TYPE_CHECKING:
    from growlang.resolve.model import Resolution

NAMES = ("level", "retained")
"""What the compiler calls by these names in a net with retained ends."""


@dataclass(frozen=True)
class Generation:
    """The ends of a former generation: those of the model that declares them."""

    resolution: Resolution
    name: ComponentName
    """`retained.32`, by the side of its images in pixels."""
    kept: frozenset[ComponentName]
    """Its stages that keep their names."""
    span: Span
    """The statement by which it stays."""
    predict: Predict
    """What it predicts, as all generations do."""

    @property
    def extent(self) -> tuple[int, int]:
        """(height, width) of its images, in pixels."""
        image = self.resolution.model.image
        return image.extent if image else (0, 0)


def generations(
    contract: Contract, parent: Resolution | None, predict: Predict
) -> tuple[Generation, ...]:
    """The former generations of a child, from the first on; `predict` is what its parent does."""
    if parent is None:
        return ()
    keep, found = contract.keep, list[Generation]()
    for old in parent.generations:
        if old.name in keep:
            kept = frozenset(n for n in old.kept if n in keep)
            found.append(Generation(old.resolution, old.name, kept, keep[old.name], old.predict))
    size = min(parent.model.image.extent) if parent.model.image else 0
    if size and {STEM, HEAD} <= contract.retain.keys():
        kept = frozenset(s.name for s in parent.model.stages if s.name in keep)
        name = ComponentName.of_retained(size)
        found.append(Generation(parent, name, kept, contract.retain[STEM], predict))
    return tuple(found)


def refuse_idle_words(
    declared: Mapping[str, Span],
    words: Mapping[str, str],
    found: tuple[Generation, ...],
    findings: Findings,
) -> None:
    """Refuse words that speak of ends beside retained ones, where none are."""
    for name in RETAINING:
        if name in words and not found:
            message = f"`{name} = {words[name]}` has no effect: the model retains no ends"
            help = "remove it, or `retain stem, head` of the parent"
            findings.add("G201", message, declared[name], help=help)


def refuse_broken(resolution: Resolution, parent: Resolution | None) -> Iterator[Diagnostic]:
    """Refuse statements with which the old path would not compute what it did."""
    contract = resolution.contract
    if parent is None or contract.doubtful:
        return
    if predicting := _predicting(resolution, parent):
        yield predicting
        return
    if contract.retain:
        yield from _not_ends(contract, parent)
        yield from _not_whole(contract, parent)
    yield from _without_the_first(contract, parent)
    if resolution.generations:
        yield from _not_kept(resolution, parent)
        yield from _sizes(resolution)
        yield from _names(resolution)


def _predicting(resolution: Resolution, parent: Resolution) -> Diagnostic | None:
    """That ends are retained where one of the two models predicts a label, and makes no images."""
    retained = list(resolution.contract.retain.values())
    for who, model in (("the parent", parent.model), ("the model", resolution.model)):
        if retained and model.predicted:
            label = model.predicted[0]
            message = f"retained ends make images, and {who} predicts `{label}`"
            help = "write `drop` or `keep` instead of `retain`"
            return Diagnostic("G330", message, retained[0], help)
    return None


def _not_ends(contract: Contract, parent: Resolution) -> Iterator[Diagnostic]:
    """What is retained and no end."""
    if parent.model.image is None:
        span = next(iter(contract.retain.values()))
        message = "`retain` needs images of two sizes, and the parent is a model of tokens"
        yield Diagnostic("G330", message, span, "`keep` or `drop` its components")
        return
    for name, span in contract.retain.items():
        if name not in (STEM, HEAD) and not name.is_stage:
            message = f"`{name.selector}` is no end: `retain` takes `stem`, `head` and stages"
            yield Diagnostic("G330", message, span, f"write `keep {name.selector}`")


def _not_whole(contract: Contract, parent: Resolution) -> Iterator[Diagnostic]:
    """What the retained ends need beside them."""
    retained = [n for n in contract.retain if n in (STEM, HEAD) or n.is_stage]
    stages = [s.name for s in parent.model.stages]
    older = [s for g in parent.generations for s in g.kept]
    for name in (STEM, *stages, *older, HEAD) if retained else ():
        stays = name in contract.retain or (name.is_stage and name in contract.keep)
        place = contract.place(name)
        if stays or place is None:
            continue
        may = ", or keep it" if name.is_stage else ""
        yield Diagnostic(
            "G330",
            f"the retained ends need `{name.selector}`, which is not retained",
            place,
            f"write `retain {name.selector}`{may}",
            (Note("retained here", contract.retain[retained[0]]),),
        )


def _without_the_first(contract: Contract, parent: Resolution) -> Iterator[Diagnostic]:
    """Ends that stay and add detail to older ones, which do not."""
    gone = [g.name for g in parent.generations if g.name in contract.drop]
    own = [STEM, *(s.name for s in parent.model.stages), HEAD]
    later = [g.name for g in parent.generations if g.name in contract.keep]
    stay = [n for n in own if n in contract.keep or n in contract.retain]
    for name in gone:
        above = [n for n in later if _size(n) > _size(name)] + stay
        if above:
            place = contract.drop[name]
            message = f"`{above[0].selector}` adds detail to `{name.selector}`, which is dropped"
            yield Diagnostic("G330", message, place, f"write `keep {name.selector}`")


def _size(name: ComponentName) -> int:
    return int(name.partition(".")[2])


def _not_kept(resolution: Resolution, parent: Resolution) -> Iterator[Diagnostic]:
    """What the old path computes with, and the child does not keep."""
    contract, last = resolution.contract, resolution.generations[-1]
    for name in read_by_old_path(resolution):
        known = name in contract.keep or name in contract.retain  # of which more is said
        if known or name not in parent.model.components():
            continue
        place = contract.place(name) or resolution.declared.get(name)
        if place is None:
            continue  # of which no statement speaks: that is said already
        yield Diagnostic(
            "G330",
            f"the retained ends need `{name}` as the parent has it",
            place,
            f"write `keep {name}`" + ", and declare none here" * (name in resolution.declared),
            (Note("retained here", last.span),),
        )


def read_by_old_path(resolution: Resolution) -> tuple[ComponentName, ...]:
    """The core, `time`, and the conditions that the core and retained ends attend to."""
    models = [g.resolution.model for g in resolution.generations]
    pipes = [pipe for model in models for pipe in _pipes(model)]
    ops: list[Op] = [op for pipe in pipes for op in ops_of(pipe)]
    ops += [model.time for model in models if model.time]
    attended = (name for op in ops for name in op.attended or ())
    front = [name for m in models for name in m.core.prepend if name in m.conditions]
    conditions = [ComponentName(n) for n in dict.fromkeys((*attended, *front)) if n != "self"]
    return (CORE, *([TIME] if models and models[0].time else []), *conditions)


def _pipes(model: Model) -> list[Pipe]:
    sides = [side for s in model.stages for side in (s.encode, s.decode)]
    return [model.stem.pipe, *sides, model.core.pipe, model.head.pipe]


def _sizes(resolution: Resolution) -> Iterator[Diagnostic]:
    """Images of the child that are no whole multiples of those of the generation before."""
    image, last = resolution.model.image, resolution.generations[-1]
    before = last.resolution.model.image
    if image is None or before is None or not image.extent[0]:
        return
    place = resolution.spans.get(("image",), last.span)
    notes = (Note("retained here", last.span),)
    if isinstance(image, LatentImage) or isinstance(before, LatentImage):
        message = "ends are retained for images of pixels: means over latents are no latents"
        yield Diagnostic("G331", message, place, "write `drop` instead of `retain`", notes)
        return
    (height, width), (old_height, old_width) = image.extent, before.extent
    whole = height % old_height == 0 and height // old_height >= 2
    if not whole or width * old_height != height * old_width:
        yield Diagnostic(
            "G331",
            f"the retained ends make images of {old_height} x {old_width} pixels, and {height} x "
            f"{width} are not a whole multiple of that, the same on both sides",
            place,
            f"write `image = image({_times(before.extent, 2)})`, or another multiple",
            notes,
        )
    if image.channels != before.channels:
        message = f"the image has {image.channels} channels, that of the retained ends "
        message += f"{before.channels}"
        yield Diagnostic("G331", message, place, f"write `channels = {before.channels}`", notes)


def _times(extent: tuple[int, int], factor: int) -> str:
    height, width = (side * factor for side in extent)
    return f"{height}" if height == width else f"height = {height}, width = {width}"


def _names(resolution: Resolution) -> Iterator[Diagnostic]:
    """Conditions with a name that a net with retained ends needs for itself."""
    for name in NAMES:
        if name in resolution.model.conditions:
            message = f"`{name}` is reserved where ends are retained: used by the compiler"
            place = resolution.spans.get((name,), resolution.generations[-1].span)
            help = f"give the condition another name, such as `{name}_1`"
            yield Diagnostic("G102", message, place, help)
