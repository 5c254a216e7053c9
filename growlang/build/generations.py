"""The net of a model with retained ends: the core once, and around it the ends of each generation.

The first generation is as it was. Each later one adds its encoder's end to the core's result and
decodes the sum to what it adds; nothing of it enters the core, which so computes what it did.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from math import prod

from growlang.build.graph import UNKNOWN, Site, Wire, add, apply, join
from growlang.build.joints import ended
from growlang.build.pipes import convert
from growlang.build.refusals import Refusals
from growlang.build.unet import ascend, core, descend
from growlang.net import HEAD, STEM, Component, ComponentName, Node
from growlang.net.axes import Layer
from growlang.ops import LAYOUT, op_in, op_of
from growlang.ops.base import Op
from growlang.ops.generations import Reduce, Refine
from growlang.ops.layout import Add
from growlang.resolve.generations import Generation


def grown(site: Site) -> Wire:
    """Build all generations, and return the prediction of the last."""
    sites = [*(_of(site, g) for g in site.resolution.generations), site]
    if not all(_fits(before, after) for before, after in pairwise(sites)):
        return UNKNOWN  # which is said already
    factors = [after.extent[0] // before.extent[0] for before, after in pairwise(sites)]
    images = _images(site, factors)
    first, *later = sites
    down = descend(first, images[0])
    if down is None:
        return UNKNOWN
    wire = core(site, down.wire, as_grid=True)
    known = wire if wire.name else UNKNOWN
    wire = _without_variance(first, ascend(first, known, down.sides))
    for at, (own, image) in enumerate(zip(later, images[1:], strict=True)):
        name = site.resolution.generations[at].name
        _close(site, name, wire)
        detail = _detail(own, known, image)
        wire = _refined(site, at, factors, wire, detail, image)
    return wire


def _without_variance(site: Site, wire: Wire) -> Wire:
    """The prediction of the first generation; a finding where it has a variance beside it."""
    if wire.shape and site.model.image and wire.shape.width != site.model.image.channels:
        site.refusals.mismatch(
            "G204",
            f"the head ends with {wire.shape.width} channels, and retained ends predict the "
            f"{site.model.image.channels} of the image alone",
            HEAD,
            help="grow from a model without a learned variance, or drop its ends",
        )
        return UNKNOWN
    return wire


def _fits(before: Site, after: Site) -> bool:
    """Whether one generation's images are whole multiples of those of the one before."""
    (old, old_width), (new, new_width) = before.extent, after.extent
    images = before.model.image, after.model.image
    alike = len({image.channels for image in images if image}) == 1
    return alike and new % old == 0 and new // old >= 2 and new * old_width == new_width * old


def _of(site: Site, generation: Generation) -> Site:
    """The site where a former generation is built: of the model that declares its ends."""
    refusals = Refusals(
        generation.resolution, site.refusals.findings, site.refusals.said, generation.span
    )
    return site._replace(
        resolution=generation.resolution,
        refusals=refusals,
        retained=generation.name,
        kept=generation.kept,
    )


def _images(site: Site, factors: list[int]) -> list[Wire]:
    """The noisy image as each generation sees it, from the first on."""
    large = site.graph.inputs[0]
    wires = [Wire(large.name, large.shape)]
    for at in reversed(range(len(factors))):
        name, wire = site.resolution.generations[at].name, wires[0]
        op = Reduce(factor=factors[at], above=prod(factors[at + 1 :]))
        wires.insert(0, _placed(site, op, (wire,), name, f"{name}.reduce"))
    return wires


def _placed(site: Site, op: Op, wires: tuple[Wire, ...], name: ComponentName, path: str) -> Wire:
    """The node of an op that reads these values and the log-SNR of the largest image."""
    shapes = [wire.shape for wire in wires]
    first = shapes[0]
    if first is None or None in shapes:
        return UNKNOWN
    inputs = (*(wire.name for wire in wires), "level")
    output = op.output(first, site.scope)
    add(site, op, inputs, first, output, name, path, (name,))
    return Wire(path, output)


