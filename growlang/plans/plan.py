"""The plan: everything that the runtime reads, as one JSON document."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, GetPydanticSchema
from pydantic_core import core_schema

from growlang.growth.mapping import Entry, Mapping
from growlang.growth.mapping_json import from_json, to_json, transform_to_json
from growlang.growth.transforms import Compute, Expand, Stages
from growlang.net import Net, digest
from growlang.signatures.canonical import canonical
from growlang.spec.recipe import Evaluate, Phase, Sample, Start, Validation

FORMAT_VERSION = 2
"""1: version 0.1, whose mapping is rows with a rule. 2: entries have typed transforms."""
SEMANTICS = 2
"""How inputs are made of what a spec says.

1: version 0.1, and plans without the number. The orientation that EXIF states is ignored; the words
of captions are lower-cased. 2: images are turned as EXIF states; words are in NFC and case-folded.
A run keeps the number of its plan, and so do its weights.
"""
DRAWS = 3
"""How noise and first values are drawn: a run keeps the number of its plan.

1: version 0.1, and plans without the number: noise by numpy, on the CPU. 2: noise on the device
that trains. 3: the first values of tensors by `growlang.initial_values`; before, by PyTorch.
"""


def _mapping(value: object) -> Mapping:
    return value if isinstance(value, Mapping) else from_json(value)


_MAPPING = core_schema.no_info_plain_validator_function(
    _mapping, serialization=core_schema.plain_serializer_function_ser_schema(to_json)
)
"""Pydantic would look into the types of the transforms, which are read and written without it."""


class ParentRun(BaseModel):
    """What the parent's run, from whose weights a run starts, was trained with."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    path: str
    """Folder of the run."""
    spec_hash: str
    params: dict[str, Any] = {}
    """Values of params that were set from outside."""
    objective: dict[str, Any]
    """The objective of its last phase."""
    run_hash: str
    weights: str | None = None
    """The checkpoint whose weights they are; None where they are the finished ones."""
    accepted: list[str] = []
    """What differs from the parent's spec, where `--accept-parent` accepted it."""


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
    declared: dict[str, Any] | None = None
    """What the parent's spec says that its run computes: `Plan.lineage` of the parent's recipe."""
    run: ParentRun | None = None
    """The parent's run, once a run has read its plan."""


class Branch(BaseModel):
    """The checkpoint of another run that a run goes on from: state, averages and step."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    run: str
    """Folder of the run, or of the checkpoint where it lies in none."""
    step: int
    sha256: str
    """Of the file with its tensors."""
    run_hash: str = ""
    """What that run computed; empty where the checkpoint does not say."""

    def __str__(self) -> str:
        return f"{self.run}@{self.step}"


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
    mapping: Annotated[Mapping, GetPydanticSchema(lambda *_: _MAPPING)] = Mapping()
    phases: list[Phase]
    sample: Sample
    evaluate: Evaluate | None = None
    validation: Validation | None = None
    semantics: int = 1
    """How inputs are made: `SEMANTICS` at the time the plan was made."""
    draws: int = 1
    """How noise and first values are drawn: `DRAWS` at the time the plan was made."""
    data: dict[str, str] | None = None
    """Identity of each source of data, once a run has read its index; None in plans of 0.1."""
    branch: Branch | None = None
    """Where the run went on from another one, whose steps up to there are not its own."""

    @property
    def declared(self) -> dict[str, Any]:
        """What the spec says that this run computes: net, mapping, start and phases.

        Nothing of it depends on files that the spec does not name, on other recipes, on `sample` or
        on `evaluate`.
        """
        mapping = [hashed(entry) for entry in self.mapping]
        start = canonical(self.start)
        return {
            "net_hash": self.net_hash,
            "mapping_hash": digest(sorted(mapping, key=str)),
            "start": {name: start[name] for name in start if name not in ("recipe", "path")},
            "phases": {phase.name: _phase(phase) for phase in self.phases},
        }

    def __repr__(self) -> str:
        phases = ", ".join(phase.name for phase in self.phases)
        start = self.parent.model if self.parent else self.start.origin
        return f"Plan({self.model}, recipe {self.recipe}: {phases}; start: {start})"

    __str__ = __repr__

    @property
    def lineage(self) -> dict[str, Any]:
        """`declared`, and that of the parent, its parent and so on, as their specs said it."""
        parent = self.parent.declared if self.parent else None
        return self.declared | ({"parent": parent} if parent else {})

    @property
    def run_hash(self) -> str:
        """SHA-256 of what the run computes: `declared`, the data's and the parent's identity, and
        the state that it went on from.

        What a resumed run must have in common with the one that was interrupted.
        """
        phases = list(self.declared["phases"].items())  # their order counts
        run = self.parent.run if self.parent else None
        found: list[object] = [self.data, self.start_weights_hash, run.run_hash if run else None]
        if self.branch is not None:
            found += [self.branch.run_hash, self.branch.step, self.branch.sha256]
        return digest([self.declared | {"phases": phases}, *found])

    @property
    def plan_hash(self) -> str:
        """SHA-256 over the spec, the contents of the start weights and the mapping."""
        weights = self.start_weights_hash
        mapping = [hashed(entry) for entry in self.mapping]
        return digest([self.spec_hash, self.recipe, weights, mapping])

    @property
    def steps(self) -> int | None:
        """Steps of all phases; None where they depend on data that was not opened yet."""
        known = [phase.steps for phase in self.phases if phase.steps is not None]
        return sum(known) if len(known) == len(self.phases) else None

    def as_recorded(self, recorded: Plan) -> Plan:
        """This plan with what a run of it found outside of the spec: data, weights, other runs.

        It is read once, when a run begins. `recorded` is the plan that the run left.
        """
        found = {
            "semantics": recorded.semantics,
            "draws": recorded.draws,
            "data": recorded.data,
            "branch": recorded.branch,
        }
        plan = self.model_copy(update=found).starting_from(recorded.start_weights_hash)
        if plan.parent is None or recorded.parent is None:
            return plan
        parent = plan.parent.model_copy(update={"run": recorded.parent.run})
        return plan.model_copy(update={"parent": parent})

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


def hashed(entry: Entry) -> list[Any]:
    """What of an entry of a mapping is in the hashes: the row of 0.1, and what that cannot say."""
    row: list[Any] = [entry.name, entry.category, entry.source, entry.rule]
    expands = isinstance(entry.transform, Expand | Stages | Compute)
    return [*row, transform_to_json(entry.transform)] if expands else row


def _phase(phase: Phase) -> dict[str, Any]:
    """What a phase says. How many steps epochs are depends on the data; factors are ordered.

    What was chosen for `auto` depends on those steps, so `auto` stands for it.
    """
    said: dict[str, Any] = canonical(phase)
    said["settings"] |= dict.fromkeys(said.pop("auto", []), "auto")
    said["lr_scale"] = list(said["lr_scale"].items())
    said.pop("warmup_steps", None)
    if phase.epochs is not None:
        said["steps"] = None
    return said
