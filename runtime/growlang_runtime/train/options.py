"""What a run takes from its command line, and not from its spec."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from growlang.diagnostics import GrowlangError
from growlang_runtime.storage.aside import ASIDE
from growlang_runtime.storage.run import OUT

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=-]{0,99}")
"""What a run may be called."""
Resume = Literal["never", "must", "may"]
"""Whether the run that is to be trained is there already."""
LEAST = {
    "micro_batch": 1,
    "workers": 0,
    "checkpoint_every": 1,
    "keep_checkpoints": 1,
    "sample_every": 1,
    "validate_every": 1,
    "log_every": 1,
    "max_corrupt": 0,
}
"""The counts among the options, each with the least that it may be."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What belongs to the machine and to one call, and not to the spec. None of it is in a hash."""

    plan: Path | None = None
    """The file of a pinned plan that the run is held to, which `growlang plan -o` wrote."""
    data_root: Path | None = None
    """The folder that data and prompts are relative to; None: that of the plan's spec."""
    out: Path = OUT
    """The output root: the run is kept in `OUT/MODEL/RECIPE`, and so is its parent's."""
    name: str | None = None
    """The name of the run's folder in `OUT/MODEL`; None: that of the recipe."""
    fresh: bool = False
    """Whether to move the run that is there aside, and start anew."""
    from_run: Path | None = None
    """A checkpoint of another run to go on from, with its state and step: RUN[@STEP|@best]."""
    resume: Resume = "never"
    """What is expected of the run: it must not be there, it must, or it may."""
    parent_run: Path | None = None
    """What to take instead of the parent's run under the output root: RUN[@STEP|@best]."""
    accept_parent: bool = False
    """Whether to take a parent's run that was trained with a different version of its spec."""
    device: str = "auto"
    """Name of the PyTorch device, such as `cuda:1`; `auto`: CUDA, MPS or the CPU, whichever is
    there first. A run is resumed on what it began with."""
    threads: int | Literal["auto"] | None = None
    """Threads that compute; `auto`: as many as are fastest, which a few steps at the start tell;
    None: as PyTorch has them. A run is resumed with as many as it began with."""
    micro_batch: int | None = None
    """Images in one forward and backward pass of a process; None: all of its share of the batch."""
    activation_checkpointing: bool = False
    """Whether blocks keep only their inputs for the backward pass, which computes them again."""
    tf32: bool = False
    """Whether fp32 products on a CUDA device are rounded to TF32."""
    deterministic: bool = False
    """Whether kernels are chosen that give the same bits every time."""
    compile: bool = False
    """Whether the net's blocks are compiled (`torch.compile`), each by itself."""
    workers: int = 2
    """Threads that load images, in each process."""
    checkpoint_every: int = 1000
    """Steps between checkpoints; phases end with one in any case."""
    checkpoint_minutes: float = 5.0
    """Most minutes between checkpoints; 0: only steps count. They change nothing in the run."""
    keep_checkpoints: int = 2
    """Newest checkpoints that are kept, besides those at the ends of phases."""
    sample_every: int | None = None
    """Steps between sample grids; phases end with one in any case."""
    validate_every: int | None = None
    """Steps between validations; None: by what they cost. Phases end with one in any case."""
    log_every: int = 10
    """Steps between lines of metrics."""
    max_corrupt: int = 0
    """Unusable samples that the run may skip."""
    log: tuple[str, ...] | None = None
    """Boards besides TensorBoard: `wandb`, `mlflow`, whose packages are then needed."""
    quiet: bool = False
    """Whether to print nothing on stderr."""
    clock: Callable[[], float] = time.monotonic
    """Seconds, by which checkpoints are due and threads are chosen."""

    def __post_init__(self) -> None:
        """Raise GrowlangError for a value with which no run can go on."""
        if self.resume not in get_args(Resume):
            known = ", ".join(f'"{value}"' for value in get_args(Resume))
            raise GrowlangError(f"`resume` is {self.resume!r}", help=f"it may be {known}")
        if self.name is not None and (not NAME.fullmatch(self.name) or ASIDE.fullmatch(self.name)):
            raise GrowlangError(
                f"a run cannot have the name `{self.name}`",
                help="use letters, digits and . _ + = -, such as `--name lr=3e-4`; names that end "
                "in `.old-N` are those of runs that were moved aside",
            )
        if self.fresh and self.resume != "never":
            raise GrowlangError(
                "--fresh starts anew and --resume goes on with what is there",
                help="leave one of them out",
            )
        many = isinstance(self.threads, int) and self.threads >= 1
        if not (many or self.threads in ("auto", None)):
            raise GrowlangError(
                f"`threads` is {self.threads!r}",
                help='it may be an integer of at least 1, or "auto"',
            )
        if not self.checkpoint_minutes >= 0:
            what = f"`checkpoint_minutes` must be at least 0, but is {self.checkpoint_minutes!r}"
            raise GrowlangError(what)
        for name, least in LEAST.items():
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < least):
                what = f"`{name}` must be an integer of at least {least}, but is {value!r}"
                raise GrowlangError(what)
