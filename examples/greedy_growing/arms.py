"""The arms of the experiment: ways from a core of 32 px to a model of higher resolution."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from sets import SMALL

SPECS = Path(__file__).resolve().parent / "specs"


class Arm(StrEnum):
    """A way to a model of higher resolution, or the core alone."""

    core = "core"
    scratch = "scratch"
    joint = "joint"
    frozen = "frozen"
    greedy = "greedy"
    bridge = "bridge"
    retain = "retain"


class Recipe(NamedTuple):
    """Where an arm is written down, and what tables call it."""

    model: str
    name: str
    label: str

    def model_at(self, side: int) -> str:
        """The model whose images have this side; that of the core has always 32 px."""
        return f"{self.model}_{SMALL if self.model == 'core' else side}"

    def spec(self, side: int) -> Path:
        """The file of that model."""
        return SPECS / f"{self.model_at(side)}.grow"


RECIPES = {
    Arm.core: Recipe("core", "main", "baseline: the core's samples, upsampled"),
    Arm.scratch: Recipe("discard", "scratch", "from scratch"),
    Arm.joint: Recipe("discard", "joint", "discard, joint from the start"),
    Arm.frozen: Recipe("discard", "frozen", "discard, core frozen"),
    Arm.greedy: Recipe("discard", "greedy", "discard, core frozen, then joint"),
    Arm.bridge: Recipe("discard", "bridge", "bridge, core frozen, then joint"),
    Arm.retain: Recipe("retain", "main", "retain"),
}
GROWN = (Arm.joint, Arm.frozen, Arm.greedy, Arm.bridge, Arm.retain)
"""The arms that keep the core."""


class Drawing(NamedTuple):
    """Samples of an arm; what is None is the spec's."""

    name: str
    detail_scale: float | None = None
    detail_temperature: float | None = None


CALM, HALF, PATH = "retain, calm", "retain, half", "retain, low path"
"""Detail without chance; half of it; the samples of `retain` without their detail."""
DRAWINGS = {arm: (Drawing(str(arm)),) for arm in Arm} | {
    Arm.retain: (Drawing("retain"), Drawing(CALM, None, 0.0), Drawing(HALF, 0.5, 0.0))
}
"""What is drawn of each arm."""
LABELS = {str(arm): recipe.label for arm, recipe in RECIPES.items()} | {
    CALM: "retain, `detail_temperature = 0`",
    HALF: "retain, `detail_temperature = 0`, `detail_scale = 0.5`",
    PATH: "retain, the same samples without their detail",
}
