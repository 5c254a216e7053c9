"""What `auto` stands for: settings that are chosen from the number of steps of a run.

A plan holds the numbers, and which settings they were chosen for (`Phase.auto`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

from growlang.diagnostics.literals import literal
from growlang.spec.rates import WSD, Epochs, Images
from growlang.spec.recipe import Phase
from growlang.spec.warmups import counted

AVERAGED = 0.05
"""Share of a run over which `ema = auto` averages.

The best average of a diffusion model spans about a tenth of the run at a constant learning rate
(arXiv 2312.02696, section 3), and less where the rate falls to zero, which averages too.
"""
MOST_AVERAGED = 10_000
"""Most steps that it averages over: a decay of 0.9999, as is usual for long runs."""
WARMED = 0.05
"""Share of the steps over which the rate rises; Adam needs 2 / (1 - beta2) (arXiv 1910.04209)."""
MOST_WARMED = 2_000
"""Most steps over which it rises: what Adam needs at a beta2 of 0.999."""
FALL = 0.2
"""Share of the steps over which the rate falls to zero at the end.

A constant rate that falls over the last fifth ends as well as a cosine (arXiv 2405.18392), and
phases that begin late, as those of a grown net do, have the whole rate.
"""
LONGEST_FALL = 20_000
"""Most steps over which it falls: long runs need a smaller share (arXiv 2405.18392, section 4)."""

AUTOMATIC = ("ema", "warmup", "lr_schedule")
"""The settings that may be `auto`."""
T = TypeVar("T")


def ema(steps: int) -> float:
    """Decay of the averages of a run of so many steps."""
    memory = max(1.0, min(AVERAGED * steps, MOST_AVERAGED))
    return round(1 - float(f"{1 / memory:.2g}"), 6)


def warmup(steps: int) -> int:
    """Steps over which the learning rate rises, of so many that it spans."""
    return min(round(WARMED * steps), MOST_WARMED)


def lr_schedule(steps: int) -> WSD:
    """Learning rate over so many steps."""
    return WSD(decay=float(f"{min(FALL, LONGEST_FALL / steps):.2g}"))


def chosen(phases: Sequence[Phase], images: Sequence[int] = ()) -> list[Phase]:
    """The phases with numbers for `auto`, where the steps that these depend on are known.

    `images` are those of the data of each phase, once it was opened: warm-ups that are counted in
    epochs or images have their steps then.

    Averages go on from phase to phase, so `ema` is chosen from the steps of the whole recipe;
    `warmup` and `lr_schedule` from the steps that they span: the recipe's, or those of a phase
    that sets one of the two.
    """
    total = _total(phases)
    return [_chosen(phase, total) for phase in counted(phases, images)]


def _total(phases: Sequence[Phase]) -> int | None:
    """Steps of all phases; None where those of one are not known yet."""
    counts = [phase.steps for phase in phases if phase.steps is not None]
    return sum(counts) if len(counts) == len(phases) else None


def _chosen(phase: Phase, total: int | None) -> Phase:
    spanned = phase.steps if phase.own_schedule else total
    found: dict[str, Any] = {}
    if total and phase.settings.ema == "auto":
        found["ema"] = ema(total)
    if spanned and phase.settings.warmup == "auto":
        found["warmup"] = warmup(spanned)
    if spanned and phase.settings.lr_schedule == "auto":
        found["lr_schedule"] = lr_schedule(spanned)
    if not found:
        return phase
    settings = phase.settings.model_copy(update=found)
    return phase.model_copy(update={"settings": settings, "auto": [*phase.auto, *found]})


def known(value: T | Literal["auto"]) -> T:
    """A setting of a plan whose steps are known. Raises ValueError where it is not chosen yet."""
    if value == "auto":
        raise ValueError("`auto` is chosen once the number of steps is known")
    return value


class Choice(NamedTuple):
    """What `auto` stands for in one phase."""

    phase: str
    steps: int | None
    """Steps of the recipe; None where they are known when a run starts."""
    spanned: int | None
    """Those of them that warm-up and learning-rate schedule span."""
    settings: Mapping[str, Any]
    """What was chosen, by setting; None where it depends on steps that are not known."""

    def __str__(self) -> str:
        if None in self.settings.values():
            later = ", ".join(self.settings)
            return f"chosen when the run starts, for the steps that its epochs are: {later}"
        said = ", ".join(f"{name} = {_written(value)}" for name, value in self.settings.items())
        part = f"{self.spanned:,} of " if self.spanned != self.steps else ""
        return f"chosen for {part}{self.steps:,} steps: {said}"

    def as_json(self) -> dict[str, Any]:
        """The choice as JSON values."""
        values = {n: v.model_dump() if isinstance(v, WSD) else v for n, v in self.settings.items()}
        return {"phase": self.phase, "steps": self.steps, **values}


def choices(phases: Sequence[Phase]) -> list[Choice]:
    """What `auto` stands for in each phase that has it, once `chosen` chose what it could."""
    total, found = _total(phases), []
    for phase in phases:
        values = {
            name: None if value == "auto" else value
            for name in AUTOMATIC
            if (value := getattr(phase.settings, name)) == "auto" or name in phase.auto
        }
        spanned = phase.steps if phase.own_schedule else total
        found += [Choice(phase.name, total, spanned, values)] if values else []
    return found


def told(phases: Sequence[Phase]) -> list[str]:
    """A line for all phases of which the same was chosen, or one for each."""
    found = choices(phases)
    lines = list(dict.fromkeys(map(str, found)))
    if not (len(lines) == 1 and len(found) == len(phases)):
        lines = [f"phase {choice.phase}: {choice}" for choice in found]
    return [*lines, *dict.fromkeys(_warmups(phases))]


def _warmups(phases: Sequence[Phase]) -> Iterator[str]:
    """How many steps the warm-ups are that are counted in epochs or images."""
    for phase in phases:
        warmup, steps = phase.settings.warmup, phase.warmup_steps
        if isinstance(warmup, Epochs | Images):
            part = f"phase {phase.name}: " if phase.own_schedule else ""
            later = "its steps are known when the run starts"
            counted = later if steps is None else f"{steps:,} steps"
            yield f"{part}warmup = {warmup.call}({literal(warmup.count)}): {counted}"


def _written(value: Any) -> str:
    """A value as the language writes it."""
    return f"wsd(decay = {literal(value.decay)})" if isinstance(value, WSD) else literal(value)
