"""Plans that several processes train in the tests, and that one trains beside them."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tiny import CORE, net, phase, plan, settings

from growlang.net import Net
from growlang.plans.plan import Plan
from growlang.spec.data import Source, WebDataset
from growlang.spec.optimizers import AdamW, Muon
from growlang.spec.recipe import Start, Validation
from growlang_runtime.train import validation

PHASES = [
    phase("first", 3, frozen=CORE, optimizer=AdamW(lr=1e-3)),
    phase("second", 3, batch=5, optimizer=AdamW(lr=1e-3)),
    phase("third", 2, frozen=CORE[:3], optimizer=AdamW(lr=1e-3)),
]
GROWN = [phase("small", 1, batch=1)]
"""A batch that two processes cannot share."""


def scene() -> Net:
    return net(dropout=0.2)


def parent() -> Plan:
    return plan([phase(steps=3)], recipe="parent")


def grown() -> Plan:
    """A child that keeps its core frozen at first, trained by Muon with the parent's moments."""
    muon = Muon(lr=1e-3, rest=AdamW(lr=1e-3))
    phases = [phase("frozen", 2, frozen=CORE, optimizer=muon), phase("joint", 3, optimizer=muon)]
    start = Start(origin="parent", ema=False, moments="carry")
    return plan(phases, net("grown", residuals=2), parent(), start=start)


@contextmanager
def few_draws() -> Iterator[None]:
    """Validate on as many draws as there are noise levels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validation, "DRAWS", 8)
        yield


_APART = Source(name="apart", data=WebDataset(urls="data.tar", image="png"))
WATCHED = plan(
    [phase(steps=4, ema=0.5, optimizer=AdamW(lr=1e-3))],
    validation=Validation(data=[_APART], transform=settings().transform),
)
