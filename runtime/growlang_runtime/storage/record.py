"""What a checkpoint records beside its tensors, in `state.json`."""

from __future__ import annotations

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from growlang.plans.plan import Branch


class _Recorded(BaseModel):
    model_config = ConfigDict(frozen=True)


class Counts(_Recorded):
    """Updates so far, by the tensor's name."""

    ema: dict[str, int]
    """Of its average."""
    optimizer: dict[str, int]
    """By the optimizer."""


class CaptionCounts(_Recorded):
    """What a condition read of the captions of all steps so far."""

    captions: int = 0
    cut: int = 0
    """Captions that were longer than it reads."""
    wordless: int = 0
    """Captions without a word."""


class Environment(_Recorded):
    """What a run computes with, besides its plan; None where an older version did not say."""

    torch: str | None = None
    processor: str | None = None
    device: str | None = None
    threads: int | None = None
    micro_batch: int | None = None
    """Images in one forward and backward pass; None too if it is the whole batch."""
    processes: int = 1
    tf32: bool = False
    """Whether fp32 products are rounded to TF32."""
    deterministic: bool = False
    """Whether kernels are chosen that give the same bits every time."""
    compile: bool = False
    """Whether blocks are compiled."""
    decoder: str | None = None
    """What decodes JPEGs and its version, such as `simplejpeg 1.9.0`; None if it is Pillow."""


class Validated(_Recorded):
    """What validation found of the weights of a checkpoint."""

    averaged: float
    """Mean loss of the averaged weights."""
    plain: float
    """Mean loss of the weights themselves."""
    identity: str
    """A hash of what was measured: losses of one identity can be compared."""


class Record(_Recorded):
    """Where a run was when its state was saved. What 0.1 did not record has a default."""

    step: int
    """Steps of the run that were done."""
    phase: str
    counts: Counts
    nonfinite: int
    """Steps in a row that were skipped up to this one."""
    skipped: int = 0
    """Steps that were skipped in all."""
    frozen: dict[str, str]
    """SHA-256 of each tensor that is frozen in the phase."""
    images: list[int] = Field(validation_alias=AliasChoices("images", "pictures"))
    """Images of each phase; `pictures` in 0.1."""
    corrupt: list[str] = []
    """Samples that were reported as unusable."""
    environment: Environment
    readings: dict[str, CaptionCounts] = {}
    """By the condition."""
    validation: Validated | None = None
    """Of the best weights so far: in `checkpoints/best` alone."""
    branch: Branch | None = None
    """The checkpoint of another run that this one went on from."""


class FileSum(_Recorded):
    """What tells whether a file is whole."""

    bytes: int
    sha256: str
