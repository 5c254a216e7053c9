"""Specs that were changed in a known way, and what of them is what of the spec they came from."""

import re
from collections.abc import Callable
from pathlib import Path

from fixture_specs import checked

from growlang.checking import Checked
from growlang.tools.show import show

WIDTH = re.compile(
    r"\b(residual|embed|fourier|(?:transformer|attention)\(\s*|patch\(\d+, |classes\([\dk_]+, )"
    r"(\(?)(\d+)"
)


def flat(path: Path) -> str:
    """The flat form of a spec, with the data, recipes and sections after its model left out."""
    text = show(checked(path).resolved, False)
    head, model = text.split("model ", 1)
    lines = [line for line in head.split("\n") if not line.startswith("#")]
    return "\n".join(lines) + "model " + model[: model.index("\n}") + 2] + "\n"


def renamed(text: str) -> str:
    """Every name that is free to choose is another."""
    for old, new in (("text", "caption"), ("label", "species")):
        text = re.sub(rf'(?<!")\b{old}\b(?!")', new, text)
    return re.sub(r"model \w+", "model other", text)


def reordered(text: str) -> str:
    """The blocks of the core in the reverse order."""
    core = re.search(r"(?s)(core(?: @ \d+)?)\s+(.*?)(?=\n  head)", text)
    assert core is not None
    parts = [part.strip() for part in core[2].split("\n    | ")]
    return text[: core.start()] + f"{core[1]} " + " | ".join(reversed(parts)) + text[core.end() :]


def widened(text: str) -> str:
    """All widths times two."""
    return WIDTH.sub(lambda m: f"{m[1]}{m[2]}{int(m[3]) * 2}", text)


def inserted(text: str) -> str:
    """A stage before the first plain one, at twice its size; in a chain, a block before the core's.

    Where finer stages are there already, they and the image have twice their size too.
    """
    stage = re.search(r"\n  stage @ (\d+)\s+(residual\(\d+.*?\))", text)
    if stage is None:
        return re.sub(r"(core[^\n(]*(?:\(position[^)]*\))?)\s+transformer\(\s*(\d+)", _block, text)
    before, behind = text[: stage.start()], text[stage.start() :]
    before = re.sub(r"(size = |stage @ )(\d+)", lambda m: f"{m[1]}{int(m[2]) * 2}", before)
    return f"{before}\n  stage @ {int(stage[1]) * 2} {stage[2]} * 2{behind}"


def _block(found: re.Match[str]) -> str:
    wide = f"transformer({found[2]}, heads = 1, mlp = 1)"
    return f"{found[1]} {wide} | transformer({found[2]}"


CORRUPTIONS: dict[str, Callable[[str], str]] = {
    "renamed": renamed,
    "reordered": reordered,
    "widened": widened,
    "inserted": inserted,
}


def places(old: Checked, new: Checked, kind: str) -> dict[str, str]:
    """Where each node of a spec with tensors is in the changed one."""
    names = {"text": "caption", "label": "species"} if kind == "renamed" else {}
    there = {node.path for node in new.net.nodes if node.tensors}
    chain = not any(node.component.is_stage for node in old.net.nodes)
    found = {}
    for node in old.net.nodes:
        if not node.tensors:
            continue
        path = node.path
        if kind == "inserted" and not chain:
            path = _doubled(path, old, new)
        elif kind == "inserted":
            path = re.sub(r"^core\.transformer\.(\d+)", _next, path)
        path = names.get(path, path)
        if path in there:
            found[node.path] = path
    return found


def _next(found: re.Match[str]) -> str:
    return f"core.transformer.{int(found[1]) + 1}"


def _doubled(path: str, old: Checked, new: Checked) -> str:
    """The path in a net whose stages before the inserted one have twice their size."""
    kept = {c.name for c in new.net.components}
    parts = path.split(".")
    if parts[0] == "stage" and f"stage.{parts[1]}" not in kept:
        parts[1] = str(int(parts[1]) * 2)
    return ".".join(parts)