def _detail(site: Site, known: Wire, image: Wire) -> Wire:
    """What a generation adds: its own decoder of the core's result and of its own encoder's end."""
    if known.shape is None or image.shape is None:
        return UNKNOWN
    at = known.shape.dims[1]
    model = site.model.model_copy(update={"core": site.model.core.model_copy(update={"at": at})})
    own = site._replace(resolution=replace(site.resolution, model=model))
    down = descend(own, image, known.shape.width)
    if down is None or not _meets(own, down.wire, known):
        return UNKNOWN
    coarsest = own.place(model.stages[-1].name, "decode") if model.stages else own.place(HEAD)
    end = convert(own, down.wire, "grid", coarsest)
    sum_ = join(own, Add(), known, end, coarsest.component, f"{coarsest.prefix}.join")
    wire = ended(own, ascend(own, sum_._replace(is_joined=True), down.sides), image.shape)
    return _from_zero(own, wire)


def _meets(site: Site, end: Wire, known: Wire) -> bool:
    """Whether an encoder ends where the core's result is; a finding where it does not."""
    if end.shape is None or known.shape is None:
        return False
    shape = end.shape
    if shape.kind == "grid" and shape != known.shape:
        width, at = known.shape.width, known.shape.dims[1]
        name = site.model.stages[0].name if site.model.stages else STEM
        site.refusals.mismatch(
            "G205" if shape.dims[1] == at else "G204",
            f"the new ends lead to {shape}, but what the core gives them is {known.shape}",
            name,
            help=f"let the stem end at {at} with width {width}, or declare stages above the core",
        )
        return False
    return shape.kind == "grid" or shape.size == known.shape.size


def _refined(
    site: Site, at: int, factors: list[int], wire: Wire, detail: Wire, image: Wire
) -> Wire:
    """The prediction of the generation after `at`."""
    generations = site.resolution.generations
    after = generations[at + 1].resolution if generations[at + 1 :] else site.resolution
    op = Refine(
        factor=factors[at],
        above=prod(factors[at + 1 :]),
        predict=generations[at].predict,
        upsample=after.model.upsample,
        detail=after.model.detail,
    )
    name = generations[at].name
    return _placed(site, op, (wire, detail, image), name, name)


def _close(site: Site, name: ComponentName, wire: Wire) -> None:
    if wire.shape is not None:
        site.graph.components.append(Component(name, wire.shape, site.span(name)))


# --- zero at the start ----------------------------------------------------------------------------


def _from_zero(site: Site, wire: Wire) -> Wire:
    """The detail, which a last map of zeros computes: that of the head, or one behind it.

    It is the only one: with two zeros in series neither would ever get a gradient.
    """
    if wire.shape is None:
        return wire
    first, *before = list(_chain(site, wire.name))
    if _last_map(site, first):
        _begin(site, first, "zeros")
    else:
        place, zero = site.place(HEAD), op_of("zero_conv")
        op = zero.model_validate({"width": wire.shape.width})
        path = site.graph.path(place.prefix, zero.call)
        wire = apply(site, op, wire, place.component, path)
        before = [first, *before]
    for node in before:
        last = _last_map(site, node)
        weight = last and f"{node.path}.{last.weight.name}"
        if any(t.name == weight and t.init == "zeros" for t in node.tensors):
            _begin(site, node, "linear")
    return wire


def _chain(site: Site, name: str) -> Iterator[Node]:
    """The nodes of the head that compute a value, from the last on, without changes of layout."""
    nodes = {node.path: node for node in site.graph.nodes}
    prefix = f"{site.place(HEAD).prefix}."
    while name in nodes and name.startswith(prefix):
        if nodes[name].op not in LAYOUT:
            yield nodes[name]
        name = nodes[name].inputs[0]


def _begin(site: Site, node: Node, init: str) -> None:
    """Let the last map of a node begin with another weight; its bias is zero anyway."""
    last = _last_map(site, node)
    weight = last and f"{node.path}.{last.weight.name}"
    tensors = (t._replace(init=init) if t.name == weight else t for t in node.tensors)
    at = next(i for i, other in enumerate(site.graph.nodes) if other.path == node.path)
    site.graph.nodes[at] = replace(node, tensors=tuple(tensors))


def _last_map(site: Site, node: Node) -> Layer | None:
    """The map that alone makes the result of an op; None where there is no one such."""
    op = op_in(node)
    if op.is_residual or op.is_join:
        return None
    shapes = {n.path: n.output for n in site.graph.nodes}
    axes = op.axes(shapes[node.inputs[0]], node.scope)
    last = [layer for layer in axes.layers if layer.place == "last"] if axes else []
    return last[0] if len(last) == 1 and last[0].kind == "map" else None
