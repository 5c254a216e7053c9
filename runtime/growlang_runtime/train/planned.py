"""What a run of a plan would find outside of its spec: data, weights and the parent's run."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from growlang.diagnostics import GrowlangError
from growlang.plans.pins import DataPin, ShardPin, WeightsPin
from growlang.plans.plan import Plan
from growlang.plans.weights_header import MODEL, PLAN, are_weights
from growlang.spec.data import Source
from growlang_runtime.data.corrupt import Budget
from growlang_runtime.data.images import Indexes
from growlang_runtime.data.index import Index
from growlang_runtime.storage.place import steps_of
from growlang_runtime.train.batches import identities, indexes_of, open_data
from growlang_runtime.train.options import RunOptions
from growlang_runtime.train.parents import with_parent_run
from growlang_runtime.train.start import parent_run, start_weights, with_weights_hash


class Observed(NamedTuple):
    """A plan with what it found, in the terms in which it is pinned."""

    plan: Plan
    weights: WeightsPin | None
    data: tuple[DataPin, ...]
    unread: GrowlangError | None = None
    """Why the data could not be read."""
    refused: GrowlangError | None = None
    """Why the weights could not."""
    remark: str = ""
    """What is to be said of the weights."""


def observed(plan: Plan, options: RunOptions, *, weights: bool = True) -> Observed:
    """Open the data of a plan and read the weights that it starts from, as a run does.

    Of a parent that is not trained yet, the place of its run is given. Without `weights` these are
    not read.
    """
    unread, refused, data = None, None, tuple[DataPin, ...]()
    try:
        plan, data = _with_data(plan, options)
    except GrowlangError as error:
        unread = error
    pin, remark = None, ""
    if weights and plan.start.origin != "scratch":
        plan, pin, refused, remark = _with_weights(plan, options)
    return Observed(plan, pin, data, unread, refused, remark)


def data_root_of(plan: Plan, options: RunOptions) -> Path:
    """The folder that the data of a plan is relative to."""
    return options.data_root or Path(plan.spec).parent


def _with_data(plan: Plan, options: RunOptions) -> tuple[Plan, tuple[DataPin, ...]]:
    net, root = plan.child_net(), data_root_of(plan, options)
    indexes = indexes_of(plan, net, root)
    opened = open_data(plan.phases, net, indexes, Budget(options.max_corrupt, root), plan.draws)
    known = {"phases": [part.phase for part in opened], "data": identities(opened)}
    pin = _pin_of_texts if net.of_tokens else _pin
    pins = tuple(pin(source, indexes, root) for source in _sources(plan))
    return plan.model_copy(update=known), pins


def _sources(plan: Plan) -> Iterator[Source]:
    """The sources that a run reads, each once."""
    held_out = plan.validation.data if plan.validation else []
    several = [*(s for phase in plan.phases for s in phase.settings.data), *held_out]
    yield from {(s.name, s.data.model_dump_json()): s for s in several}.values()


def _pin(source: Source, indexes: Indexes, root: Path) -> DataPin:
    index = indexes.of(source)
    shards = tuple(_shards(index, root)) if type(index) is Index else ()
    return DataPin(name=source.name, identity=index.identity, samples=len(index), shards=shards)


def _pin_of_texts(source: Source, indexes: Indexes, root: Path) -> DataPin:
    """A source of texts by its files; samples are texts, long ones in pieces."""
    corpus = indexes.corpus(source)
    shards = tuple(
        ShardPin(
            name=_relative(file.path, root),
            bytes=file.path.stat().st_size,
            samples=len(file.lengths),
            sha256=file.sha256,
        )
        for file in corpus.files
        if file.path.is_file()
    )
    samples = sum(len(file.lengths) for file in corpus.files)
    return DataPin(name=source.name, identity=corpus.identity, samples=samples, shards=shards)


def _relative(path: Path, root: Path) -> str:
    return os.path.relpath(path, root).replace(os.sep, "/")


def _shards(index: Index, root: Path) -> Iterator[ShardPin]:
    """The shards of an index, whose rows are in the order of the shards."""
    numbers = index.rows["shard"]
    starts = np.searchsorted(numbers, np.arange(len(index.shards) + 1))
    columns = [n for n in index.rows.dtype.names or () if n not in ("shard", "key")]
    for shard, first, end in zip(index.shards, starts, starts[1:], strict=False):
        rows = index.rows[first:end]
        found = hashlib.sha256(b"\0".join(rows["key"].tolist()))  # as long as in no other shard
        for name in columns:
            found.update(np.ascontiguousarray(rows[name]).data)
        yield ShardPin(
            name=_relative(shard, root),
            bytes=shard.stat().st_size,
            samples=int(end - first),
            sha256=found.hexdigest(),
        )


def _with_weights(
    plan: Plan, options: RunOptions
) -> tuple[Plan, WeightsPin | None, GrowlangError | None, str]:
    """The plan that knows the weights that it starts from, and why it cannot start from them."""
    pin, remark = None, ""
    try:
        if plan.start.origin == "parent":
            place = parent_run(plan, options.out, options.parent_run).path
            if not _is_trained(place):
                return plan, WeightsPin(path=str(place)), None, ""
        found = start_weights(plan, options.out, data_root_of(plan, options), options.parent_run)
        assert found is not None
        remark = "; ".join(said for said in (found.found, found.remark) if said)
        plan = with_weights_hash(plan, found)
        pin = WeightsPin(path=str(found.path), sha256=plan.start_weights_hash, step=found.step)
        return with_parent_run(plan, found, options.accept_parent), pin, None, remark
    except GrowlangError as error:
        return plan, pin, error, remark


def _is_trained(place: Path) -> bool:
    """Whether there are weights at the place of a run; what is no run's folder is taken to be."""
    if not place.is_dir():
        return place.exists() and are_weights(place)
    return (place / MODEL).exists() or bool(steps_of(place)) or not (place / PLAN).exists()
