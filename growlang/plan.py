"""The plan: everything that the runtime reads, as one JSON document."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from growlang.mapping import Entry
from growlang.net import Net, digest
from growlang.spec import Evaluate, Phase, Sample, Start

FORMAT_VERSION = 1


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
    mapping: list[Entry] = []
    phases: list[Phase]
    sample: Sample
    evaluate: Evaluate | None = None

    @property
    def plan_hash(self) -> str:
        """SHA-256 over the spec, the parent's contents and the mapping."""
        weights = self.parent.weights_hash if self.parent else None
        mapping = [[e.name, e.category, e.source, e.rule] for e in self.mapping]
        return digest([self.spec_hash, self.recipe, weights, mapping])

    def child_net(self) -> Net:
        """The net that this run trains."""
        return Net.from_json(self.net)

    def parent_net(self) -> Net | None:
        """The parent's net, where there is a parent."""
        return Net.from_json(self.parent.net) if self.parent else None


__all__ = ["FORMAT_VERSION", "Entry", "ParentPlan", "Plan"]
