"""Growth by width: the mapping of many tensors, its use on weights, and what it costs `check`."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.measuring import GROWLANG, ROOT, Result, ratio, result, run, show, taken
from growlang.checking import Checked, check
from growlang.growing.statements import grown

STACK = Path("benchmarks/wide_stack.grow")
FEW, MANY = 142, 7140
"""Blocks with 2,000 and with 100,000 tensors; a block has 14."""
ROUNDS = 10


def measure() -> list[Result]:
    """The time of the mapping, in process and without torch; then weights, then whole commands."""
    few, many = (_checked(depth) for depth in (FEW, MANY))
    short = [_mapped(few) for _ in range(ROUNDS)]
    long = [_mapped(many) for _ in range(3)]
    if "torch" in sys.modules:
        raise RuntimeError("the mapping was computed with torch loaded")
    sizes = [f"{len(c.net.table):,} tensors" for c in (few, many)]
    each = [
        (b / len(many.net.table), a / len(few.net.table)) for a, b in zip(short, long, strict=False)
    ]
    return [
        result("mapping by width", [t * 1e3 for t in short], "ms", 100, sizes[0]),
        result("mapping by width", long, "s", 5, sizes[1]),
        ratio("its time for each tensor / for 50 times fewer", each, 1.3),
        _applied(),
        _checking(),
    ]


def _checked(depth: int) -> Checked:
    return check(ROOT / STACK, {"depth": str(depth)}).require(STACK)


def _mapped(checked: Checked) -> float:
    """Seconds that the growth of a net's tensors takes."""
    resolution, parent = checked.resolved.resolution, checked.parent
    if resolution is None or parent is None:
        raise RuntimeError(f"{STACK} has findings")
    return taken(lambda: grown(checked.net, parent.net, resolution))


def _applied() -> Result:
    """The tensors of an initialised child filled with its parent's, against as many copied."""
    import torch

    from growlang.torch_backend.initialisation import draw
    from growlang.torch_backend.transforms import apply

    torch.set_num_threads(1)
    wide = check(ROOT / "benchmarks/wide_stack.grow", {"depth": "2", "width": "768"}).require(STACK)
    if wide.mapping is None or wide.parent is None:
        raise RuntimeError(f"{STACK} has findings")
    parent = {name: draw(tensor, 0) for name, tensor in wide.parent.net.table.items()}
    mapping = wide.mapping
    child = {name: draw(tensor, 0) for name, tensor in wide.net.table.items()}
    other = {name: torch.empty_like(tensor) for name, tensor in child.items()}

    def copy() -> None:
        for name, tensor in child.items():
            other[name].copy_(tensor)

    size = sum(t.numel() * t.element_size() for t in child.values()) / 2**20
    pairs = [
        (
            taken(lambda: apply(mapping, parent, child)),
            taken(copy),
        )
        for _ in range(ROUNDS)
    ]
    return ratio("widening in memory / a copy of the child", pairs, 1.5, f"{size:.0f} MiB")


def _checking() -> Result:
    """`check` of a spec that grows, against one that declares the same net anew."""
    commands = [[GROWLANG, "check", f"benchmarks/{name}_stack.grow"] for name in ("wide", "new")]
    pairs = [(run(commands[0]), run(commands[1])) for _ in range(2 * ROUNDS)]
    return ratio("check of a spec with `grow ... by` / with `drop`", pairs, 1.3)


if __name__ == "__main__":
    show(measure())
