"""mergekit's passthrough of one Llama, against `cp` of what it writes: a peer of `growlang grow`.

It runs in a Python of its own, in which `pip install mergekit` was run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

WIDTH, HIDDEN, WORDS, HEADS = 2048, 5632, 32_000, 16
MERGE = (
    "import sys\n"
    "from mergekit.config import MergeConfiguration\n"
    "from mergekit.merge import MergeOptions, run_merge\n"
    "asked = {'models': [{'model': sys.argv[1]}], 'merge_method': 'passthrough'}\n"
    "asked['dtype'] = 'bfloat16'\n"
    "options = {'copy_tokenizer': False, 'quiet': True, 'write_model_card': False}\n"
    "size = {'out_shard_size': int(sys.argv[3])}\n"
    "asked = MergeConfiguration.model_validate(asked)\n"
    "run_merge(asked, sys.argv[2], MergeOptions(**options, **size))\n"
)


def llama(gigabytes: float) -> tuple[dict[str, object], dict[str, tuple[int, ...]]]:
    """The config and the shapes, by their names, of a Llama of so many bytes in bf16."""
    block = 4 * WIDTH**2 + 3 * WIDTH * HIDDEN + 2 * WIDTH
    layers = max(1, round((gigabytes * 1e9 / 2 - 2 * WORDS * WIDTH) / block))
    config: dict[str, object] = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": WIDTH,
        "intermediate_size": HIDDEN,
        "num_hidden_layers": layers,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "vocab_size": WORDS,
        "dtype": "bfloat16",
    }
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (WORDS, WIDTH)}
    for number in range(layers):
        shapes |= {f"model.layers.{number}.{name}.weight": size for name, size in BLOCK.items()}
    shapes |= {"model.norm.weight": (WIDTH,), "lm_head.weight": (WORDS, WIDTH)}
    return config, shapes


BLOCK: Mapping[str, tuple[int, ...]] = {
    **{f"self_attn.{part}_proj": (WIDTH, WIDTH) for part in "qkvo"},
    "mlp.gate_proj": (HIDDEN, WIDTH),
    "mlp.up_proj": (HIDDEN, WIDTH),
    "mlp.down_proj": (WIDTH, HIDDEN),
    "input_layernorm": (WIDTH,),
    "post_attention_layernorm": (WIDTH,),
}
"""Shapes of the tensors of one layer."""


def write_config(config: Mapping[str, object], folder: Path) -> None:
    """As `transformers` reads it."""
    (folder / "config.json").write_text(json.dumps(config))
