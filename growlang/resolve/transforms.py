"""Holds a recipe's transform against the image: what comes out must have the image's size."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from growlang.diagnostics import Note, Span
from growlang.resolve.names import HOLE, Names
from growlang.spec.data import Crop, Resize, Transform
from growlang.syntax import document as d


class Bounds(NamedTuple):
    """The least and the most that a side of an image can measure, in pixels."""

    least: float = 1
    most: float = inf


class Sides(NamedTuple):
    """What is known of an image's shorter and longer side."""

    short: Bounds = Bounds()
    long: Bounds = Bounds()

    @property
    def fixed(self) -> bool:
        """Whether both sides are known."""
        return all(side.least == side.most for side in self)

    def may_be(self, height: int, width: int) -> bool:
        """Whether an image with these sides can have this size."""
        sides = zip(self, sorted((height, width)), strict=True)
        return all(bounds.least <= side <= bounds.most for bounds, side in sides)


class Misfit(NamedTuple):
    """Why a transform does not fit; `step` is the number of the one at fault, None for all."""

    step: int | None
    reason: str


def misfit(transform: Sequence[Transform], height: int, width: int) -> Misfit | None:
    """Why the transform does not make images of `height` x `width`, whatever their size.

    A square image needs a result of that size; a crop is square, so for another image the result
    only has to be possible.
    """
    sides = Sides()
    for number, step in enumerate(transform):
        if isinstance(step, Crop) and sides.short.most < step.size:
            short = f"{sides.short.most:g} pixels"
            return Misfit(
                number, f"cannot crop {step.size} pixels: the shorter side has {short} at most"
            )
        sides = _after(sides, step)
    if sides.may_be(height, width) and (sides.fixed or height != width):
        return None
    if sides.fixed:
        made = f"makes images of {sides.short.least:g} x {sides.long.least:g} pixels"
    else:
        made = f"keeps the images' {'ratio' if transform else 'size'}"
    return Misfit(None, f"{made}, but the image is {height} x {width}")


def refuse_misfit(
    transform: Sequence[Transform], written: d.Expression | None, place: Span, scope: Names
) -> None:
    """Record a transform that does not fit the image of the scope.

    `written` is its expression; `place` is where one is missing that is not the default.
    """
    sides = [scope.lookup(f"image.{side}") for side in ("height", "width", "size", "pixels")]
    if any(side is None or side.value is HOLE for side in sides):
        return
    place_of_image = sides[0].span if sides[0] else place
    height, width, size, pixels = (side.value for side in sides if side)
    factor = pixels // size
    wrong = misfit(transform, factor * height, factor * width)
    if wrong is None:
        return
    if isinstance(written, d.ListOf) and wrong.step is not None:
        place = written.items[wrong.step].span
    elif written is not None:
        place = written.span
    side = "image.size" if factor == 1 else "image.pixels"
    help = f"write `transform = [resize({side}, side = short), crop({side})]`"
    if height != width:
        help = f"write `transform = [resize({side}, side = short)]`, for data of that ratio"
    scope.findings.add(
        "G501",
        f"the {'default ' if written is None else ''}transform {wrong.reason}",
        place,
        help=help,
        notes=[Note("image set here", place_of_image)],
    )


def _after(sides: Sides, step: Transform) -> Sides:
    """What is known of an image after one step."""
    if isinstance(step, Crop) or (isinstance(step, Resize) and step.side == "both"):
        return Sides(Bounds(step.size, step.size), Bounds(step.size, step.size))
    if not isinstance(step, Resize):
        return sides
    target, square = Bounds(step.size, step.size), sides.fixed and len(set(sides)) == 1
    if square:
        return Sides(target, target)
    if step.side == "short":
        return Sides(target, Bounds(step.size))
    return Sides(Bounds(most=step.size), target)
