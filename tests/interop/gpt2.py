"""A GPT-2 of `transformers`, with random weights, and what it computes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

SPECS = Path(__file__).parent.parent / "fixtures" / "interop"
SMALL = SPECS / "small.grow"
SETTINGS = {
    "vocab_size": 61,
    "n_positions": 16,
    "n_embd": 24,
    "n_layer": 2,
    "n_head": 3,
    "bos_token_id": 60,
    "eos_token_id": 60,
}
IDS = torch.randint(0, 61, (4, 16), generator=torch.Generator().manual_seed(1))


def save(folder: Path, **settings: Any) -> Path:
    """A model with weights and biases far from where they begin, as `save_pretrained` writes it."""
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(**{**SETTINGS, **settings}))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
    model.save_pretrained(folder)
    return folder


def logits(folder: Path, ids: Tensor = IDS) -> Tensor:
    """What `transformers` computes; every key is there, and no other."""
    model, said = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not any(said.values()), said
    with torch.no_grad():
        found: Tensor = model.eval()(ids).logits
    return found


def with_config(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the config.json of a folder."""
    path = folder / "config.json"
    said = json.loads(path.read_text())
    change(said)
    path.write_text(json.dumps(said))
