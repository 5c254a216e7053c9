"""The input of a model: an image, or a sequence of tokens."""

from __future__ import annotations

from collections.abc import Sequence

from growlang.diagnostics import Findings, Note, Span
from growlang.resolve.names import HOLE, Bound, Names
from growlang.spec.model import Image, Tokens
from growlang.syntax import document as d

NAMES = {
    "image": ("size", "height", "width", "channels", "pixels"),
    "tokens": ("vocabulary", "length"),
}
"""What the dotted names of an input are: `image.size`, `tokens.length`."""


def bind_input(name: str, value: Image | Tokens | None, span: Span, scope: Names) -> None:
    """Bind the dotted names of an input; to holes where it was refused."""
    found: dict[str, int] = {}
    if isinstance(value, Image):
        height, width = value.extent
        sides = {"size": min(height, width), "height": height, "width": width}
        found = {**sides, "channels": value.channels, "pixels": min(value.pixels)}
    elif isinstance(value, Tokens):
        found = {"vocabulary": value.vocabulary, "length": value.length}
    for part in NAMES[name]:
        scope.values[f"{name}.{part}"] = Bound(found.get(part, HOLE), span)


def has_extent(image: Image, span: Span, findings: Findings) -> bool:
    """Whether an image says its sides, once; a finding where it does not."""
    sides = [side for side in (image.height, image.width) if side is not None]
    if len(sides) == (2 if image.size is None else 0):
        return True
    findings.add(
        "G201",
        "`image` takes either a size, or a height and a width",
        span,
        help="write `image(64)` or `image(height = 64, width = 96)`",
    )
    return False


def refuse_two(bindings: Sequence[d.Binding], findings: Findings) -> bool:
    """Whether a model has an image and tokens; a finding where it has."""
    first, *others = bindings
    second = next((b for b in others if b.name != first.name), None)
    if second is None:
        return False
    findings.add(
        "G102",
        f"a model takes one input, not both `{first.name}` and `{second.name}`",
        second.name_span,
        help="remove one",
        notes=[Note("the first is here", first.name_span)],
    )
    return True


def refuse_none(model: d.Model, findings: Findings) -> None:
    """The finding about a model without an input."""
    findings.add(
        "G210",
        f"model `{model.name}` has no input",
        model.name_span,
        help="declare it: `image = image(64)`, or `tokens = tokens(50257, 1024)`",
    )
