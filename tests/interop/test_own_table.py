"""A table of one's own: other names, queries, keys and values apart, or ours that are one there."""

from __future__ import annotations

from pathlib import Path

import torch
from fixture_specs import growlang as command
from gpt2 import SMALL, save
from safetensors.torch import load_file, save_file

import growlang
from growlang.interop.accounting import Pair
from growlang.interop.reading import TABLES
from growlang.interop.tensors import into_ours, into_theirs

FUSED = "theirs: transformer.h.{i}.attn.c_attn.weight"
PARTS = ", ".join(f'"transformer.h.{{i}}.attn.{n}.weight"' for n in "qkv")
APART = f"theirs: [{PARTS}]"


def test_queries_keys_and_values_may_be_apart_in_the_checkpoint(tmp_path: Path) -> None:
    folder = save(tmp_path / "hf")
    assert command("import", "hf", folder, "--as", SMALL, "-o", tmp_path / "a.safetensors")[0] == 0
    tensors = load_file(folder / "model.safetensors")
    for name in [n for n in tensors if n.endswith("c_attn.weight")]:
        parts = tensors.pop(name).chunk(3, 1)
        for letter, part in zip("qkv", parts, strict=True):
            tensors[name.replace("c_attn", letter)] = part.contiguous()
    save_file(tensors, folder / "model.safetensors")
    text = (TABLES / "gpt2.yaml").read_text()
    own = tmp_path / "own.yaml"
    own.write_text(text.replace(FUSED, APART))
    said = ("--as", SMALL, "-o", tmp_path / "b.safetensors", "--table", own)
    assert command("import", "hf", folder, *said).status == 0
    assert (tmp_path / "b.safetensors").read_bytes() == (tmp_path / "a.safetensors").read_bytes()
    growlang.export(tmp_path / "b.safetensors", "hf", tmp_path / "out", table=own)
    again = load_file(tmp_path / "out" / "model.safetensors")
    assert again.keys() == tensors.keys()
    assert all(torch.equal(again[name], tensors[name]) for name in tensors)


def test_ours_may_be_parts_of_one_of_theirs() -> None:
    pair = Pair(("fused",), ("q", "kv"), True, 0)
    shapes = {"q": (4, 3), "kv": (8, 3)}
    fused = torch.randn(3, 12)
    assert pair.expected(shapes) == {"fused": (3, 12)}
    ours = into_ours(pair, {"fused": fused}.__getitem__, shapes)
    assert torch.equal(ours["kv"], fused[:, 4:].T)
    assert torch.equal(into_theirs(pair, ours)["fused"], fused)
