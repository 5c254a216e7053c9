"""Specs that were changed in a known way, and what of them is what of the spec they came from."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from fixture_specs import checked

from growlang.checking import Checked
from growlang.net import Net, Node
from growlang.proposing.runs import run_of
from growlang.tools.show import show

WIDTH = re.compile(
    r"\b((?:residual|conv|linear|embed|fourier|transformer|attention|spatial_attention)"
    r"\(\s*(?:width = )?|patch\(\d+, |classes\([\dkM_]+, (?:width = )?)(\d+)(?=[,)\n])"
)
HEADS = re.compile(r"\b((?:transformer|attention)\(\s*\d+,\s*)(\d+)(?=[,)\n])")
PLACES = re.compile(r"(?<=stage @ )\d+|(?<=core @ )\d+")
Edit = Callable[[str, Net], str]
Truth = dict[str, frozenset[str]]
"""Of each node the places that it may be at in the changed net."""


class Corruption(NamedTuple):
    """A change, and the place of each node after it: None where the node is no more."""

    edit: Edit
    place: Callable[[str, Net, Net], str | None] = lambda path, _, __: path
    is_deeper: bool = False
    """Whether a node may be any of those whose paths have other numbers."""


def flat(path: Path) -> str:
    """The flat form of a spec, with the data, recipes and sections after its model left out."""
    text = show(checked(path).resolved, False)
    head, model = text.split("model ", 1)
    lines = [line for line in head.split("\n") if not line.startswith("#")]
    return "\n".join(lines) + "model " + model[: model.index("\n}") + 2] + "\n"


def model_of(text: str) -> str:
    """The name of its model."""
    found = re.search(r"model (\w+)", text)
    assert found is not None
    return found[1]


# --- names ---------------------------------------------------------------------------------------


def with_names(text: str, names: Mapping[str, str]) -> str:
    """Other names of conditions, in their bindings and where they are read."""
    if not names:
        return text
    any_of = "|".join(map(re.escape, names))
    told = rf'(?m)^  (?P<own>{any_of})(?=\s+=)|(?<![\w".])(?P<read>{any_of})(?![\w"]|\s*=|\s*\()'
    return re.sub(told, lambda m: f"  {names[m['own']]}" if m["own"] else names[m["read"]], text)


def other_names(net: Net) -> dict[str, str]:
    """A name that nothing has for each condition."""
    return {name: f"given_{'abcdefgh'[n]}" for n, name in enumerate(sorted(net.encoders))}


def swapped_names(net: Net) -> dict[str, str]:
    """Each condition has the name of the next one."""
    names = sorted(net.encoders)
    return dict(zip(names, names[1:] + names[:1], strict=True)) if len(names) > 1 else {}


def renamed(text: str, net: Net) -> str:
    """Every name that is free to choose is another."""
    return re.sub(r"model \w+", "model other", with_names(text, other_names(net)))


def _named(names: Callable[[Net], dict[str, str]]) -> Callable[[str, Net, Net], str]:
    def place(path: str, old: Net, _: Net) -> str:
        first, dot, rest = path.partition(".")
        return names(old).get(first, first) + dot + rest

    return place


# --- order ---------------------------------------------------------------------------------------


def reordered(text: str, _: Net) -> str:
    """The blocks of the core in the reverse order."""
    core = re.search(r"(?s)(core(?: @ \d+)?)\s+(.*?)(?=\n  head)", text)
    if core is None or "(" in core[2].split("\n")[0][:1]:
        return text
    parts = [part.strip() for part in core[2].split("\n    | ")]
    return text[: core.start()] + f"{core[1]} " + " | ".join(reversed(parts)) + text[core.end() :]


def shuffled(text: str, _: Net) -> str:
    """What the model declares, from the last line to the first."""
    head, body = text.split("{\n", 1)
    parts = re.split(r"(?m)\n+(?=  [a-z])", body[: body.rindex("\n}")])
    return head + "{\n" + "\n".join(reversed(parts)) + "\n}\n"


# --- sizes ---------------------------------------------------------------------------------------


def widened(factor: float) -> Edit:
    """All widths times a factor."""

    def edit(text: str, _: Net) -> str:
        last = text.rindex("\n  head")
        end = text.rfind("conv(", last)  # what puts out the image has its channels
        end = len(text) if end < 0 else end
        return WIDTH.sub(lambda m: _times(m, factor), text[:end]) + text[end:]

    return edit


def with_heads(text: str, _: Net) -> str:
    """Twice as many heads."""
    return HEADS.sub(lambda m: _times(m, 2), text)


def deepened(text: str, _: Net) -> str:
    """Twice as many of what is repeated."""
    return re.sub(r"(\)\s*\* )(\d+)(?=\s*(?:\n|\)))", lambda m: _times(m, 2), text)


def enlarged(text: str, _: Net) -> str:
    """The image at twice its size, and all that is computed at sizes of its own."""
    image = r"(image = (?:image|latent)\([^\n]*?(?:size|height) = )(\d+)"
    text = re.sub(image, lambda m: _times(m, 2), text)
    text = re.sub(r"(image = image\([^\n]*width = )(\d+)", lambda m: _times(m, 2), text)
    return PLACES.sub(lambda m: str(int(m[0]) * 2), text)


def _times(found: re.Match[str], factor: float) -> str:
    return f"{found[1]}{int(int(found[2]) * factor)}"


def _doubled(path: str, old: Net, new: Net) -> str:
    """The path in a net whose stages before an inserted one have twice their size."""
    return _scaled(path, old, new, 2)


def _everywhere_doubled(path: str, _: Net, __: Net) -> str:
    return re.sub(r"^stage\.(\d+)", lambda m: f"stage.{int(m[1]) * 2}", path)


def _scaled(path: str, old: Net, new: Net, factor: int) -> str:
    ours, theirs = (sorted(_sizes(net), reverse=True) for net in (old, new))
    parts = path.split(".")
    if parts[0] == "stage" and ours != theirs:
        size = int(parts[1])
        fixed = {n for n in ours if n in theirs and n * factor not in theirs}
        first = _first_plain(ours, theirs)
        if size > first and size not in fixed | {0}:
            parts[1] = str(size * factor)
    return ".".join(parts)


def _first_plain(ours: Sequence[int], theirs: Sequence[int]) -> int:
    """The coarsest size from which on both nets have the same stages."""
    behind = 0
    for a, b in zip(reversed(ours), reversed(theirs), strict=False):
        if a != b:
            break
        behind = a
    return behind


def _sizes(net: Net) -> set[int]:
    return {int(c.name.split(".")[1]) for c in net.components if c.name.is_stage}


# --- parts ---------------------------------------------------------------------------------------


def inserted(text: str, _: Net) -> str:
    """A stage before the first plain one, at twice its size; in a chain, a block before the core's.

    Where finer stages are there already, they and the image have twice their size too.
    """
    stage = re.search(r"\n  stage @ (\d+)\s+(residual\(\d+[^\n]*?\))(?= *(?:\*|\n))", text)
    if stage is None:
        core = r"(\n  core[^\n(]*(?:\((?:[^()]|\([^()]*\))*\))?)\s+transformer\(\s*(\d+)"
        return re.sub(core, _block, text)
    before, behind = text[: stage.start()], text[stage.start() :]
    before = re.sub(r"(size = |stage @ )(\d+)", lambda m: _times(m, 2), before)
    return f"{before}\n  stage @ {int(stage[1]) * 2} {stage[2]} * 2{behind}"


def _block(found: re.Match[str]) -> str:
    wide = f"transformer({found[2]}, heads = 1, mlp = 1)"
    return f"{found[1]} {wide} | transformer({found[2]}"


def _behind(path: str, old: Net, new: Net) -> str:
    if any(node.component.is_stage for node in old.nodes):
        return _doubled(path, old, new)
    return re.sub(r"^core\.transformer\.(\d+)", lambda m: f"core.transformer.{int(m[1]) + 1}", path)


def removed(text: str, _: Net) -> str:
    """Without the finest stage, of an image that is as much smaller.

    The stem has the width of the next one.
    """
    stages = list(re.finditer(r"(?m)^  stage @ (\d+)(?:.|\n)*?\n(?=  (?:stage|core) )", text))
    if len(stages) < 2:
        return text
    factor = int(stages[0][1]) // int(stages[1][1])
    first, second = (re.search(r"residual\((\d+)", stage[0]) for stage in stages[:2])
    rest = text[: stages[0].start()] + text[stages[0].end() :]
    if first and second:
        stem = rf"(?m)(^  stem [^\n]*?\b){first[1]}(?=[,)])"
        rest = re.sub(stem, lambda m: f"{m[1]}{second[1]}", rest)
    return re.sub(r"(image = \w+\(size = )(\d+)", lambda m: _times(m, 1 / factor), rest)


def activated(text: str, _: Net) -> str:
    """Another activation in the blocks, or else at the end."""
    changed = re.sub(r"mlp = ([\d.]+),", r"mlp = relu2(widths = \1),", text)
    if changed == text:
        changed = re.sub(r"mlp = gelu_tanh\(", "mlp = gelu(", text)
    return re.sub(r"act = silu", "act = gelu", text) if changed == text else changed


def conditioned(text: str, _: Net) -> str:
    """One more condition, to which the blocks attend."""
    changed = re.sub(r"attend = \[([^\]\n]*)\]", r"attend = [\1, more]", text)
    more = "  more = words(24, tokens = 4, vocabulary = 40)\n"
    at = text.find("\n  image = ")
    if changed == text or at < 0:
        return text
    return changed[: at + 1] + more + changed[at + 1 :]


CORRUPTIONS: dict[str, Corruption] = {
    "renamed": Corruption(renamed, _named(other_names)),
    "names swapped": Corruption(
        lambda text, net: with_names(text, swapped_names(net)), _named(swapped_names)
    ),
    "reordered": Corruption(reordered),
    "shuffled": Corruption(shuffled),
    "widened": Corruption(widened(2)),
    "widened x1.5": Corruption(widened(1.5)),
    "widened x4": Corruption(widened(4)),
    "heads": Corruption(with_heads),
    "deepened": Corruption(deepened, is_deeper=True),
    "enlarged": Corruption(enlarged, _everywhere_doubled),
    "inserted": Corruption(inserted, _behind),
    "removed": Corruption(removed),
    "activated": Corruption(activated),
    "conditioned": Corruption(conditioned),
}


def truth(kind: str, old: Checked, new: Checked) -> Truth:
    """Where each node of a spec with tensors is in the changed one.

    What computes otherwise, whatever its widths are, is in neither.
    """
    corruption = CORRUPTIONS[kind]
    there = {node.path: node for node in new.net.nodes if node.tensors}
    shapes = {re.sub(r"\d+", "#", path) for path in there}
    places = {name: corruption.place(name, old.net, new.net) or name for name in old.net.encoders}
    called = {after: before for before, after in places.items()}
    found: Truth = {}
    for node in old.net.nodes:
        path = corruption.place(node.path, old.net, new.net) if node.tensors else None
        if path is None:
            continue
        if corruption.is_deeper:
            like = re.sub(r"\d+", "#", path)
            at = {p for p in there if like in shapes and re.sub(r"\d+", "#", p) == like}
        else:
            at = {path} & there.keys()
        alike = frozenset(p for p in at if _computes_alike(node, there[p], called))
        if alike:
            found[node.path] = alike
    return found


def _computes_alike(old: Node, new: Node, called: Mapping[str, str]) -> bool:
    mine, theirs = run_of(old).function, run_of(new, called).function
    names = {*mine, *theirs}
    return old.op == new.op and all(mine.get(n, "null") == theirs.get(n, "null") for n in names)


def followed(first: Truth, then: Truth) -> Truth:
    """Where each node is after two changes."""
    found = {}
    for path, places in first.items():
        after = frozenset(p for place in places for p in then.get(place, ()))
        if after:
            found[path] = after
    return found
