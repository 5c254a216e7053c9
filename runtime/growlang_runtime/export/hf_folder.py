"""A folder that `transformers` loads: config.json and weights under its names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from growlang.interop.accounting import pairs_of
from growlang.interop.config import CONFIG, config_of
from growlang.interop.table import NameTable
from growlang.interop.tensors import into_theirs
from growlang.net import Net
from growlang.plans.weights_header import MODEL
from growlang.torch_backend.tensor_files import write_tensors

DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


def write_hf_folder(
    folder: Path, table: NameTable, net: Net, tensors: Mapping[str, Tensor], dtype: str
) -> None:
    """Write config.json and model.safetensors; the table has a name for every tensor of the net.

    Raises GrowlangError if the net's blocks differ in what a config says once.
    """
    config: dict[str, Any] = {**config_of(table, net), "dtype": DTYPES[dtype]}
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    (folder / CONFIG).write_text(text, encoding="utf-8", newline="\n")
    named: dict[str, Tensor] = {}
    for pair in pairs_of(table, net)[0]:
        named |= into_theirs(pair, tensors)
    write_tensors(folder / MODEL, named, {"format": "pt"})
