"""Their config and our net: where they disagree, and the config that says what a net is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from growlang.diagnostics import GrowlangError
from growlang.diagnostics.literals import literal
from growlang.interop.facts import Found, facts
from growlang.interop.table import NameTable, Required, Setting
from growlang.net import Net

CONFIG = "config.json"
GENERAL = frozenset(
    [
        "architectures",
        "model_type",
        "torch_dtype",
        "dtype",
        "transformers_version",
        "_name_or_path",
        "id2label",
        "label2id",
        "num_labels",
        "return_dict",
        "problem_type",
        "output_hidden_states",
        "output_attentions",
        "chunk_size_feed_forward",
        "is_decoder",
        "is_encoder_decoder",
        "_attn_implementation_autoset",
        "use_return_dict",
    ]
)
"""Fields of any model's config, none of which changes what weights compute."""


def read_config(folder: Path) -> dict[str, Any]:
    """The config.json of a folder. Raises GrowlangError if there is none."""
    path = folder / CONFIG
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        what = "is no folder" if not folder.is_dir() else f"has no {CONFIG}"
        raise GrowlangError(
            f"{folder} {what}", help="name the folder that `save_pretrained` wrote"
        ) from error
    except OSError as error:
        raise GrowlangError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise GrowlangError(f"{path} is not JSON: {error}") from error
    if not isinstance(said, dict) or not isinstance(said.get("model_type"), str):
        raise GrowlangError(
            f"{path} has no `model_type`", help="name the folder that `save_pretrained` wrote"
        )
    return said


def unknown_fields(table: NameTable, config: Mapping[str, Any]) -> list[str]:
    """The fields of which the table says nothing."""
    named = {*table.config, *table.fixed, *table.free, *GENERAL}
    return sorted(name for name in config if name not in named)


def disagreements(table: NameTable, config: Mapping[str, Any], net: Net) -> Iterator[str]:
    """A line on each setting of which the config and the spec say another thing."""
    for name, fixed in table.fixed.items():
        said = config.get(name, fixed.value)
        if said != fixed.value:
            yield (
                f"`{name}` is {_shown(said)}, and growlang computes {_shown(fixed.value)} alone: "
                f"{fixed.reason}"
            )
    for name, setting in table.config.items():
        said = config.get(name, setting.default)
        wanted = _meant(setting, said, config, table)
        if setting.values and wanted is None:
            listed = ", ".join(setting.values)
            yield f"`{name}` is {_shown(said)}, which the table does not know: it has {listed}"
            continue
        default = "" if name in config else " by default"
        yield from _differing(net, setting, wanted, f"`{name}` is {_shown(said)}{default}")
    yield from unmet(table, net, {n: config.get(n, s.default) for n, s in table.config.items()})


def unmet(table: NameTable, net: Net, config: Mapping[str, Any]) -> Iterator[str]:
    """A line on each thing that the spec has to say, and says otherwise."""
    for required in table.required:
        wanted = required.value
        if required.ratio is not None:
            over, under = (config[field] for field in required.ratio)
            wanted = Fraction(over, under) if under else None
        yield from _differing(net, required, wanted, f"a {table.model_type} needs it")


def _differing(net: Net, of: Setting | Required, wanted: Any, why: str) -> Iterator[str]:
    """A line on the first node of which a fact is another one."""
    for found in facts(net, of.of, of.fact):
        if not _same(found.value, wanted):
            where = f" ({found.node.span})" if found.node and found.node.span else ""
            place = found.node.path if found.node else of.of
            said = of.write.replace("{value}", _shown(_plain(wanted)))
            edit = f": write `{said}`" if said else ""
            yield f"{why}, and `{of.fact}` of {place} is {_shown(found.value)}{where}{edit}"
            return


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    return bool(value == wanted)


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, Fraction) and value.denominator == 1 else value


def _meant(setting: Setting, said: Any, config: Mapping[str, Any], table: NameTable) -> Any:
    """What a field says in our words; None where the table has none for it."""
    if said is None and setting.absent is not None:
        times, field = setting.absent
        return times * config.get(field, table.config[field].default)
    return setting.values.get(said) if setting.values else said


def config_of(table: NameTable, net: Net) -> dict[str, Any]:
    """The config that says what a net is, without what growlang does not know.

    Raises GrowlangError if its blocks differ in what the config says once, or if a value has no
    name there.
    """
    said: dict[str, Any] = {"architectures": [table.architecture], "model_type": table.model_type}
    for name, setting in table.config.items():
        said[name] = _said(name, setting, facts(net, setting.of, setting.fact))
    for name, setting in table.config.items():
        if setting.absent is not None:
            times, field = setting.absent
            said[name] = None if said[name] == times * said[field] else said[name]
    return table.written | said | {name: fixed.value for name, fixed in table.fixed.items()}


def taken_along(table: NameTable, config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of another config of the kind that do not say what a net is."""
    own = {*table.config, *table.fixed, "architectures", "model_type", "dtype", "torch_dtype"}
    return {name: value for name, value in config.items() if name not in own}


def _said(name: str, setting: Setting, found: list[Found]) -> Any:
    """The one value of a field for all nodes that it is of."""
    if not found:
        raise GrowlangError(f"there is no {setting.of}, of which the config says `{name}`")
    first = found[0]
    for other in found:
        if not _same(other.value, first.value):
            places = (
                f"{_shown(f.value)} in {f.node.path if f.node else ''}" for f in (first, other)
            )
            raise GrowlangError(
                f"`{setting.fact}` is {' and '.join(places)}, and the config says it once, as "
                f"`{name}`",
                help="give all blocks the same, or export with --to safetensors",
            )
    if not setting.values:
        return first.value
    names = [theirs for theirs, ours in setting.values.items() if ours == first.value]
    if not names:
        raise GrowlangError(
            f"`{setting.fact}` is {_shown(first.value)}, of which `{name}` has no word"
        )
    return names[0]


def _shown(value: Any) -> str:
    return "null" if value is None else literal(value)
