"""The table of parameters of the 8B spec: its time without torch, and that PyTorch agrees."""

from __future__ import annotations

import sys

from benchmarks.measuring import ROOT, VERMEER, Result, ratio, result, show, taken
from growlang.build.net import build
from growlang.checking import check

ROUNDS = 20


def measure() -> list[Result]:
    """Milliseconds in process, and the ratio to building the module on the meta device.

    Raises RuntimeError if the table is not the state_dict of the module.
    """
    report = check(ROOT / VERMEER)
    if report.checked is None or report.checked.resolved.resolution is None:
        raise RuntimeError(f"{VERMEER} has findings")
    resolution, net = report.checked.resolved.resolution, report.checked.net

    def tabulate() -> None:
        built = build(resolution).result
        if built is None or built.table != net.table:
            raise RuntimeError("the table is not that of the checked net")

    times = [taken(tabulate) for _ in range(ROUNDS)]
    if "torch" in sys.modules:
        raise RuntimeError("the table was computed with torch loaded")
    from growlang.torch_backend.lower import lower

    state = {name: tuple(t.shape) for name, t in lower(net).state_dict().items()}
    if state != {name: t.shape for name, t in net.table.items()}:
        raise RuntimeError("the table is not the module's state_dict")
    pairs = [(taken(tabulate), taken(lambda: lower(net))) for _ in range(ROUNDS)]
    detail = f"{len(net.table):,} tensors, {net.parameters:,} parameters, without torch"
    return [
        result("parameter table", [t * 1e3 for t in times], "ms", 20, detail),
        ratio("parameter table / module on the meta device", pairs, note="same names and shapes"),
    ]


if __name__ == "__main__":
    show(measure())
