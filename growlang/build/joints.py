"""Where the places of a net meet: their resolutions, widths and ends."""

from __future__ import annotations

from itertools import pairwise

from growlang.build.wiring import Place, Wire, Wiring
from growlang.diagnostics import Note
from growlang.net import Component, grid, tokens
from growlang.spec.model import Group, Pipe, Slot, Stage


class Joints(Wiring):
    """Holds what comes to a place against what the place says. Findings are recorded."""

    def is_chain(self) -> bool:
        """Whether the places have no resolutions, which tokens lack; a finding at the first."""
        stages, core = self.model.stages, self.model.core
        name = f"stage.{stages[0].at}" if stages else "core"
        if not stages and core.at is None:
            return True
        self.mismatch(
            "G204",
            f"`{shown(name)}` has a resolution, and a model of tokens has none",
            self.span(name),
            [Note("tokens declared here", self.span("tokens"))],
            "write its ops into the core" if stages else "write `core ...` without `@`",
        )
        return False

    def ended(self, wire: Wire) -> Wire:
        """Hold the head's end against the image, or against the vocabulary."""
        expected, text = self.inputs[0].shape, self.model.tokens
        if text:
            expected = tokens(text.length, text.vocabulary)
        if wire.shape is None or wire.shape == expected or self.doubtful:
            return wire
        if text:
            self.mismatch(
                "G205",
                f"the head ends with width {wire.shape.width}, but the vocabulary has "
                f"{text.vocabulary} tokens",
                self.span("head"),
                [Note("vocabulary set here", self.span("tokens"))],
                "end it with `unembed`",
            )
        else:
            self.mismatch(
                "G204",
                f"the head ends at {wire.shape}, but the image is {expected}",
                self.span("head"),
                [Note("image set here", self.span("image"))],
                "fix the factor of `unpatch`, or the stem's `patch`",
            )
        return Wire(wire.name, None)

    def order(self) -> None:
        """Refuse stages that do not fall to the core by whole factors."""
        places: list[tuple[str, int | None]] = [(f"stage.{s.at}", s.at) for s in self.model.stages]
        places.append(("core", self.model.core.at))
        for (name, at), (coarser, below) in pairwise(places):
            if at is None or below is None:
                if below is None and self.model.core.pipe != [None]:
                    self.mismatch(
                        "G209",
                        "a core after stages needs a resolution",
                        self.span("core"),
                        (),
                        "write `core @ 16 ...`",
                    )
                continue
            span = self.span(coarser if coarser in self.resolution.declared else name)
            if below >= at:
                self.mismatch(
                    "G209",
                    f"`{shown(coarser)}` must be at a lower resolution than `{shown(name)}`",
                    span,
                    [Note(f"`{shown(name)}` is here", self.span(name))],
                    "resolutions decrease strictly from the stem to the core",
                )
            elif at % below:
                self.mismatch(
                    "G204",
                    f"{at} is not a multiple of {below}: no integer factor leads from "
                    f"`{shown(name)}` to `{shown(coarser)}`",
                    span,
                    [Note(f"`{shown(name)}` is here", self.span(name))],
                )

    def subtract(self, low: Wire, down: Wire, coarser: Stage | Slot, place: Place) -> Wire:
        """What the coarser place changed, for `skips = level`."""
        if low.shape is None or down.shape is None:
            return Wire("", None)
        if low.shape.width != down.shape.width:
            name = "core" if isinstance(coarser, Slot) else f"stage.{coarser.at}"
            self.mismatch(
                "G205",
                f"`{shown(name)}` begins with width {down.shape.width} and ends with "
                f"{low.shape.width}, but `skips = level` takes the difference",
                self.span(name),
                [Note("skips set here", self.span("skips"))],
                f"let it end with width {down.shape.width}",
            )
            return Wire("", None)
        path = f"{place.prefix}.subtract"
        return self.join("subtract", low, down, low.shape, path, place.component)

    def width_of_level(self, high: Wire, width: int | None, name: str) -> int | None:
        """The width at which `skips = level` joins both sides of a stage: the encode side's."""
        if high.shape is None:
            return width
        ends = high.shape.width
        if width is not None and width != ends:
            self.mismatch(
                "G205",
                f"the encode side of `{shown(name)}` ends with width {ends} and its decode side "
                f"begins with {width}, but `skips = level` adds them",
                self.span(name),
                [Note("skips set here", self.span("skips"))],
                f"begin the decode side with width {ends}",
            )
        return ends

    def arrive(self, wire: Wire, at: int, pipe: Pipe, name: str) -> Wire:
        """Hold what comes against a place's resolution and width; go on with the place's own."""
        height, width = self.extent
        own = declared_width(pipe)
        if wire.shape is None:
            self.doubtful = True
            if not height or own is None or (at * width) % height:
                return Wire("", None)
            return Wire("", grid(own, at, at * width // height))
        if wire.shape.kind != "grid":
            wire = self.convert(wire, "grid", Place(name, name))
        shape = wire.shape
        if shape is None:
            return wire
        came_from = "stem" if not self.components or self.components[-1].name == "stem" else ""
        notes = [Note(f"the {came_from} is here", self.span(came_from))] if came_from else []
        if shape.dims[1] != at:
            slot = f"`{shown(name).split(' @')[0]} @ {shape.dims[1]}`"
            self.mismatch(
                "G204",
                f"`{shown(name)}` is at {at}, but its input is at {shape.dims[1]}",
                self.span(name),
                notes,
                f"write {slot}, or fix the factors before it",
                f"with {slot}",
            )
            return Wire("", grid(own or shape.width, at, at * width // height))
        if own is not None and own != shape.width:
            self.mismatch(
                "G205",
                f"`{shown(name)}` has width {own}, but its input has {shape.width}",
                self.span(name),
                notes,
                f"give the {came_from or 'place before it'} width {own}",
            )
            return Wire("", shape.with_width(own))
        return wire

    def stay(self, wire: Wire, at: int, name: str) -> Wire:
        """Refuse a pipe that left its place's resolution."""
        shape = wire.shape
        if shape is None or shape.kind != "grid" or shape.dims[1] == at:
            return wire
        self.mismatch(
            "G204",
            f"the ops of `{shown(name)}` end at resolution {shape.dims[1]}, not {at}",
            self.span(name),
            (),
            "resolutions change between places, not inside them",
        )
        return Wire(wire.name, None)

    def component(self, name: str, wire: Wire) -> None:
        """Close a component, which puts out what the wire carries."""
        if wire.shape is not None:
            self.components.append(Component(name, wire.shape, self.span(name)))


def declared_width(pipe: Pipe) -> int | None:
    """A place's width: that of its first op's output; None where the op does not state one."""
    first = pipe[0] if pipe else None
    if isinstance(first, Group):
        return declared_width(first.group)
    width = getattr(first.op, "width", None) if first else None
    return width if isinstance(width, int) else None


def shown(name: str) -> str:
    """A component as the language writes it."""
    return name.replace("stage.", "stage @ ")
