"""A small model of bytes and its data, for tests of training on text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import growlang
from growlang.plans.plan import Plan

LENGTH = 8
SPEC = """grow 1

model bytes_8 {
  tokens = tokens(vocabulary = 256, length = 8)

  stem  embed(16)
  core  transformer(16, heads = 2, causal = true, qk_norm = false, dropout = 0.1)
  head  unembed
}

data corpus = %(data)s

train {
  data      = corpus
  batch     = 4
  optimizer = adamw(lr = 1e-2)
  ema       = 0.5
  %(more)s
  phase first for %(steps)s
  phase second for 4 { freeze stem }
}

sample { prompts = ["to be", ""]  length = 6 }
"""
TEXTS = ["to be or not to be", "that is the question", "whether tis nobler", "in the mind"]


def write_lines(path: Path, texts: Sequence[Any] = TEXTS, field: str = "text") -> None:
    """A JSONL file with a text a line."""
    path.write_text("".join(json.dumps({field: text}) + "\n" for text in texts))


def plan_of(
    folder: Path, data: str = 'text("*.jsonl")', more: str = "", steps: str = "3", **changes: str
) -> Plan:
    """The plan of the model on the data of a folder."""
    spec = folder / "bytes_8.grow"
    text = SPEC % {"data": data, "more": more, "steps": steps}
    for old, new in changes.items():
        text = text.replace(old, new)
    spec.write_text(text)
    return growlang.plan(spec)
