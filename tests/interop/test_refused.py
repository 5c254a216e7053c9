"""What is no model of the spec's is refused by name, and nothing is written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from fixture_specs import assert_golden, checked, edited
from fixture_specs import growlang as command
from gpt2 import SMALL, SPECS, save, with_config
from safetensors.torch import load_file, save_file
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.interop.importing import import_hf

TABLE = SPECS.parent.parent.parent / "growlang" / "interop" / "tables" / "gpt2.yaml"


class Case(NamedTuple):
    """A folder, a spec and a table, in the folder where the command runs."""

    folder: Path
    spec: Path
    table: Path


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GPT-2 as `save_pretrained` writes it."""
    return save(tmp_path_factory.mktemp("hf") / "small")


def tensors(change: Callable[[dict[str, Tensor]], None]) -> Callable[[Case], None]:
    """Change the tensors of the folder."""

    def apply(case: Case) -> None:
        found = load_file(case.folder / "model.safetensors")
        change(found)
        save_file(found, case.folder / "model.safetensors")

    return apply


def config(**settings: object) -> Callable[[Case], None]:
    """Change the config of the folder."""
    return lambda case: with_config(case.folder, lambda said: said.update(settings))


def spec(*edits: tuple[str, str]) -> Callable[[Case], None]:
    """Change the spec."""
    return lambda case: edited(SMALL, case.spec, *edits) and None


def table(*changes: tuple[str, str]) -> Callable[[Case], None]:
    """Give a table of one's own, which is growlang's but for some changes."""

    def write(case: Case) -> None:
        text = TABLE.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        case.table.write_text(text)

    return write


def renamed(found: dict[str, Tensor]) -> None:
    found["transformer.h.0.attention.bias"] = found.pop("transformer.h.0.attn.c_proj.bias")


def turned(found: dict[str, Tensor]) -> None:
    for name, tensor in found.items():
        if name.endswith("c_fc.weight"):
            found[name] = tensor.T.contiguous()


def broken(found: dict[str, Tensor]) -> None:
    found["transformer.h.1.mlp.c_fc.weight"][3, 4] = torch.inf


def deeper(found: dict[str, Tensor]) -> None:
    for name in [n for n in found if n.startswith("transformer.h.1.")]:
        found[name.replace("h.1.", "h.2.")] = found[name].clone()


def pickled(case: Case) -> None:
    (case.folder / "model.safetensors").unlink()
    torch.save({}, case.folder / "pytorch_model.bin")


CASES: dict[str, Callable[[Case], None]] = {
    "another_name": tensors(renamed),
    "not_transposed": tensors(turned),
    "more_blocks": tensors(deeper),
    "not_finite": tensors(broken),
    "another_head": tensors(lambda f: f.update({"lm_head.weight": torch.zeros(61, 24)})),
    "whole_numbers": tensors(
        lambda f: f.update({"transformer.wpe.weight": torch.ones(16, 24).int()})
    ),
    "heads": spec(("heads = 3", "heads = 4")),
    "activation": spec(("gelu_tanh(4)", "4")),
    "eps": spec((", eps = 1e-5) * 2", ") * 2")),
    "eps_of_the_end": spec(("tied = true, eps = 1e-5", "tied = true")),
    "untied": spec(("tied = true, ", "")),
    "depth": spec(("* 2", "* 3")),
    "widths": spec(("param width = 24", "param width = 48")),
    "not_causal": spec(("causal = true, ", "")),
    "qk_norm": spec(("qk_norm = false, ", "")),
    "more_in_the_spec": spec(("stem  embed(width)", "stem  embed(width) | linear(width)")),
    "sines": spec(("core  tr", "core (position = sincos) tr")),
    "unknown_activation": config(activation_function="swish"),
    "scaled_by_layer": config(scale_attn_by_inverse_layer_idx=True),
    "unknown_model": config(model_type="gptt"),
    "settings_of_other_types": config(n_embd=None, n_head="3", activation_function=[]),
    "no_model_type": config(model_type=None),
    "no_config": lambda case: (case.folder / "config.json").unlink(),
    "no_json": lambda case: (case.folder / "config.json").write_text("{") and None,
    "pickled": pickled,
    "table_of_another": table(("model_type: gpt2", "model_type: bert")),
    "table_without_a_name": table(("  - {theirs: transformer.ln_f.bias", "  # - {theirs: x")),
    "table_with_a_slip": table(("transpose: true", "transposed: true")),
    "table_that_is_twice": table(("transformer.ln_f.weight", "transformer.ln_f.bias")),
    "table_with_a_fact_of_none": table(("fact: heads", "fact: hats")),
    "table_with_a_key_twice": table(("architecture:", "model_type: gpt3\narchitecture:")),
    "table_with_a_copy_that_is_twice": table(
        ("theirs: transformer.wpe.weight", "theirs: transformer.wte.weight")
    ),
    "table_with_a_key_that_is_no_string": table(("config:", "config:\n  on: {}")),
    "table_with_no_date": table(("default: 12", "default: 2024-13-01")),
    "table_with_five_mistakes": table(
        ("{theirs: transformer.wte", "{their: transformer.wte"),
        ("ours: core.position", "ours: [1, core.position]"),
        ("transpose: true", "transpose: 1"),
        ("prefix:", "library: transformer\nprefix:"),
        ("fact: heads, ", ""),
    ),
    "table_that_is_no_yaml": table(("tensors:", "tensors: [")),
}


