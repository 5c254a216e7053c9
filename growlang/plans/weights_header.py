"""Files of trained weights: the net that they carry, held to their tensors, without PyTorch."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from growlang.diagnostics import GrowlangError
from growlang.diagnostics.literals import shown
from growlang.net import Net
from growlang.net.names import InvalidNet
from growlang.plans.fit import MODEL as MODEL_PARTS
from growlang.plans.fit import TRAINING, require_finite, require_fit
from growlang.plans.plan import SEMANTICS, Plan
from growlang.plans.tensor_file import Header, Layout, read_header
from growlang.plans.tensor_index import INDEX_ENDING, TensorIndex, read_index
from growlang.spec.recipe import Sample, Settings

HEADER_VERSION = 1
"""Of the metadata of a file of weights."""
MODEL, CHECKPOINTS = "model.safetensors", "checkpoints"
"""A run's finished weights, and the folder of its checkpoints."""
MODEL_INDEX = f"model{INDEX_ENDING}"
"""The index of weights that lie in several files."""
CHECKPOINT = re.compile(r"step_[0-9]{8,}")
"""Name of a checkpoint's folder: its step."""
PLAN, METRICS, EVALUATIONS = "plan.json", "metrics.jsonl", "evaluation"
"""The run's plan, what it told while it went on, and the folder of its evaluations."""
STATE, RECORD = "state.safetensors", "state.json"
"""A checkpoint's tensors, and what is recorded of them."""
INDEX, TABLE = ".metadata", "header"
"""What a checkpoint of several processes has in place of one file of tensors: the index of its
files, and in its record a table of the tensors, with what such a file says about itself."""
ENDINGS = (".safetensors", ".pt", ".pth", ".ckpt", ".bin")
"""Endings of files of weights; of those that are not safetensors it is said that they are not."""


@dataclass(frozen=True)
class WeightsHeader:
    """The net of a file of weights, and what the file and its run say about it."""

    path: Path
    net: Net
    spec_hash: str
    settings: Settings | None
    """Of the last phase that it was trained in, where the file says."""
    plan: Plan | None
    """The plan of its run, where the file lies in the run's folder."""
    remark: str = ""
    """What is to be told of its tensors, such as that they are in half precision."""


class Contents(NamedTuple):
    """A file's header, and the net that it names, which its tensors fit."""

    header: Header
    net: Net
    remark: str


def header(
    net: Mapping[str, Any],
    hashes: Mapping[str, str],
    settings: Settings | None,
    sample: Sample,
    semantics: int = SEMANTICS,
) -> dict[str, str]:
    """What a file of weights says about itself: the net, its hashes, and how to sample from it.

    `net` is in JSON; `settings` are those that it was trained with last, and None leaves out how to
    sample.
    """
    said = {
        "format": "growlang",
        "format_version": str(HEADER_VERSION),
        "net": json.dumps(net, separators=(",", ":")),
        "semantics": str(semantics),
        **hashes,
    }
    if settings is not None:
        said |= {"settings": settings.model_dump_json(), "sample": sample.model_dump_json()}
    return said


def are_weights(path: Path) -> bool:
    """Whether a path is that of weights, and not of a spec: a folder, or by its ending."""
    return path.is_dir() or path.suffix in ENDINGS or is_index(path)


def is_index(path: Path) -> bool:
    """Whether a path is that of the index of several files of weights, by its ending."""
    return path.name.endswith(INDEX_ENDING)


def read(path: Path) -> WeightsHeader:
    """What `path`, a run's folder, a checkpoint's folder or a file of weights, was trained as.

    Of a run, its finished weights, else its newest checkpoint. Raises GrowlangError if there are
    no weights, or if they are not those of the net that they say they belong to.
    """
    file = weights_file(path)
    found = contents(file)
    metadata = found.header.metadata
    settings = metadata.get("settings")
    return WeightsHeader(
        file,
        found.net,
        metadata.get("spec_hash", ""),
        parsed(Settings, settings, file) if settings else None,
        _plan(file, metadata.get("plan_hash")),
        found.remark,
    )


def weights_file(path: Path) -> Path:
    """The file of weights, index or record of a checkpoint that `path` means.

    Of a run, that of its finished weights, else of its newest checkpoint. Raises GrowlangError if
    there is none.
    """
    file = next(_files(path), None)
    if file is None:
        where = "it does not exist" if not path.exists() else f"no {MODEL} and no checkpoint"
        raise GrowlangError(
            f"there are no weights at {path}: {where}",
            help="name a run's folder, a checkpoint's folder or a model.safetensors",
        )
    return file


def contents(file: Path) -> Contents:
    """What a file of weights or of a checkpoint holds; no tensor is loaded.

    Raises GrowlangError if it is no whole file, does not name its net, or if its tensors do not fit
    the net or are not finite.
    """
    header = header_of(file)
    net = net_of(file, header.metadata)
    parts = TRAINING if is_state(file) else MODEL_PARTS
    remark = require_fit(file, header, net, parts)
    if is_index(file):
        for part, own in read_index(file).headers.items():
            require_finite(part, own)
    return Contents(header, net, remark)


def header_of(file: Path) -> Header:
    """The header of a file of weights, of an index, or of a checkpoint, by `state_of`.

    That of several files has no length. Raises GrowlangError if it cannot be read.
    """
    if is_index(file):
        return together(read_index(file))
    if file.name != RECORD:
        return read_header(file)
    found = recorded_header(file.parent)
    if found is None:
        raise GrowlangError(f"{file} does not record the tensors of a checkpoint")
    return found


