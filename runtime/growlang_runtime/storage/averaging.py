"""Averages of the weights at widths that no run kept, made of the checkpoints of one that did.

A power-function average is a sum of the weights of all steps, each by its share: the profile. That
of another width is put together from the averages in all checkpoints of a run, by the coefficients
whose profile is the nearest in least squares (Karras et al. 2024, arXiv 2312.02696, section 3.2 and
appendix C). Profiles are those of the runtime's own updates, step by step, and coefficients have
the sum 1, which the paper leaves to the fit: what the weights have in common at all steps stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.plans.fit import averages_in
from growlang.plans.weights_header import CHECKPOINTS, RECORD, checkpoints_of
from growlang.spec.averages import Power, averages_of
from growlang.torch_backend.tensor_files import write_tensors
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.checkpoint import Checkpoint, TornCheckpoint
from growlang_runtime.storage.files import require_place, saved
from growlang_runtime.storage.place import located
from growlang_runtime.storage.run import recorded_plan
from growlang_runtime.storage.weights import Weights, load

NEAR = 0.05
"""Distance from the asked profile, as a share of its length, above which a user is warned."""
FULL = "free disk space, or choose another path with --output"


class Profile(NamedTuple):
    """A power-function average: the exponent, and how many updates it had."""

    gamma: float
    updates: int


class Averaged(NamedTuple):
    """What was written, and how near it is to what a run would have kept."""

    path: Path
    step: int
    snapshots: int
    """Averages that it was made of: so many of each checkpoint as the recipe keeps."""
    distance: float
    """Between its profile and the asked one, as a share of the asked one's length."""

    @property
    def told(self) -> list[str]:
        """What it was made of, and how near it is, a line each."""
        lines = [
            f"step {self.step:,}, of {self.snapshots:,} averages; its profile differs from that of "
            f"`power` by {self.distance:.2g} of its length"
        ]
        if self.distance > NEAR:
            lines.append(
                "warning: that is far: keep more checkpoints (--checkpoint-every, "
                "--keep-checkpoints), or two widths, `ema = [power(0.05), power(0.1)]`"
            )
        return lines


def average(run: Path, width: float, output: Path, *, force: bool = False) -> Averaged:
    """Write the average of a width at the end of a run, or of RUN@STEP, as a file of weights.

    It is made of all valid checkpoints up to that step. `width` is the `sigma_rel` of `power`.
    Raises GrowlangError if the width is out of range, if the recipe keeps no power-function
    average, or another one in some phase, if entries of tensors came later than others, or if the
    place cannot be written.
    """
    target = _target(width)
    _require_place(output, force)
    known = located(run)
    folder = known.parent.parent if (known / RECORD).exists() else known
    powers = _powers(folder)
    found = _checkpoints(folder, known if known != folder else None)
    updates = {name: [one.record.counts.ema[name] for one in found] for name in _counted(found)}
    by_times = defaultdict[tuple[int, ...], list[str]](list)
    for name, counts in updates.items():
        by_times[tuple(counts)].append(name)
    shares: dict[str, list[float]] = {}
    distances = [0.0]
    for times, names in by_times.items():
        stored = [Profile(p.gamma, t) for t in times for p in powers.values()]
        share, distance = coefficients(stored, Profile(target.gamma, times[-1]))
        shares |= dict.fromkeys(names, share)
        distances.append(distance)
    last = load(found[-1].path)
    tensors = _summed(found, list(powers), shares)
    done = Weights(output, last.net, tensors, last.metadata, found[-1].step)
    with saved(output, FULL) as temporary:
        write_tensors(temporary, done.tensors, done.metadata)
    return Averaged(output, found[-1].step, len(found) * len(powers), max(distances))


def coefficients(stored: Sequence[Profile], wanted: Profile) -> tuple[list[float], float]:
    """The factors, of sum 1, of stored averages whose sum is nearest to another, and how far it is.

    The distance is a share of the wanted profile's length. Those that had no update yet get 0.
    """
    used = [at for at, one in enumerate(stored) if one.updates]
    gammas = sorted({one.gamma for one in (*stored, wanted)})
    times = sorted({one.updates for one in (*stored, wanted)})
    inner = _inner_products(gammas, times)

    def product(one: Profile, other: Profile) -> float:
        first, second = sorted((one, other), key=lambda p: p.updates)
        ratio = first.updates / second.updates
        return float(
            inner[first.updates][gammas.index(first.gamma), gammas.index(second.gamma)]
            * ratio ** (second.gamma + 1)
        )

    matrix = np.array([[product(stored[a], stored[b]) for b in used] for a in used])
    vector = np.array([product(stored[a], wanted) for a in used])
    length = product(wanted, wanted)
    if not used:
        return [1.0 / len(stored)] * len(stored), 0.0
    found = _nearest(matrix, vector)
    left = length - 2 * found @ vector + found @ matrix @ found
    shares = [0.0] * len(stored)
    for at, share in zip(used, found, strict=True):
        shares[at] = float(share)
    return shares, float(np.sqrt(max(left, 0.0) / length))


