"""The words of the language for the fuzzer, from its grammar, its ops and its signatures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from fuzz.promises import GROW, YAML
from pydantic import BaseModel

from growlang.diagnostics import GrowlangError
from growlang.ops import CHANGES, CONDITIONS, OPS, TIME
from growlang.spec.data import DATA, TRANSFORMS
from growlang.spec.model import Image
from growlang.spec.objectives import OBJECTIVES, WEIGHTS
from growlang.spec.optimizers import OPTIMIZERS
from growlang.spec.recipe import Evaluate, Sample, Settings
from growlang.spec.samplers import SAMPLERS
from growlang.spec.schedules import SCHEDULES
from growlang.syntax.grow import parser, read
from growlang.yaml.convert import to_yaml
from growlang.yaml.read import GROWTH, MODEL, TOP

ROOT = Path(__file__).parents[2]
SEEDS = ("specs", "examples", "tests/fixtures")
ODD = (
    *("0", "1", "-1", "0.5", "5%", "2M", "1e18", "1e-300", "1000000000", "1_0", "00", "1e400"),
    *('""', '"\\"', '"="', "'", "\t", "\r\n", "\ufeff", "\u202e", "\0", "\x0b", "\u2028", "é"),
    *("# ", "{", "}", "[", "]", "(", ")", ": ", "- ", "? ", "= ", "|", ">", "&a ", "*a", "!!str "),
    *("---\n", "...\n", "%YAML 1.2\n", "<<: ", "~", "null", "on", ".inf", "[*]", "[0..1]", "->"),
)


def words() -> list[str]:
    """Keywords, signs, ops, their arguments and choices, keys of YAML, and odd things."""
    terminals = [str(t.pattern.value) for t in parser().terminals if t.pattern.type == "str"]
    tables = (OPS, CHANGES, CONDITIONS, TIME, DATA, OBJECTIVES, OPTIMIZERS, SAMPLERS)
    calls = {n: c for t in (*tables, SCHEDULES, TRANSFORMS, WEIGHTS) for n, c in t.items()}
    models: list[type[BaseModel]] = [*calls.values(), Image, Settings, Sample, Evaluate]
    fields = [info.alias or name for m in models for name, info in m.model_fields.items()]
    keys = (*TOP, *MODEL, *GROWTH, "at", "pipe", "repeat", "group", "call", "phases", "recipe")
    return list(dict.fromkeys([*terminals, *calls, *fields, *keys, *_choices(models), *ODD]))


def _choices(models: Iterable[type[BaseModel]]) -> Iterator[str]:
    from growlang.spec.forms import choices

    for model in models:
        for name in model.model_fields:
            yield from choices(model, name).words


def seeds(folders: Iterable[str] = SEEDS) -> Iterator[tuple[str, bytes]]:
    """The specs below the folders with the name that says their syntax, and the twins of them."""
    for path in sorted(p for folder in folders for p in (ROOT / folder).rglob("*.grow*")):
        content = path.read_bytes()
        yield (YAML if path.suffix == ".yaml" else GROW), content
        if path.suffix == ".grow" and (written := _twin(content)):
            yield YAML, written.encode()


def _twin(content: bytes) -> str:
    try:
        document = read(content.decode(), GROW).result
        return to_yaml(document) if document else ""
    except (GrowlangError, UnicodeDecodeError):
        return ""
