"""Learning rate over the steps of a recipe or of a phase."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from growlang.spec.automatic import known
from growlang.spec.rates import WSD, CosineDecay, LrSchedule
from growlang.spec.recipe import Phase
from growlang.spec.warmups import warmup_of


def factor(
    schedule: LrSchedule, step: int, steps: int, warmup: int, peak: float = math.inf
) -> float:
    """Factor on the learning rate at `step` (from 0) of a span of `steps`.

    It rises linearly over the first `warmup` steps. Then `cosine` falls to zero at the end of the
    span (arXiv 1608.03983), or to its `min`, where `peak` is the rate at a factor of 1, and
    `inverse_sqrt` falls with the root of the step (arXiv 1706.03762, section 5.3), scaled to 1 at
    the end of the warm-up. `wsd` is 1 up to the last `decay` of the span, and falls linearly from
    there (arXiv 2404.06395); a longer warm-up shortens its fall.
    """
    if step < warmup:
        return (step + 1) / warmup
    if schedule == "cosine" or isinstance(schedule, CosineDecay):
        done = (step - warmup) / max(1, steps - warmup)
        fallen = 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))
        least = schedule.min / peak if isinstance(schedule, CosineDecay) else 0.0
        return least + (1.0 - least) * fallen if least else fallen
    if isinstance(schedule, WSD):
        falling = max(1.0, min(schedule.decay * steps, steps - warmup))
        return max(0.0, min(1.0, (steps - step) / falling))
    if schedule == "inverse_sqrt":
        return math.sqrt(max(1, warmup) / max(1, step, warmup))
    return 1.0


@dataclass(frozen=True)
class Span:
    """The steps of the run that one phase covers, of those that its learning rate spans."""

    first: int
    """Step of the run at which the phase begins."""
    steps: int
    """Steps of the phase."""
    spanned_from: int
    spanned: int
    """Where warm-up and schedule begin and over how many steps they go."""

    @property
    def end(self) -> int:
        """Step of the run at which the phase ends."""
        return self.first + self.steps


def spans(phases: Sequence[Phase]) -> list[Span]:
    """Spans of the phases. Every phase must know its steps."""
    counts = [phase.steps or 0 for phase in phases]
    total, first, result = sum(counts), 0, []
    for phase, steps in zip(phases, counts, strict=True):
        own = (first, steps) if phase.own_schedule else (0, total)
        result.append(Span(first, steps, *own))
        first += steps
    return result


def scales(phase: Phase, span: Span, step: int, new: Collection[str]) -> Mapping[str, float]:
    """Factors on the learning rate by tensor at `step` of the run, which lies in `phase`.

    Those of what is `new` rise linearly over the first `rewarm` steps of the phase, on top of a
    warm-up of all.
    """
    risen = (step - span.first + 1) / max(1, phase.rewarm)
    if risen >= 1:
        return phase.lr_scale
    return phase.lr_scale | {name: risen * phase.lr_scale.get(name, 1.0) for name in new}


def learning_rate(phase: Phase, span: Span, step: int) -> float:
    """Learning rate at `step` of the run, which lies in `phase`."""
    settings, warmup = phase.settings, known(warmup_of(phase))
    peak = settings.optimizer.lr
    schedule: LrSchedule = known(settings.lr_schedule)
    return peak * factor(schedule, step - span.spanned_from, span.spanned, warmup, peak)
