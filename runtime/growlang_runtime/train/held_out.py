"""The metrics `held_out_loss` and `accuracy`: the validation of a run, of stored weights."""

from __future__ import annotations

import sys
from typing import Any

from growlang.diagnostics import GrowlangError
from growlang.spec.metrics import Accuracy, HeldOutLoss, Metric
from growlang.torch_backend.lower import lower
from growlang_runtime.conditioning.conditioner import Conditioner
from growlang_runtime.data.corrupt import Budget
from growlang_runtime.evaluation.needed import require_held_out
from growlang_runtime.evaluation.subject import Measured, Subject
from growlang_runtime.train.batches import indexes_of
from growlang_runtime.train.validation import CLASSIFIED, LEVELS, Losses, Validation


def held_out_loss(metric: HeldOutLoss, subject: Subject) -> Measured:
    """The mean loss and that of each noise level, at the draws that training validates on.

    Raises GrowlangError if the recipe holds nothing out.
    """
    losses, protocol = _measured(metric, subject)
    levels = [
        {"t": level.t, "log_snr": level.log_snr, "loss": level.averaged} for level in losses.levels
    ]
    return Measured(losses.averaged, details={"levels": levels}, protocol=protocol)


def accuracy(metric: Accuracy, subject: Subject) -> Measured:
    """The share of all held-out images whose class is the likeliest.

    Raises GrowlangError if the recipe holds nothing out, and for a model that predicts no label.
    """
    if not subject.weights.net.predicts:
        raise GrowlangError(
            f"`accuracy` is of models that predict a label, and {subject.weights.path} is not one",
            help="leave it out, or measure `held_out_loss`",
        )
    losses, protocol = _measured(metric, subject, most=sys.maxsize)
    details = {**losses.scores, "loss": losses.averaged}
    return Measured(details.pop("accuracy"), details=details, protocol=protocol)


def _measured(
    metric: Metric, subject: Subject, most: int = CLASSIFIED
) -> tuple[Losses, dict[str, Any]]:
    """The losses and how they were measured; of a model that classifies at `most` images."""
    plan, net, device = subject.plan, subject.weights.net, subject.device
    require_held_out(plan, metric.call)
    conditioner = Conditioner(net, semantics=plan.semantics, device=device)
    budget = Budget(sys.maxsize, subject.data_root)
    indexes = indexes_of(plan, net, subject.data_root, device)
    validation = Validation(plan, net, conditioner, indexes, budget, most)
    module = lower(net, device)
    module.load_state_dict(subject.weights.tensors)
    averages = {name: tensor.to(device) for name, tensor in subject.weights.tensors.items()}
    losses = validation.measure(module, averages, device, subject.batch)
    settings = plan.phases[0].settings
    levels = {"levels": LEVELS} if validation.settings.objective.has_noise else {}
    protocol = {
        "objective": validation.settings.objective.model_dump(mode="json"),
        "draws": validation.draws,
        **levels,
        "precision": settings.precision,
        "held_out_sha256": validation.identity,
        "dropout": False,
    }
    return losses, protocol
