"""`transition = bridge(for = N)`: the net that begins as the parent and fades to the child.

While w falls from 1 to 0 the parent's ends stay beside those of the child: the body that both have
reads Z_in + w old_stem, and the prediction is Z_out + w p, with p what retained ends would predict
without detail. Z_in and Z_out, the child's own, begin at zero; with w = 0 the child is alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from growlang.diagnostics import Diagnostic, Span
from growlang.growth.mapping import Mapping
from growlang.growth.transforms import Copy
from growlang.net import CORE, TIME, ComponentName, Input, Net, Node, Shape, Tensor
from growlang.net.generations import FADE, MEASURED, REDUCE, REFINE, refinements
from growlang.ops import LAYOUT, axes_in, op_in

if TYPE_CHECKING:
    from growlang.resolve.recipes import RecipeDraft

BRIDGE = ComponentName("bridge")
LEVEL, FADED = "level", "fade"


class Bridged(NamedTuple):
    """The net of the transition."""

    net: Net
    """The child's, with the parent's ends below `bridge` and the inputs `level` and `fade`."""
    sources: dict[str, str]
    """The parent's tensor that each tensor of those ends is."""
    zeros: tuple[str, ...]
    """The child's tensors that begin at zero: the maps that end Z_in and Z_out."""


class UnbridgeableError(Exception):
    """There is no bridge between two nets, and why."""


def refuse_unbridgeable(
    draft: RecipeDraft, place: Span, child: Net, parent: Net | None, mapping: Mapping | None
) -> Iterator[Diagnostic]:
    """Refuse the bridge of a recipe, at its `place`, where the parent cannot fade to the child."""
    lengths = [phase.phase.steps for phase in draft.phases]
    run = sum(n for n in lengths if n is not None)
    if None not in lengths and run < (fade := draft.start.bridge or 0):
        message = (
            f"recipe `{draft.name}` ends after {run:,} steps, before the fade of {fade:,} does"
        )
        help = f"write `bridge(for = {max(1, run // 2)})`, or longer phases"
        yield Diagnostic("G333", message, place, help)
        return
    try:
        if parent is None or mapping is None or draft.start.origin != "parent":
            raise UnbridgeableError("the recipe does not start from the parent")
        objective = draft.phases[0].phase.settings.objective
        bridged(child, parent, mapping, getattr(objective, "predict", "v"))
    except UnbridgeableError as error:
        message = f"recipe `{draft.name}` cannot begin as the parent does: {error}"
        yield Diagnostic("G333", message, place, "write `discard`")


def bridged(child: Net, parent: Net, mapping: Mapping, predict: str) -> Bridged:
    """The net of the transition. Raises UnbridgeableError where there is none."""
    if refinements(child) or refinements(parent):
        raise UnbridgeableError("ends are retained, which do not fade")
    kept = _kept(child, parent, mapping)
    _refuse_kind(child, parent)
    old = [node for node in parent.nodes if node.component not in kept]
    factor = _factor(child.image, parent.image)
    _refuse_raw(child)
    _refuse_variance(child, parent)
    from_old = _into_body(parent, kept, {node.path for node in old})
    fresh = {n.path for n in child.nodes if n.component not in kept and n.component != TIME}
    from_new = _into_body(child, kept, fresh - child.encoders.keys())
    if parent.shapes[from_old] != child.shapes[from_new]:
        raise UnbridgeableError(
            f"the new ends give what is kept {child.shapes[from_new]}, the old ones "
            f"{parent.shapes[from_old]}"
        )
    renamed = {node.path: f"{BRIDGE}.{node.path}" for node in old}
    renamed["image"] = f"{BRIDGE}.{REDUCE}"
    beside = [_renamed(node, renamed) for node in old]
    stem = _needed(from_old, {node.path: node for node in old})
    first = [b for node, b in zip(old, beside, strict=True) if node.path in stem]
    rest = [b for b in beside if b not in first]
    join = f"{BRIDGE}.join"
    nodes = list[Node]()
    for node in child.nodes:
        inputs = tuple(join if name == from_new else name for name in node.inputs)
        nodes.append(replace(node, inputs=inputs))
        if node.path == from_new:
            nodes += [_reduced(child, factor), *first]
            nodes.append(_faded(join, renamed[from_old], node.path, node.output))
    nodes += rest
    known = {node.path for node in nodes} | {i.name for i in child.inputs}
    if missing := next((n for b in beside for n in b.inputs if n not in known | {LEVEL}), None):
        raise UnbridgeableError(f"the old ends read `{missing}`, which the child does not have")
    nodes.append(_refined(child, renamed[parent.output], factor, predict))
    nodes.append(_faded(f"{BRIDGE}.sum", BRIDGE, child.output, child.image))
    scalar = Shape("vector", ())
    given = (*child.inputs, Input(LEVEL, LEVEL, scalar), Input(FADED, FADED, scalar))
    net = replace(child, nodes=tuple(nodes), inputs=given, output=f"{BRIDGE}.sum")
    sources = {f"{BRIDGE}.{t.name}": t.name for node in old for t in node.tensors}
    ends = (_last_map(child, from_new), _last_map(child, child.output))
    return Bridged(net, sources, tuple(name for names in ends for name in names))