def together(index: TensorIndex) -> Header:
    """The tensors of several files as one header, which has no length, and no bytes of its own."""
    layouts = {n: Layout(t.dtype, t.shape, 0, 0) for n, t in index.tensors.items()}
    return Header(index.metadata, layouts, 0)


def checkpoints_of(folder: Path) -> list[Path]:
    """The folders of checkpoints in `folder`, the oldest first; whatever else lies there is not."""
    return sorted(p for p in folder.glob("step_*") if CHECKPOINT.fullmatch(p.name) and p.is_dir())


def is_state(file: Path) -> bool:
    """Whether a file is what stands for the tensors of a checkpoint, in its folder."""
    return file.name in (STATE, RECORD) and file.with_name(RECORD).exists()


def state_of(folder: Path) -> Path:
    """What stands for the tensors of a checkpoint: its file, or the record of several files."""
    return folder / (RECORD if is_sharded(folder) else STATE)


def is_sharded(folder: Path) -> bool:
    """Whether several processes wrote the tensors of a checkpoint, each a file."""
    return (folder / INDEX).exists()


def recorded_files(folder: Path) -> dict[str, dict[str, Any]]:
    """The sums of a checkpoint's files by name. Raises ValueError or LookupError if unreadable."""
    found: dict[str, dict[str, Any]] = _record(folder)["files"]
    return found


def recorded_header(folder: Path) -> Header | None:
    """The header that a checkpoint of several files records; None where it does not."""
    try:
        said = _record(folder)[TABLE]
        tensors = {
            name: Layout(str(dtype), tuple(map(int, shape)), 0, 0)
            for name, (dtype, shape) in said["tensors"].items()
        }
        return Header({str(k): str(v) for k, v in said["metadata"].items()}, tensors, 0)
    except (OSError, LookupError, TypeError, ValueError, AttributeError):
        return None


def table_of(header: Header) -> dict[str, Any]:
    """What a checkpoint of several files records of its tensors, for `recorded_header`."""
    tensors = {name: [layout.dtype, list(layout.shape)] for name, layout in header.tensors.items()}
    return {"metadata": dict(header.metadata), "tensors": tensors}


def _record(folder: Path) -> Any:
    return json.loads((folder / RECORD).read_text(encoding="utf-8"))


def _files(path: Path) -> Iterator[Path]:
    """The files that a path may mean, best first."""
    checkpoints = reversed(checkpoints_of(path / CHECKPOINTS))
    whole = [path / MODEL, path / MODEL_INDEX]
    found = [path, state_of(path), *whole, *map(state_of, checkpoints)]
    return (file for file in found if file.is_file())


def net_of(path: Path, metadata: Mapping[str, str]) -> Net:
    """The net in a file's metadata. Raises GrowlangError if there is none or it is unreadable."""
    if "net" not in metadata:
        raise GrowlangError(
            f"{path} does not say which net it belongs to: its metadata has no `net`",
            help="name a file that growlang wrote, or save this one with the metadata of one: "
            'safetensors.torch.save_file(tensors, path, safe_open(RUN_FILE, "pt").metadata())',
        )
    try:
        net = Net.from_json(json.loads(metadata["net"]))
        net.net_hash  # noqa: B018 - what is no net fails here
        return net
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise _unreadable("net", path, error) from error


def semantics_of(metadata: Mapping[str, str], path: Path) -> int:
    """How the inputs were made that weights were trained on (`growlang.plans.plan.SEMANTICS`).

    Raises GrowlangError where a file's metadata have what this version does not know.
    """
    text = metadata.get("semantics", "1")
    if text not in map(str, range(1, SEMANTICS + 1)):
        raise GrowlangError(
            f"invalid `semantics` in the metadata of {path}: {shown(text)}",
            help="another version of growlang wrote it: use that version, or train again",
        )
    return int(text)


def parsed(kind: Any, text: str, path: Path) -> Any:
    """A setting's model from the JSON in a file's metadata. Raises GrowlangError if it is none."""
    try:
        return kind.model_validate_json(text)
    except ValueError as error:
        raise _unreadable(kind.__name__.lower(), path, error) from error


def mistake(error: Exception) -> str:
    """What is wrong with stored text that cannot be read, on one line."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        return f"{field}: {first['msg']}" if field else first["msg"]
    if isinstance(error, InvalidNet):
        return str(error)
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _unreadable(what: str, path: Path, error: Exception) -> GrowlangError:
    version = "another version of growlang wrote it: use that one, or train again"
    changed = "no version of growlang writes such a net: name a file that was not changed"
    return GrowlangError(
        f"the {what} in the metadata of {path} cannot be read ({mistake(error)})",
        help=changed if isinstance(error, InvalidNet) else version,
    )


def run_of(path: Path) -> Path:
    """The folder of the run that weights lie in: a run's, a checkpoint's, or a file of either."""
    if path.name in (MODEL, MODEL_INDEX, STATE, RECORD):
        path = path.parent
    return path.parent.parent if path.parent.name == CHECKPOINTS else path


def _plan(file: Path, plan_hash: str | None) -> Plan | None:
    """The plan of the run that wrote a file; None where the file lies elsewhere by now."""
    try:
        plan = Plan.model_validate_json((run_of(file) / PLAN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return plan if plan.plan_hash == plan_hash else None
