"""Where each statement of the language stands, told by its keyword."""

from __future__ import annotations

from typing import Final, NamedTuple

RESERVED: Final = frozenset(
    ("stem", "core", "head", "stage", "encode", "decode", "except", "and", "or", "not")
) | {"true", "false"}
"""Words that are never names."""


class Statement(NamedTuple):
    """The body that a statement stands in, by its keyword (`""` is the file), and an example."""

    body: str
    example: str


STATEMENTS = {
    "import": Statement("", 'import "blocks.grow" as lib'),
    "param": Statement("", "param width = 64"),
    "block": Statement("", "block NAME(width) { residual(width) }"),
    "data": Statement("", 'data NAME = webdataset("shards.tar")'),
    "model": Statement("", "model NAME { ... }"),
    "train": Statement("", "train { ... }"),
    "sample": Statement("", "sample { ... }"),
    "evaluate": Statement("", "evaluate { ... }"),
    "stem": Statement("model", "model NAME { stem patch(4, 64) ... }"),
    "stage": Statement("model", "model NAME { stage @ 32 residual(64) ... }"),
    "core": Statement("model", "model NAME { core @ 16 transformer(64, heads = 4) ... }"),
    "head": Statement("model", "model NAME { head unpatch(4) ... }"),
    "keep": Statement("model", 'model NAME grows "parent.grow" { keep core ... }'),
    "drop": Statement("model", 'model NAME grows "parent.grow" { drop head ... }'),
    "retain": Statement("model", 'model NAME grows "parent.grow" { retain stem, head ... }'),
    "moved": Statement("model", 'model NAME grows "parent.grow" { moved stem -> stem ... }'),
    "init": Statement("model", 'model NAME grows "parent.grow" { init head = zero ... }'),
    "phase": Statement("train", "train { phase NAME for 10k }"),
    "freeze": Statement("phase", "phase NAME for 10k { freeze core }"),
    "lr_scale": Statement("phase", "phase NAME for 10k { lr_scale core = 0.1 }"),
    "encode": Statement("stage", "stage @ 32 { encode residual(64) decode residual(64) }"),
    "decode": Statement("stage", "stage @ 32 { encode residual(64) decode residual(64) }"),
    "except": Statement("selection", "freeze all except core"),
}
"""Each statement by its keyword."""


def elsewhere(word: str, body: str) -> str:
    """Where a statement belongs that does not stand in `body`; empty where that is its place."""
    statement = STATEMENTS.get(word)
    if statement is None or statement.body == body:
        return ""
    if not statement.body:
        return f"`{word}` belongs at the top level, outside all braces: `{statement.example}`"
    return f"`{word}` belongs in `{statement.example}`"
