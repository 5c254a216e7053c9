"""Where settings and the length of a run do not fit, told by `compile` and by a run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from growlang.diagnostics.literals import literal
from growlang.net import Net
from growlang.spec.automatic import ema
from growlang.spec.optimizers import Adam, AdamW
from growlang.spec.recipe import Phase, Start

TRIAL = 50
"""A run of fewer steps tries whether it runs; its settings are not judged."""
LEAST_PATH = 0.2
"""How far weights must at least be able to go from random values, to have learnt something.

AdamW moves a weight by about the learning rate a step (arXiv 1412.6980, section 2.1); the weights
of a linear map of 25 to 100 channels are drawn with a deviation of 0.1 to 0.2.
"""
EMBEDDED = ("words", "classes")
"""Conditions that are a table of rows, of which a step trains some."""
RATES = (1e-3, 3e-3)
"""Learning rates that are suggested for short runs."""


class Misfit(NamedTuple):
    """A setting that does not fit the run."""

    code: str
    name: str
    """The setting, or the condition."""
    message: str
    help: str

    def __str__(self) -> str:
        return f"{self.message}; {self.help} (growlang explain {self.code})"


def misfits(
    recipe: str, start: Start, phases: Sequence[Phase], net: Net, new: Collection[str]
) -> Iterator[Misfit]:
    """What does not fit, of phases whose steps are known; `new` tensors begin at random."""
    counts = [phase.steps for phase in phases if phase.steps is not None]
    if len(counts) == len(phases) and sum(counts) >= TRIAL:
        yield from _long_average(recipe, start, phases, sum(counts))
        yield from _short_path(recipe, phases, new)
    for name in net.encoders:
        yield from _large_embedding(net, name, new)


def _long_average(
    recipe: str, start: Start, phases: Sequence[Phase], steps: int
) -> Iterator[Misfit]:
    decay = phases[-1].settings.ema
    memory = round(1 / (1 - decay)) if isinstance(decay, float | int) else 0
    if memory > steps:
        lags = "its decay rises with the steps and never reaches that"
        if start.origin != "scratch" and start.moments == "carry":
            lags = "the weights that are sampled and saved stay close to the parent's"
        yield Misfit(
            "G410",
            "ema",
            f"`ema = {literal(decay)}` averages over {memory:,} steps, but recipe `{recipe}` has "
            f"{steps:,}: {lags}",
            f"write `ema = auto`, which is {literal(ema(steps))} here",
        )


def _short_path(recipe: str, phases: Sequence[Phase], new: Collection[str]) -> Iterator[Misfit]:
    steps, path, rates = 0, 0.0, set[float]()
    for phase in phases:
        optimizer = phase.settings.optimizer
        if not isinstance(optimizer, Adam | AdamW) or phase.steps is None:
            return
        if not set(phase.frozen).issuperset(new):
            steps += phase.steps
            path += phase.steps * optimizer.lr
            rates.add(optimizer.lr)
    if not 0 < path < LEAST_PATH:
        return
    least = round(LEAST_PATH / max(rates))
    faster = next((lr for lr in RATES if lr * steps >= LEAST_PATH and lr > max(rates)), None)
    raised = f"write `lr = {literal(faster)}` in the optimizer, or " if faster else ""
    yield Misfit(
        "G411",
        "optimizer",
        f"recipe `{recipe}` trains what is new for {steps:,} steps at a learning rate of "
        f"{' and '.join(map(literal, sorted(rates)))}: a weight can move by about {path:.2g}, too "
        "little to learn from random values",
        f"{raised}train for {least:,} steps or more",
    )


def _large_embedding(net: Net, name: str, new: Collection[str]) -> Iterator[Misfit]:
    """An embedding that is trained, and is most of the net's parameters."""
    tables = [t for node in net.of(name) if node.op in EMBEDDED for t in node.tensors]
    table = max((t for t in tables if t.name in new), key=lambda t: t.parameters, default=None)
    if table is None or 2 * table.parameters <= net.parameters:
        return
    rows, width = table.shape
    rest = net.parameters - table.parameters
    fits = 1 << max(0, (rest // width - 1).bit_length() - 1)
    words = net.encoders[name]["op"] == "words"
    help = f"write `vocabulary = {fits}`" if words else "give it a smaller width"
    yield Misfit(
        "G412",
        name,
        f"the embedding of `{name}` is {table.parameters / net.parameters:.0%} of the model's "
        f"{net.parameters:,} parameters: {rows:,} rows of {width:,}, of which a step trains only "
        "those that its batch names",
        f"{help}, or enlarge the rest of the model",
    )
