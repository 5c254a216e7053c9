"""Files of strangers: no text in the net that weights carry reaches code."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tiny import net, plan

from growlang.diagnostics import GrowlangError
from growlang.net import Net
from growlang_runtime.export.denoiser_code import denoiser_code
from growlang_runtime.export.exporting import export
from growlang_runtime.storage.run import recorded_plan

EVIL = 'x""" + str(open("ran", "w")) + """'


def condition(stored: Any) -> None:
    next(i for i in stored["inputs"] if i["condition"])["condition"] = EVIL


def encoder(stored: Any) -> None:
    stored["encoders"][EVIL] = stored["encoders"].pop("text")


def scope(stored: Any) -> None:
    next(n for n in stored["nodes"] if "scope" in n)["scope"]["conditions"] = {EVIL: [4, 16]}


def side(stored: Any) -> None:
    stored["nodes"][-1]["shape"][0] = EVIL


PLACES: dict[str, Callable[[Any], None]] = {
    "name": lambda stored: stored.update(name=EVIL),
    "condition": condition,
    "encoder": encoder,
    "scope": scope,
    "side": side,
    "role": lambda stored: stored["inputs"][0].update(role=EVIL),
    "input": lambda stored: stored["inputs"][0].update(name=EVIL),
    "path": lambda stored: stored["nodes"][0].update(path=EVIL),
    "op": lambda stored: stored["nodes"][0].update(op=EVIL),
    "component": lambda stored: stored["components"][0].update(name=EVIL),
    "tensor": lambda stored: stored["nodes"][0]["tensors"][0].__setitem__(0, EVIL),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_name_that_is_none_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    stored = net().to_json()
    PLACES[place](stored)
    weights = {name: torch.zeros(tensor.shape) for name, tensor in net().table.items()}
    file = tmp_path / "model.safetensors"
    save_file(weights, file, {"format": "growlang", "net": json.dumps(stored)})
    wrong = "are no sides of a shape" if place == "side" else "is no (name|path)"
    with pytest.raises(GrowlangError, match=rf"net in the metadata of .*x\"\"\".* {wrong}"):
        export(file, "diffusers", tmp_path / "out")
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("place", PLACES)
def test_a_plan_with_such_a_name_is_no_plan(tmp_path: Path, place: str) -> None:
    stored = json.loads(plan().model_dump_json())
    PLACES[place](stored["net"])
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(stored))
    with pytest.raises(
        GrowlangError, match=r"cannot read its plan\.json: .*x\"\"\".* is no |sides"
    ):
        recorded_plan(tmp_path)


def test_what_is_stored_is_read_as_it_was() -> None:
    assert Net.from_json(net().to_json()) == net()


def test_text_stays_text_in_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = replace(net(), name=EVIL)
    exec(compile(denoiser_code(own, EVIL, "0"), "denoiser.py", "exec"), {"__name__": "denoiser"})
    assert not list(tmp_path.iterdir())
