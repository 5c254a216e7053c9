"""A plan that is pinned in a file: all that a run is made of, by its hashes, before it begins."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from growlang.diagnostics import GrowlangError
from growlang.net import digest
from growlang.net.names import InvalidNet
from growlang.plans.plan import DRAWS, SEMANTICS, Plan
from growlang.plans.plan import FORMAT_VERSION as PLAN_VERSION
from growlang.plans.tensor_file import require_regular
from growlang.plans.weights_header import mistake

FORMAT = "growlang pinned plan"
FORMAT_VERSION = 1
SEAL = "sha256"
"""The field with the hash of all others."""
MAKE = "make a plan: growlang plan SPEC -o plan.json"


class _Pin(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ShardPin(_Pin):
    """A file of samples, as its index knows it."""

    name: str
    """Path, relative to the folder that data is relative to."""
    bytes: int
    samples: int
    sha256: str
    """Of the keys, places, sizes and checksums of its samples (`Index.identity`)."""


class DataPin(_Pin):
    """A source of data."""

    name: str
    identity: str
    """Of all of its samples, in their order: what a run records."""
    samples: int
    shards: tuple[ShardPin, ...] = ()
    """Empty of a source that has no shards, such as a folder of images."""


class WeightsPin(_Pin):
    """The weights that a run starts from."""

    path: str
    sha256: str | None = None
    """Of their contents: names, shapes, dtypes and values. None where they are not trained yet."""
    step: int | None = None
    """Of the checkpoint that they are of; None for finished weights."""


class Said(_Pin):
    """What one spec of the lineage says."""

    spec: str
    spec_hash: str
    lines: tuple[str, ...]
    """A line for each value and statement, with its file and line in a comment."""


class PinnedPlan(_Pin):
    """What `growlang plan -o` writes, and `growlang train --plan` holds a run to."""

    growlang: str
    """The version that made it."""
    plan: Plan
    """With what a run finds outside of its spec: the data's, the weights' and the parent's."""
    said: tuple[Said, ...]
    """The spec, then its ancestors."""
    weights: WeightsPin | None = None
    data: tuple[DataPin, ...] = ()
    data_root: str | None = None
    """The folder that data is relative to; None: that of the spec."""

    def as_text(self) -> str:
        """The file: JSON, the same bytes for the same plan."""
        found: dict[str, Any] = {"format": FORMAT, "format_version": FORMAT_VERSION}
        found |= self.model_dump(mode="json")
        return json.dumps(found | {SEAL: _seal(found)}, indent=1, ensure_ascii=False) + "\n"


def _seal(content: Mapping[str, Any]) -> str:
    return digest({name: value for name, value in content.items() if name != SEAL})


def read_pinned(path: Path) -> PinnedPlan:
    """The plan in a file. Raises GrowlangError for one that is torn, changed, foreign or newer."""
    try:
        require_regular(path)
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise GrowlangError(
            f"there is no plan at {path}", help=f"make it: growlang plan SPEC -o {path}"
        ) from None
    except OSError as error:
        raise _unusable(path, error.strerror or str(error), MAKE) from None
    except (ValueError, RecursionError) as error:
        raise _unusable(path, f"it is torn, or no plan ({mistake(error)})", MAKE) from None
    _require_own(path, content)
    if content.get(SEAL) != _seal(content):
        raise _unusable(path, "it was changed after it was made: its contents have another hash")
    try:
        known = {n: v for n, v in content.items() if n not in ("format", "format_version", SEAL)}
        found = PinnedPlan.model_validate_json(json.dumps(known))
        found.plan.child_net(), found.plan.parent_net()
    except (InvalidNet, ValueError, LookupError, TypeError, AttributeError) as error:
        raise _unusable(path, mistake(error)) from error
    return found


def require_recipe(pinned: PinnedPlan, path: Path, recipe: str | None) -> None:
    """Raise GrowlangError where a recipe is asked for that a plan is not of."""
    if recipe not in (None, pinned.plan.recipe):
        raise GrowlangError(
            f"{path} is of recipe {pinned.plan.recipe}, not of {recipe}",
            help="leave the recipe out: the plan has it",
        )


def _require_own(path: Path, content: object) -> None:
    """Raise GrowlangError for JSON of others, and for a plan of a later version."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        if isinstance(content, dict) and {"net", "phases", "mapping"} <= content.keys():
            record = "it is the record of a run, which `growlang train` keeps"
            raise _unusable(path, record, MAKE)
        raise _unusable(path, "it is JSON, but no plan", MAKE)
    version, plan = content.get("format_version"), content.get("plan")
    inner = plan if isinstance(plan, dict) else {}
    newest = {"format_version": PLAN_VERSION, "semantics": SEMANTICS, "draws": DRAWS}
    later = [n for n, most in newest.items() if _exceeds(inner.get(n), most)]
    if _exceeds(version, FORMAT_VERSION) or later:
        made = f" ({content['growlang']})" if isinstance(content.get("growlang"), str) else ""
        raise GrowlangError(
            f"cannot use the plan {path}: a later version of growlang{made} made it",
            help="use that version, or make the plan again with this one",
        )


def _exceeds(version: object, most: int) -> bool:
    return isinstance(version, int) and version > most


def _unusable(path: Path, why: str, help: str = "") -> GrowlangError:
    again = help or f"make it again: growlang plan SPEC -o {path} --force"
    return GrowlangError(f"cannot use the plan {path}: {why}", help=again)