@pytest.mark.parametrize("name", CASES)
def test_what_does_not_fit_is_refused(
    name: str,
    original: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.chdir(tmp_path)
    case = Case(Path("hf"), Path("small.grow"), Path("table.yaml"))
    os.mkdir("hf")
    for file in original.iterdir():
        (case.folder / file.name).write_bytes(file.read_bytes())
    case.spec.write_text(SMALL.read_text())
    CASES[name](case)
    options = ["--table", case.table] if case.table.exists() else []
    run = command("import", "hf", case.folder, "--as", case.spec, "-o", "a.safetensors", *options)
    assert (run.status, run.out) == (2, "")
    assert not list(Path().glob("*a.safetensors*"))
    golden = SPECS / "refused" / f"{name}.txt"
    assert_golden(golden, run.err, bool(request.config.getoption("--update")))


def test_what_exists_is_not_written_over(original: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_text("mine")
    run = command("import", "hf", original, "--as", SMALL, "-o", path)
    assert run.status == 2 and "overwrite with --force" in run.err
    assert path.read_text() == "mine"
    assert command("import", "hf", original, "--as", SMALL, "-o", path, "--force").status == 0


def test_a_full_disk_leaves_nothing(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("growlang.interop.importing.bytes_of", full)
    with pytest.raises(OSError, match="No space left"):
        import_hf(original, checked(SMALL), tmp_path / "a.safetensors")
    assert list(tmp_path.iterdir()) == []


EXPORTS = {
    "head_width": ("heads = 3", "heads = 2, head_width = 8"),
    "not_causal": ("causal = true, ", ""),
    "rms": ("eps = 1e-5) * 2", "norm = rms, eps = 1e-5) * 2"),
    "linear": ("stem  embed(width)", "stem  embed(width) | linear(width)"),
    "eps_of_both": ("tied = true, eps = 1e-5", "tied = true"),
    "sines": ("core  tr", "core (position = sincos) tr"),
    "untied": ("tied = true, ", "tied = false, "),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_what_the_config_cannot_say_is_not_exported(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    import growlang

    monkeypatch.chdir(tmp_path)
    spec = edited(SMALL, Path("small.grow"), EXPORTS[name])
    compiled = growlang.compile(spec)
    compiled.save("a.safetensors", compiled.module())
    run = command("export", "a.safetensors", "--to", "hf", "-o", "out")
    if name == "untied":
        assert run.status == 0
        return
    assert run.status == 2
    assert not Path("out").exists()
    golden = SPECS / "refused" / f"export_{name}.txt"
    assert_golden(golden, run.err, bool(request.config.getoption("--update")))


def test_a_file_and_a_pipe_are_no_folder_of_a_model(original: Path, tmp_path: Path) -> None:
    with pytest.raises(GrowlangError, match=r"config\.json is no folder"):
        import_hf(original / "config.json", checked(SMALL), tmp_path / "out.safetensors")
    os.mkfifo(tmp_path / "config.json")  # to open it would wait for ever
    with pytest.raises(GrowlangError, match="it is not a regular file"):
        import_hf(tmp_path, checked(SMALL), tmp_path / "out.safetensors")
