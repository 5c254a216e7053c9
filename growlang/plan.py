"""The plan: everything that the runtime reads, as one JSON document."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from growlang.mapping import Entry
from growlang.net import Net, digest
from growlang.spec import Evaluate, Phase, Sample, Start

FORMAT_VERSION = 1
SEMANTICS = 2


class ParentPlan(BaseModel):
    """The parent whose weights a run starts from."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    spec: str
    """Path of the parent's spec file."""
    model: str
    recipe: str
    net: dict[str, Any]
    net_hash: str
    spec_hash: str
    weights_hash: str | None = None
    """SHA-256 of the contents of the parent's weights, once a run has read them."""


class Plan(BaseModel):
    """One run, wholly decided: net, parent, mapping, schedule, settings and hashes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    format_version: int = FORMAT_VERSION
    spec: str
    """Path of the spec file."""
    source: str
    """Text of the spec file."""
    params: dict[str, Any] = {}
    """Values of params that were set from outside."""
    model: str
    recipe: str
    net: dict[str, Any]
    net_hash: str
    spec_hash: str
    parent: ParentPlan | None = None
    start: Start
    weights_hash: str | None = None
    """As the parent's, of a model without a parent that starts from a path."""
    mapping: list[Entry] = []
    phases: list[Phase]
    sample: Sample
    evaluate: Evaluate | None = None

    @property
    def plan_hash(self) -> str:
        """SHA-256 over the spec, the contents of the start weights and the mapping."""
        weights = self.start_weights_hash
        mapping = [[e.name, e.category, e.source, e.rule] for e in self.mapping]
        return digest([self.spec_hash, self.recipe, weights, mapping])

    @property
    def start_weights_hash(self) -> str | None:
        """SHA-256 of the contents of the weights that it starts from, once a run has read them."""
        return self.parent.weights_hash if self.parent else self.weights_hash

    def starting_from(self, weights_hash: str | None) -> Plan:
        """This plan with the hash of the contents of the weights that it starts from."""
        if self.parent is None:
            return self.model_copy(update={"weights_hash": weights_hash})
        parent = self.parent.model_copy(update={"weights_hash": weights_hash})
        return self.model_copy(update={"parent": parent})

    def child_net(self) -> Net:
        """The net that this run trains."""
        return Net.from_json(self.net)

    def parent_net(self) -> Net | None:
        """The parent's net, where there is a parent."""
        return Net.from_json(self.parent.net) if self.parent else None


__all__ = ["FORMAT_VERSION", "Entry", "ParentPlan", "Plan"]
