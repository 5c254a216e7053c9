"""The metric `held_out_loss`: the validation of a run, of weights that are stored."""

from __future__ import annotations

import sys

from growlang.spec.metrics import HeldOutLoss
from growlang.torch_backend.lower import lower
from growlang_runtime.conditioning.conditioner import Conditioner
from growlang_runtime.data.corrupt import Budget
from growlang_runtime.evaluation.needed import require_held_out
from growlang_runtime.evaluation.subject import Measured, Subject
from growlang_runtime.train.batches import indexes_of
from growlang_runtime.train.validation import DRAWS, LEVELS, Validation


def held_out_loss(metric: HeldOutLoss, subject: Subject) -> Measured:
    """The mean loss and that of each noise level, at the draws that training validates on.

    Raises GrowlangError if the recipe holds nothing out.
    """
    plan, net, device = subject.plan, subject.weights.net, subject.device
    require_held_out(plan, metric.call)
    conditioner = Conditioner(net, semantics=plan.semantics, device=device)
    budget = Budget(sys.maxsize, subject.data_root)
    indexes = indexes_of(plan, net, subject.data_root, device)
    validation = Validation(plan, net, conditioner, indexes, budget)
    module = lower(net, device)
    module.load_state_dict(subject.weights.tensors)
    averages = {name: tensor.to(device) for name, tensor in subject.weights.tensors.items()}
    losses = validation.measure(module, averages, device, subject.batch)
    levels = [
        {"t": level.t, "log_snr": level.log_snr, "loss": level.averaged} for level in losses.levels
    ]
    settings = plan.phases[0].settings
    protocol = {
        "objective": validation.settings.objective.model_dump(mode="json"),
        "draws": DRAWS,
        "levels": LEVELS,
        "precision": settings.precision,
        "held_out_sha256": validation.identity,
        "dropout": False,
    }
    return Measured(losses.averaged, details={"levels": levels}, protocol=protocol)
