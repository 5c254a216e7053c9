"""What a net reads in training, of the first images of its data."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from growlang.plans.plan import Plan
from growlang_runtime.conditioning.conditioner import Conditioner
from growlang_runtime.diffusion.objective import objective_of
from growlang_runtime.train.batches import indexes_of, open_data, step_batch


def real_inputs(plan: Plan, data_root: Path, count: int) -> dict[str, Tensor]:
    """The inputs of a plan's net by name, (count, ...) on the CPU: noisy images, their levels.

    Of a model of tokens they are sequences.

    Images, noise, levels and conditions are those of the first draws of the first phase; the
    noise level's inputs are float64. Raises GrowlangError if the data cannot be opened, and if its
    first image cannot be read.
    """
    net = plan.child_net()
    indexes = indexes_of(plan, net, data_root)
    first = open_data(plan.phases[:1], net, indexes, noise=plan.draws)[0]
    draws = range(first.first_draw, first.first_draw + count)
    conditioner = Conditioner(net, semantics=plan.semantics)
    batch = step_batch(first, conditioner, draws, first.images.batch(draws))
    if net.of_tokens:
        return {i.name: batch.x[:, :-1] for i in net.inputs}
    if net.predicts:
        plain = {"image": batch.x, **batch.conditions}
        return {i.name: plain[i.name] for i in net.inputs}
    objective = objective_of(first.phase.settings.objective, net)
    t = objective.trained_at(batch.t)
    named = {
        "image": objective.noisy(batch.x, batch.noise.on(batch.x.device), t),
        "log_snr": objective.embedded(t),
        "level": objective.log_snr(t),
        **batch.conditions,
    }
    return {i.name: named[i.name] for i in net.inputs}
