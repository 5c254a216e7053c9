"""A folder that `transformers` or `diffusers` loads: config.json and weights under its names."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.interop.accounting import copies_of, pairs_of
from growlang.interop.config import CONFIG, config_of, read_config, taken_along
from growlang.interop.table import NameTable
from growlang.interop.tensors import into_theirs
from growlang.net import Net
from growlang.plans.weights_header import MODEL
from growlang.torch_backend.tensor_files import write_tensors

DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


FILES = {"transformers": MODEL, "diffusers": "diffusion_pytorch_model.safetensors"}
"""The file of weights of each library."""
BESIDE = (
    *("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "added_tokens.json"),
    *("special_tokens_map.json", "tokenizer.model", "chat_template.jinja"),
    "generation_config.json",
)
"""Files of a model's folder that its weights do not change."""


def write_hf_folder(
    folder: Path,
    table: NameTable,
    net: Net,
    tensors: Mapping[str, Tensor],
    dtype: str,
    like: Path | None = None,
) -> None:
    """Write config.json and model.safetensors; the table has a name for every tensor of the net.

    Of `like`, a folder of a model of the kind, the tokenizer is taken along, and the settings that
    do not say what the net is. Raises GrowlangError if the net's blocks differ in what a config
    says once, or if `like` is no such folder.
    """
    config = config_of(table, net)
    if table.library == "transformers":
        config["dtype"] = DTYPES[dtype]
    if like is not None:
        config = taken_along(table, _of_kind(like, table)) | {
            name: value for name, value in config.items() if name not in table.written
        }
        for name in BESIDE:
            if (like / name).is_file():
                shutil.copyfile(like / name, folder / name)
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    (folder / CONFIG).write_text(text, encoding="utf-8", newline="\n")
    named: dict[str, Tensor] = {}
    for pair in pairs_of(table, net)[0]:
        named |= into_theirs(pair, tensors)
    named |= {theirs: named[source] for theirs, source in copies_of(table, net).items()}
    write_tensors(folder / FILES[table.library], named, {"format": "pt"})


def _of_kind(folder: Path, table: NameTable) -> dict[str, Any]:
    config = read_config(folder)
    if config["model_type"] != table.model_type:
        raise GrowlangError(
            f"{folder} is a {config['model_type']}, and the export is a {table.model_type}",
            help="name a folder of the model that the weights came from",
        )
    return config
