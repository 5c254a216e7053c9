"""Their config and our net: where they disagree, and the config that says what a net is."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from growlang.diagnostics import GrowlangError
from growlang.diagnostics.literals import literal
from growlang.interop.facts import COUNT, Found, facts
from growlang.interop.table import INDEX, NameTable, Required, Setting, names_of
from growlang.net import Net
from growlang.plans.tensor_file import require_regular

CONFIG = "config.json"
GENERAL = frozenset(
    [
        "architectures",
        "model_type",
        "_class_name",
        "_diffusers_version",
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
        "_class_name",
        "_diffusers_version",
    ]
)
"""Fields of any model's config, none of which changes what weights compute."""


def read_config(folder: Path) -> dict[str, Any]:
    """The config.json of a folder, with `model_type`, for which diffusers writes `_class_name`.

    Raises GrowlangError if there is none.
    """
    path = folder / CONFIG
    try:
        require_regular(path)
        said = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        what = "is no folder" if not folder.is_dir() else f"has no {CONFIG}"
        raise GrowlangError(
            f"{folder} {what}", help="name the folder that `save_pretrained` wrote"
        ) from error
    except OSError as error:
        raise GrowlangError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise GrowlangError(f"{path} is not JSON: {error}") from error
    kind = said.get("model_type", said.get("_class_name")) if isinstance(said, dict) else None
    if not isinstance(kind, str):
        raise GrowlangError(
            f"{path} has no `model_type`", help="name the folder that `save_pretrained` wrote"
        )
    return {"model_type": kind, **said}


def _flat(table: NameTable, config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as the table names them: `a.b` for what is inside of another, former ones too."""
    outer = {n.partition(".")[0] for n in (*table.config, *table.fixed) if "." in n}
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if name not in outer:
            flat[name] = value
        elif isinstance(value, Mapping):
            flat |= {f"{name}.{inner}": of_it for inner, of_it in value.items()}
    for name, setting in table.config.items():
        if setting.former in flat:
            flat.setdefault(name, flat.pop(setting.former))
    return flat


def _nested(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with those inside of another in their place."""
    nested: dict[str, Any] = {}
    for name, value in config.items():
        outer, _, inner = name.partition(".")
        if inner:
            nested.setdefault(outer, {})[inner] = value
        else:
            nested[name] = value
    return nested


def unknown_fields(table: NameTable, config: Mapping[str, Any]) -> list[str]:
    """The fields of which the table says nothing."""
    config = _flat(table, config)
    named = {*table.config, *table.fixed, *table.free, *GENERAL}
    return sorted(name for name in config if name not in named)


def disagreements(table: NameTable, config: Mapping[str, Any], net: Net) -> Iterator[str]:
    """A line on each setting of which the config and the spec say another thing."""
    config = _flat(table, config)
    for name, fixed in table.fixed.items():
        said = config.get(name, fixed.value)
        if said != fixed.value:
            yield (
                f"`{name}` is {_shown(said)}, and growlang computes {_shown(fixed.value)} alone: "
                f"{fixed.reason}"
            )
    said = {name: config.get(name, setting.default) for name, setting in table.config.items()}
    wrong: set[str] = set()
    for name, setting in table.config.items():
        if setting.only_written:
            continue
        if setting.absent is not None and said[name] is None and setting.absent[1] in wrong:
            continue  # what it is a multiple of is said to be wrong
        lines = list(_about(name, setting, said, table, net, name in config))
        wrong |= {name} if lines else set()
        yield from lines
    yield from unmet(table, net, said, wrong)


def _about(
    name: str, setting: Setting, said: Mapping[str, Any], table: NameTable, net: Net, is_there: bool
) -> Iterator[str]:
    """The lines on one field of the config."""
    wanted, shown = _meant(setting, said[name], said), f"`{name}` is {_shown(said[name])}"
    if setting.values and wanted is None:
        listed = ", ".join(setting.values)
        yield f"{shown}, which the table does not know: it has {listed}"
        return
    for of in names_of(setting.of):
        yield from _differing(net, of, setting, wanted, shown + " by default" * (not is_there))


def unmet(
    table: NameTable, net: Net, config: Mapping[str, Any], wrong: Collection[str] = ()
) -> Iterator[str]:
    """A line on each thing that the spec has to say, and says otherwise.

    What follows from fields that are `wrong` is left out.
    """
    for required in table.required:
        wanted = required.value
        if required.ratio is not None:
            over, under = required.ratio
            if {over, under} & set(wrong) or not config[under]:
                continue
            wanted = Fraction(config[over], config[under])
        why = f"`{required.fact}` of a {table.model_type} is {_shown(_plain(wanted))}"
        for of in names_of(required.of):
            yield from _differing(net, of, required, wanted, why)


def _differing(
    net: Net, of: str, asked: Setting | Required, wanted: Any, why: str
) -> Iterator[str]:
    """A line on the first node of a path of which a fact is another one."""
    for found in facts(net, of, asked.fact):
        if not _same(found.value, wanted):
            where = f" ({found.node.span})" if found.node and found.node.span else ""
            path = found.node.path if found.node else of
            what = f"`{asked.fact}` of {path} is {_shown(found.value)}"
            if asked.fact == COUNT:
                what = f"the spec has {found.value} of {of.replace(INDEX, 'N')}"
            said = asked.write.replace("{value}", _shown(_plain(wanted)))
            yield f"{why}, and {what}{where}" + (f": write `{said}`" if said else "")
            return


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    return bool(value == wanted)


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, Fraction) and value.denominator == 1 else value


def _meant(setting: Setting, said: Any, config: Mapping[str, Any]) -> Any:
    """What a field says in our words; None where the table has none for it."""
    if said is None and setting.absent is not None:
        times, field = setting.absent
        return times * config[field]
    if said is None and setting.ratio is not None:
        over, under = setting.ratio
        return Fraction(config[over], config[under]) if config[under] else None
    if setting.values:
        return setting.values.get(said) if isinstance(said, str) else None
    return said


def config_of(table: NameTable, net: Net) -> dict[str, Any]:
    """The config that says what a net is, without what growlang does not know.

    Raises GrowlangError if its blocks differ in what the config says once, or if a value has no
    name there.
    """
    said: dict[str, Any] = {"architectures": [table.architecture], "model_type": table.model_type}
    if table.library == "diffusers":
        said = {"_class_name": table.architecture}
    for name, setting in table.config.items():
        said[name] = _said(name, setting, facts(net, setting.of, setting.fact))
    for name, setting in table.config.items():
        if setting.absent is not None:
            times, field = setting.absent
            said[name] = None if said[name] == times * said[field] else said[name]
    fixed = {name: fixed.value for name, fixed in table.fixed.items()}
    return _nested(table.written | said | fixed)


def taken_along(table: NameTable, config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of another config of the kind that do not say what a net is."""
    own = {name.partition(".")[0] for name in (*table.config, *table.fixed)}
    own |= {"architectures", "model_type", "dtype", "torch_dtype"}
    own |= {setting.former for setting in table.config.values()}
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