def _refuse_kind(child: Net, parent: Net) -> None:
    """Raise UnbridgeableError unless both nets are of images of pixels."""
    if child.of_tokens:
        raise UnbridgeableError("it is of tokens, and a bridge is between images of two sizes")
    if predicted := child.predicts or parent.predicts:
        raise UnbridgeableError(f"`{predicted}` is predicted, and a bridge is between images")
    if child.latent or parent.latent:
        raise UnbridgeableError("means over latents are not the latents of a smaller image")


def _kept(child: Net, parent: Net, mapping: Mapping) -> set[ComponentName]:
    """The components that the child has as the parent had them."""
    copied = {e.name for e in mapping if isinstance(e.transform, Copy)}
    both = {c.name for c in child.components} & {c.name for c in parent.components}
    kept = {c for c in both if all(t.name in copied for n in child.of(c) for t in n.tensors)}
    if CORE not in kept:
        raise UnbridgeableError("the core is not kept")
    return kept


def _factor(image: Shape, smaller: Shape) -> int:
    (channels, height, width), (before, old_height, old_width) = image.dims, smaller.dims
    whole = height % old_height == 0 and height // old_height >= 2
    if channels != before or not whole or width * old_height != height * old_width:
        raise UnbridgeableError(f"{image} is no whole multiple of the parent's image, {smaller}")
    return height // old_height


def _refuse_raw(child: Net) -> None:
    if any(node.args.get("embed") == "raw" for node in child.of(TIME)):
        raise UnbridgeableError("`time` embeds the raw log-SNR, which differs between sizes")


def _refuse_variance(child: Net, parent: Net) -> None:
    if any(net.result.width != net.image.width for net in (child, parent)):
        raise UnbridgeableError("a head predicts a variance beside the image, which does not fade")


def _into_body(net: Net, kept: Collection[str], ends: Collection[str]) -> str:
    """The one value that what is kept reads of the ends."""
    readers = (n for n in net.nodes if n.component in kept)
    found = dict.fromkeys(name for n in readers for name in n.inputs if name in ends)
    if len(found) != 1:
        raise UnbridgeableError(f"what is kept of {net.name} does not read one value of its ends")
    return next(iter(found))


def _needed(path: str, nodes: dict[str, Node]) -> set[str]:
    """What a value is computed of, among some nodes."""
    found, todo = set[str](), [path]
    while todo:
        if (name := todo.pop()) in nodes and name not in found:
            found.add(name)
            todo += nodes[name].inputs
    return found


def _renamed(node: Node, names: dict[str, str]) -> Node:
    inputs = tuple(names.get(name, name) for name in node.inputs)
    tensors = tuple(t._replace(name=f"{BRIDGE}.{t.name}") for t in node.tensors)
    return replace(node, path=names[node.path], component=BRIDGE, inputs=inputs, tensors=tensors)


def _reduced(child: Net, factor: int) -> Node:
    channels, height, width = child.image.dims
    shape = Shape("grid", (channels, height // factor, width // factor))
    args = {"factor": factor, "above": 1}
    return Node(f"{BRIDGE}.{REDUCE}", BRIDGE, REDUCE, args, ("image", LEVEL), shape)


def _refined(child: Net, old: str, factor: int, predict: str) -> Node:
    """What the old ends predict, on the child's grid: the best guess of the detail is added."""
    variance = Tensor(f"{BRIDGE}.detail_variance", child.image.dims[:1], MEASURED, False)
    args = {"factor": factor, "above": 1, "predict": predict}
    args |= {"upsample": "bicubic", "detail": "none"}
    return Node(BRIDGE, BRIDGE, REFINE, args, (old, "image", LEVEL), child.image, (variance,))


def _faded(path: str, old: str, new: str, shape: Shape) -> Node:
    return Node(path, BRIDGE, FADE, {}, (old, new, FADED), shape)


def _last_map(net: Net, path: str) -> Iterable[str]:
    """The tensors of the map that a value ends with."""
    nodes = {node.path: node for node in net.nodes}
    while nodes[path].op in LAYOUT and nodes[path].inputs[0] in nodes:
        path = nodes[path].inputs[0]
    node = nodes[path]
    axes = axes_in(net, node)
    last = [layer for layer in axes.layers if layer.place == "last"] if axes else []
    if len(last) != 1 or last[0].kind != "map" or op_in(node).is_residual:
        raise UnbridgeableError(
            f"`{path}` would have to begin at zero, and `{node.op}` passes its input on: end with "
            "a map, such as `conv` or `unpatch`"
        )
    return [f"{path}.{p.name}" for p in last[0].parameters]