def _nearest(matrix: NDArray[np.float64], vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coefficients of sum 1 of least squares, by inner products of profiles and with the wanted.

    The last profile, and what the differences of the others from it add.
    """
    last, own, corner = matrix[:-1, -1], matrix[:-1, :-1], matrix[-1, -1]
    differences = own - last[:, None] - last[None, :] + corner
    wanted = vector[:-1] - last - vector[-1] + corner
    others = np.linalg.lstsq(differences, wanted, rcond=None)[0]
    return np.append(others, 1 - others.sum())


def _inner_products(
    gammas: Sequence[float], times: Sequence[int]
) -> dict[int, NDArray[np.float64]]:
    """Of profiles of all pairs of exponents that end at the same update, by that update.

    The share of update t in an average of T updates is (t^g - (t - 1)^g) / T^g with g = gamma + 1;
    it is brought from one T to the next, so that no power overflows.
    """
    exponents = np.array(gammas) + 1
    both = exponents[:, None] + exponents[None, :]
    found: dict[int, NDArray[np.float64]] = {}
    product = np.zeros_like(both)
    wanted = set(times)
    for t in range(1, max(times) + 1):
        kept = 1 - 1 / t
        own = 1 - kept**exponents
        product = product * kept**both + own[:, None] * own[None, :]
        if t in wanted:
            found[t] = product
    return found


def _summed(
    found: Sequence[Checkpoint], numbers: Sequence[int], shares: dict[str, list[float]]
) -> dict[str, Tensor]:
    """The sums of the averages by their factors, in float64, one checkpoint after the other."""
    sums: dict[str, Tensor] = {}
    for place, one in enumerate(found):
        prefixes = averages_in(one.names)
        for at, number in enumerate(numbers):
            for name, tensor in one.tensors(prefixes[number]).items():
                share = shares[name][place * len(numbers) + at]
                term = tensor.double() * share
                sums[name] = sums[name] + term if name in sums else term
    return {name: tensor.to(torch.float32) for name, tensor in sums.items()}


def _target(width: float) -> Power:
    if not 0 < width <= 0.25:
        raise GrowlangError(
            f"the width must be above 0 and at most 0.25, not {width:g}",
            help="it is the standard deviation of the average's profile, as a share of the steps, "
            "as in `ema = power(0.1)`",
        )
    return Power(sigma_rel=width)


def _require_place(output: Path, force: bool) -> None:
    require_place(output, "--output")
    if output.suffix != ".safetensors":
        raise GrowlangError(
            f"{output} does not end in .safetensors",
            help=f"write --output {output.with_suffix('.safetensors')}",
        )
    if output.exists() and not (force and output.is_file()):
        raise GrowlangError(
            f"{output} exists", help="choose another path with --output, or overwrite with --force"
        )


def _powers(run: Path) -> dict[int, Power]:
    """The power-function averages of a run's recipe by their numbers."""
    said = [averages_of(phase.settings.ema) for phase in recorded_plan(run).phases]
    found = {n: one for n, one in enumerate(said[0]) if isinstance(one, Power)}
    if not found:
        raise GrowlangError(
            f"{run} keeps no power-function average, of which others could be made",
            help="train with `ema = [power(0.05), power(0.1)]`",
        )
    if any(other != said[0] for other in said):
        raise GrowlangError(
            f"{run} keeps other averages in some phases than in others",
            help="set `ema` once, for the whole recipe",
        )
    return found


def _checkpoints(run: Path, until: Path | None) -> list[Checkpoint]:
    """The valid checkpoints of a run up to one of them, the first first."""
    found = []
    for path in checkpoints_of(run / CHECKPOINTS):
        if until is None or path.name <= until.name:
            try:
                found.append(checkpoint.read(path))
            except TornCheckpoint as torn:
                if path == until:
                    raise GrowlangError(f"the checkpoint {path} is damaged: {torn}") from torn
    if not found or (until is not None and found[-1].path != until):
        raise GrowlangError(
            f"{run} has no checkpoint to make an average of",
            help="name a run, or RUN@STEP of one of its checkpoints; keep them with "
            "--keep-checkpoints N",
        )
    return found


def _counted(found: Sequence[Checkpoint]) -> list[str]:
    """The names of the averages. Raises GrowlangError if parts of them have counts of their own."""
    grown = next((n for n in found[-1].names if n.startswith(("grown.born.", "grown.ema."))), None)
    if grown:
        name = grown.split(".", 2)[2]
        raise GrowlangError(
            f"entries of `{name}` came later than others: each would have a profile of its own",
            help="train with `moments = reset`, or use an average that the run kept: --ema 1",
        )
    return list(found[-1].record.counts.ema)
