"""The bridge: at first the parent's function, in the end the child alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fixture_specs import checked, edited
from test_generations import (
    EXACT,
    LEVEL,
    PREDICTIONS,
    REFERENCE,
    SPECS,
    inputs_of,
    module_of,
    noise,
    relative,
    weights_of,
)
from torch import Tensor

from growlang.growth.bridging import Bridged, bridged
from growlang.net import Net
from growlang.ops.generations import Predict
from growlang.torch_backend.generations import levels, pooled
from growlang_runtime.diffusion.noise import to_x


def nets(folder: Path, predict: Predict, skips: str, ends: str) -> tuple[Net, Net, Bridged]:
    """The parent, the child, and what leads from one to the other."""
    objective = ("predict = v", f"predict = {predict}")
    joined = ("skips = block", f"skips = {skips}")
    base = checked(edited(SPECS / "base.grow", folder / "base.grow", objective, joined))
    stages = ("  stage @ 12   residual(6)\n  stage @ 6    residual(8)\n", ends)
    child = checked(edited(SPECS / "bridged.grow", folder / "bridged.grow", stages))
    assert child.mapping is not None
    return base.net, child.net, bridged(child.net, base.net, child.mapping, predict)


STAGES = "  stage @ 12   residual(6)\n  stage @ 6    residual(8)\n"


@pytest.mark.parametrize("predict", PREDICTIONS)
@pytest.mark.parametrize("skips", ["block", "level", "none"])
@torch.no_grad()
def test_it_begins_as_the_parent_and_ends_as_the_child(
    tmp_path: Path, predict: Predict, skips: str
) -> None:
    base, child, made = nets(tmp_path, predict, skips, STAGES)
    before, own = weights_of(base, 0), weights_of(child, 1)
    own |= {name: before[name] for name in own if name.split(".")[0] in ("core", "text", "time")}
    own |= {name: torch.zeros_like(own[name]) for name in made.zeros}
    rest = {name: before[source] for name, source in made.sources.items()}
    whole = weights_of(made.net, 2) | own | rest
    x = noise(child)

    def computed(weights: dict[str, Tensor], w: float) -> Tensor:
        fade = torch.full((len(x),), w, dtype=torch.float64)
        given = [*inputs_of(child, x, REFERENCE, LEVEL), LEVEL, fade]
        found: Tensor = module_of(made.net, weights)(*given)
        return found

    factor = 2
    small = pooled(x, factor) / levels(LEVEL, 1, factor).rho.view(-1, 1, 1, 1)
    level = LEVEL + 2 * torch.log(torch.tensor(2.0, dtype=torch.float64))
    old = module_of(base, before)(*inputs_of(base, small, REFERENCE, level))
    first = to_x(computed(whole, 1.0), x, LEVEL, predict)
    assert relative(pooled(first, factor), to_x(old, small, level, predict)) < EXACT
    trained = weights_of(child, 3)
    last = computed(whole | trained, 0.0)
    assert torch.equal(last, module_of(child, trained)(*inputs_of(child, x, REFERENCE, LEVEL)))


@pytest.mark.parametrize("skips", ["block", "level"])
def test_what_the_body_reads_is_a_sum_wherever_it_is_read(tmp_path: Path, skips: str) -> None:
    _, _, made = nets(tmp_path, "v", skips, STAGES)
    readers = {n.path for n in made.net.nodes if "bridge.join" in n.inputs}
    differences = {"stage.6.decode.subtract"} if skips == "level" else set()
    assert readers == {"core.tokens.0", *differences}
    assert made.zeros == (
        *("stage.6.encode.down.conv.weight", "stage.6.encode.down.conv.bias"),
        *("head.unpatch.0.proj.weight", "head.unpatch.0.proj.bias"),
    )
