"""Stochastic gradient descent with momentum, also of tensors that grew."""

from __future__ import annotations

from growlang.spec.optimizers import SGD
from growlang_runtime.train.update import Given, Updated


def update(settings: SGD, given: Given) -> Updated:
    """The update of a tensor, as of torch.optim.SGD.

    What growth made of a tensor multiplies its gradient by one factor and its steps by another, so
    that the net that grew by copies goes on as the one that it grew from.
    """
    gradient, moments = given.decayed, {}
    if settings.momentum:
        velocity = given.moments["velocity"] * settings.momentum + gradient
        moments["velocity"] = velocity
        gradient = gradient + settings.momentum * velocity if settings.nesterov else velocity
    return Updated(given.weight - given.lr * given.rate * gradient, moments)
