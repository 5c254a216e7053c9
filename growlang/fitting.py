"""Whether a recipe fits the memory of its devices, and the nearest setting with which it does."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from growlang.checking import Checked
from growlang.diagnostics import Diagnostic, GrowlangError
from growlang.growth.bridging import bridged
from growlang.growth.learning import has_moments
from growlang.planning import recipe_of
from growlang.plans.encoders import encoders_of
from growlang.plans.memory import Fading, PhaseMemory, Setting, phases_memory
from growlang.tables.shown import Shown

if TYPE_CHECKING:
    from rich.console import Console

USABLE = 0.95
"""The share of a device's memory that tensors may take: the rest is CUDA's own, the buffers of
NCCL, and what lies idle between tensors."""
MOST_DEVICES = 4096
PER_MACHINE = 8
"""Devices of one machine in a command for several."""
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12} | {
    "ki": 2**10,
    "mi": 2**20,
    "gi": 2**30,
    "ti": 2**40,
}
PARTS = (
    *("weights", "ema", "moments", "gradients", "copies", "activations", "gathered"),
    *("inputs", "encoders"),
)
"""What `PhaseMemory` counts, in the order of the table."""
TITLES = {"ema": "EMA", "copies": "bf16 copies", "encoders": "text encoders"}


@dataclass(frozen=True, repr=False)
class Memory(Shown):
    """What each device holds in the phases of a recipe. Its text is the table of `compile`."""

    spec: Checked
    recipe: str
    setting: Setting
    limit: int | None = None
    """Bytes of one device; None where they are not given."""

    def __repr__(self) -> str:
        from growlang.tables.parts import size

        most = max(phase.peak for phase in self.phases)
        return f"Memory({self.setting.devices} devices, {size(most)} on each)"

    @cached_property
    def phases(self) -> tuple[PhaseMemory, ...]:
        """What the fullest device holds in each phase, in bytes."""
        spec, recipe = self.spec, recipe_of(self.spec, self.recipe)
        carried = [
            e.name
            for e in (spec.mapping or ())
            if recipe.start.moments == "carry" and e.source and has_moments(e.transform)
        ]
        phases = spec.phases(self.recipe)
        encoders = encoders_of(spec.net.encoders).bytes
        fade = fading(spec, self.recipe)
        return tuple(
            phases_memory(
                spec.net, phases, self.setting, carried=carried, fading=fade, encoders=encoders
            )
        )

    @property
    def fits(self) -> bool:
        """Whether every phase fits; without a limit all do."""
        return not self._excess()

    def _excess(self) -> list[int]:
        """The numbers of the phases that do not fit."""
        usable = USABLE * self.limit if self.limit is not None else float("inf")
        return [n for n, phase in enumerate(self.phases) if phase.peak > usable]

    @cached_property
    def nearest(self) -> Memory | None:
        """The nearest setting that fits: the same where it does, None where there is none.

        A smaller micro-batch comes first, then activation checkpointing, then more devices.
        """
        if self.fits:
            return self
        fewest = min(phase.batch for phase in self.phases)
        settings = _nearer(self.setting, fewest)
        found = (replace(self, setting=setting) for setting in settings)
        return next((memory for memory in found if memory.fits), None)

    @property
    def finding(self) -> Diagnostic | None:
        """What is wrong where a phase does not fit, with the command of what does."""
        from growlang.tables.parts import size

        excess = self._excess()
        if not excess or self.limit is None:
            return None
        worst = max(excess, key=lambda n: self.phases[n].peak)
        phase, devices = self.phases[worst], self.setting.devices
        part = max(PARTS, key=lambda name: int(getattr(phase, name)))
        have = f"{size(USABLE * self.limit)} for tensors, {USABLE:.0%} of {size(self.limit)}"
        each = f"each of {devices:,} devices, which have" if devices > 1 else "a device, which has"
        message = (
            f"phase `{phase.name}` needs {size(phase.peak)} on {each} {have}; the most of it, "
            f"{size(getattr(phase, part))}, are {TITLES.get(part, part)}"
        )
        span = recipe_of(self.spec, self.recipe).phases[worst].span
        near, most = self.nearest, min(MOST_DEVICES, *(p.batch for p in self.phases))
        help = (
            f"this fits, with {size(max(p.peak for p in near.phases))}: {near.command}"
            if near
            else f"it fits on no {most:,} devices either: make the model smaller"
        )
        return Diagnostic("G450", message, span, help)

    @property
    def command(self) -> str:
        """The command that trains the recipe in this setting."""
        devices, micro, checkpointing = self.setting
        line = ["growlang", "train"]
        if devices > 1:
            machines = -(-devices // PER_MACHINE)
            several = [f"--nnodes={machines}"] if machines > 1 else []
            each = min(devices, PER_MACHINE)
            line = ["torchrun", *several, f"--nproc-per-node={each}", "-m", *line]
        line.append(str(self.spec.path))
        if self.recipe != self.spec.recipes[0]:
            line += ["--recipe", self.recipe]
        for name, value in self.spec.params.items():
            line += ["--set", f"{name}={value}"]
        line += ["--micro-batch", str(micro)] if micro else []
        return shlex.join([*line, *(["--activation-checkpointing"] if checkpointing else [])])

    @property
    def remarks(self) -> list[str]:
        """What has no effect, and what is not counted."""
        most, micro = max(phase.images for phase in self.phases), self.setting.micro_batch
        idle = f"--micro-batch {micro} has no effect: a device has only {most:,} images of a batch"
        unknown = encoders_of(self.spec.net.encoders).unknown
        return [
            *([idle] if micro and micro > most else []),
            *(f'the size of text encoder "{id}" is not known, and not counted' for id in unknown),
        ]

    def print(self, out: Console) -> None:
        """Print a line for each phase."""
        from growlang.tables.parts import size, table_of

        devices, micro, checkpointing = self.setting
        how = [f"{devices:,} device" + ("s" if devices > 1 else "")]
        how += [f"micro-batch {micro:,}"] if micro else []
        how += ["activation checkpointing"] if checkpointing else []
        out.print(f"memory of each device: {', '.join(how)}")
        shown = [p for p in PARTS if any(getattr(phase, p) for phase in self.phases)]
        table = table_of("<phase", "images", *(TITLES.get(p, p) for p in shown), "peak")
        for phase in self.phases:
            sizes = (size(getattr(phase, p)) for p in shown)
            table.add_row(phase.name, f"{phase.images:,}", *sizes, size(phase.peak))
        out.print(table)
        for remark in self.remarks:
            out.print(remark, markup=False)

    def as_json(self) -> dict[str, Any]:
        """The setting, the phases in bytes, and the nearest setting that fits."""
        near = None if self.limit is None else self.nearest
        return {
            **_setting_json(self.setting),
            "limit": self.limit,
            "fits": self.fits,
            "phases": [asdict(phase) for phase in self.phases],
            "unknown_encoders": list(encoders_of(self.spec.net.encoders).unknown),
            "nearest": {**_setting_json(near.setting), "command": near.command} if near else None,
        }


def _setting_json(setting: Setting) -> dict[str, Any]:
    devices, micro, checkpointing = setting
    return {
        "devices": devices,
        "micro_batch": micro,
        "activation_checkpointing": checkpointing,
    }


def _nearer(setting: Setting, batch: int) -> Iterator[Setting]:
    """Other settings, the nearest first; `batch` is the smallest of the phases."""
    yield from _smaller(setting, batch)
    again = setting._replace(checkpointing=True)
    yield again
    yield from _smaller(again, batch)
    devices = 2 * setting.devices
    while devices <= min(batch, MOST_DEVICES):
        more = setting._replace(devices=devices)
        yield more
        yield from _smaller(more, batch)
        yield more._replace(checkpointing=True)
        yield from _smaller(more._replace(checkpointing=True), batch)
        devices *= 2


def _smaller(setting: Setting, batch: int) -> Iterator[Setting]:
    """The setting with ever smaller micro-batches, powers of two."""
    size = 1 << max(setting.at_once(batch) - 1, 0).bit_length() >> 1
    while size:
        yield setting._replace(micro_batch=size)
        size //= 2


def require_spread(spec: Checked, recipe: str | None, devices: int) -> None:
    """Raise GrowlangError where a recipe is not trained, or a device would get no image."""
    if spec.net.of_tokens:
        raise GrowlangError(
            f"{spec.path} is a token model: what its training holds is only known of images",
            help="leave out --devices and --memory",
        )
    fewest = min(phase.settings.batch for phase in spec.phases(recipe_of(spec, recipe).name))
    if devices > fewest:
        raise GrowlangError(
            f"a batch of {fewest:,} images cannot be spread over {devices:,} devices",
            help=f"give at most --devices {fewest}, or a larger `batch`",
        )


def fading(spec: Checked, recipe: str) -> Fading | None:
    """The net of a recipe's bridge; None where it has none."""
    start = recipe_of(spec, recipe).start
    if not start.bridge or spec.parent is None or spec.mapping is None:
        return None
    predict = getattr(spec.phases(recipe)[0].settings.objective, "predict", "v")
    found = bridged(spec.net, spec.parent.net, spec.mapping, predict)
    return Fading(found.net, start.bridge)


def size_of(text: str) -> int:
    """Bytes of a text such as `80GB`, `80 GiB` or `81559MiB`. Raises GrowlangError for another."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]i?)?(b?)\s*", text, re.IGNORECASE)
    if found and not (found[2] or found[3]):
        unit = "B" if float(found[1]) >= UNITS["m"] else "GB"
        raise GrowlangError(f"`{text}` has no unit", help=f"write `--memory {found[1]}{unit}`")
    size = float(found[1]) * UNITS[(found[2] or "").lower()] if found else 0
    if size < 1:
        raise GrowlangError(
            f"`{text}` is no size of a memory", help="write `80GB`, 10^9 bytes each, or `80GiB`"
        )
    return int(size)
