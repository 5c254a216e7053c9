"""Files of trained weights as the compiler sees them: the net that they carry, without PyTorch.

A safetensors file begins with the length of its header, 8 bytes with the lowest first, and the
header: a JSON object of the tensors, with texts under `__metadata__`
(github.com/huggingface/safetensors, "Format").
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from growlang.diagnostics import GrowlangError
from growlang.net import Net
from growlang.plan import Plan
from growlang.spec import Settings

MODEL, STATE, CHECKPOINTS = "model.safetensors", "state.safetensors", "checkpoints"
"""A run's finished weights, a checkpoint's tensors, the folder of checkpoints."""
PLAN, METRICS = "plan.json", "metrics.jsonl"
"""The run's plan, and what it told while it went on."""
ENDINGS = (".safetensors", ".pt", ".pth", ".ckpt", ".bin")
"""Endings of files of weights; of those that are not safetensors it is said that they are not."""
HEADER_LIMIT = 100_000_000
"""Longest header, in bytes, that the format allows."""


@dataclass(frozen=True)
class Stored:
    """The net of a file of weights, and what the file and its run say about it."""

    path: Path
    net: Net
    spec_hash: str
    settings: Settings | None
    """Of the last phase that it was trained in, where the file says."""
    plan: Plan | None
    """The plan of its run, where the file lies in the run's folder."""


def are_weights(path: Path) -> bool:
    """Whether a path is that of weights, and not of a spec: a folder, or by its ending."""
    return path.is_dir() or path.suffix in ENDINGS


def read(path: Path) -> Stored:
    """What `path`, a run's folder, a checkpoint's folder or a file of weights, was trained as.

    Of a run, its finished weights, else its newest checkpoint. No tensor is read. Raises
    GrowlangError if there are no weights, or if they do not say which net they belong to.
    """
    file = next(_files(path), None)
    if file is None:
        where = "it does not exist" if not path.exists() else f"no {MODEL} and no checkpoint"
        raise GrowlangError(
            f"there are no weights at {path}: {where}",
            help="name a run's folder, a checkpoint's folder or a model.safetensors",
        )
    metadata = header(file)
    settings = metadata.get("settings")
    return Stored(
        file,
        net_of(file, metadata),
        metadata.get("spec_hash", ""),
        _parsed(Settings, settings, file) if settings else None,
        _plan(file, metadata.get("plan_hash")),
    )


def _files(path: Path) -> Iterator[Path]:
    """The files that a path may mean, best first."""
    checkpoints = sorted((path / CHECKPOINTS).glob("step_*"), reverse=True)
    found = [path, path / STATE, path / MODEL, *(folder / STATE for folder in checkpoints)]
    return (file for file in found if file.is_file())


def header(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file. Raises GrowlangError if it is none."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            text = file.read(length) if length <= HEADER_LIMIT else b""
        found = json.loads(text)
        return dict(found.get("__metadata__") or {})
    except OSError as error:
        raise GrowlangError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, AttributeError, RecursionError) as error:
        raise GrowlangError(
            f"{path} is no whole safetensors file",
            help="name a file that growlang wrote; formats that are unpickled are not read",
        ) from error


def net_of(path: Path, metadata: Mapping[str, str]) -> Net:
    """The net in a file's metadata. Raises GrowlangError if there is none or it is unreadable."""
    if "net" not in metadata:
        raise GrowlangError(
            f"{path} does not say which net it belongs to: its metadata has no `net`",
            help="name a file that growlang wrote",
        )
    try:
        return Net.from_json(json.loads(metadata["net"]))
    except (LookupError, TypeError, ValueError) as error:
        raise _unreadable("net", path, error) from error


def _parsed(kind: Any, text: str, path: Path) -> Any:
    try:
        return kind.model_validate_json(text)
    except ValueError as error:
        raise _unreadable(kind.__name__.lower(), path, error) from error


def _unreadable(what: str, path: Path, error: Exception) -> GrowlangError:
    return GrowlangError(
        f"the {what} in the metadata of {path} cannot be read ({type(error).__name__}: {error})",
        help="another version of growlang wrote it: use that one, or train again",
    )


def run_of(path: Path) -> Path:
    """The folder of the run that weights lie in: a run's, a checkpoint's, or a file of either."""
    if path.name in (MODEL, STATE):
        path = path.parent
    return path.parent.parent if path.parent.name == CHECKPOINTS else path


def _plan(file: Path, plan_hash: str | None) -> Plan | None:
    """The plan of the run that wrote a file; None where the file lies elsewhere by now."""
    try:
        plan = Plan.model_validate_json((run_of(file) / PLAN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return plan if plan.plan_hash == plan_hash else None
