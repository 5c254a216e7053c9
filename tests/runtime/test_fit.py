"""Weight files that do not fit: every path by which they come in says so, and what helps."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from fixture_specs import Run, growlang
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny import write_data
from torch import Tensor

from growlang.torch_backend.tensor_files import contents_hash
from growlang_runtime.storage.weights import load

SPEC = """grow 1
model base {{
  image = image(8)
  time = fourier(8)
  stem patch(2, 8)
  core @ 4 transformer(8, heads = 2, mlp = {mlp})
  head unpatch(2)
}}
data shades = webdataset("data.tar", image = "png")
train main {{ data = shades  batch = 2  phase all for 2 }}
train again {{ data = shades  batch = 2  start = "given.safetensors"  phase all for 2 }}
"""
CHILD = """grow 1
model child grows "base.grow" {
  keep core, time
  drop stem, head
  image = image(16)
  stem conv(6)
  stage @ 16 residual(6)
  stage @ 8 residual(6)
  head conv(3)
}
train { moments = carry  phase all for 2 }
"""
POSITION, UP = "core.position", "core.transformer.0.mlp.up.weight"

Tensors = dict[str, Tensor]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two specs of other sizes and a child, with a run of each of the two."""
    folder = write_data(tmp_path_factory.mktemp("fit"))
    (folder / "base.grow").write_text(SPEC.format(mlp=4))
    (folder / "child.grow").write_text(CHILD)
    (folder / "small").mkdir()
    (folder / "small" / "base.grow").write_text(SPEC.format(mlp=2))
    for spec, out in (("base.grow", "runs"), ("small/base.grow", "small/runs")):
        run = train(folder, spec, "main", out, "--checkpoint-every", "1")
        assert run.status == 0, run.err
    return folder


def train(folder: Path, spec: str, recipe: str, out: str, *flags: str) -> Run:
    roots = ["--data-root", folder, "--out", folder / out]
    return growlang("train", folder / spec, "--recipe", recipe, *roots, *flags)


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """A copy of what was trained, which a test may spoil."""
    return shutil.copytree(trained, tmp_path / "copy")


def original(folder: Path) -> Path:
    return folder / "runs/base/main/model.safetensors"


def spoilt(folder: Path, change: Callable[[Tensors], Tensors], path: Path | None = None) -> Path:
    """`given.safetensors`, or another file: the run's tensors after a change, with its metadata."""
    source, path = original(folder), path or folder / "given.safetensors"
    with safe_open(source, framework="pt") as file:
        metadata = file.metadata()
    save_file(change(load_file(source)), path, metadata)
    return path


class Case(NamedTuple):
    """A change of a file's tensors, and what every command says of it."""

    change: Callable[[Tensors], Tensors]
    words: tuple[str, ...]


def renamed(rename: Callable[[str], str]) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {rename(name): tensor for name, tensor in tensors.items()}


def without(*names: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {n: t for n, t in tensors.items() if n not in names}


def replaced(name: str, change: Callable[[Tensor], Tensor]) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {**tensors, name: change(tensors[name]).contiguous()}


def with_value(value: float) -> Callable[[Tensor], Tensor]:
    return lambda tensor: (
        tensor.clone().view(-1).index_fill(0, torch.tensor([5]), value).view_as(tensor)
    )


CASES = {
    "prefix": Case(
        renamed("module.{}".format),
        ("missing: `", "and 22 more", "not in the net: `module.", "strip it", "DataParallel"),
    ),
    "two prefixes": Case(
        renamed("model._orig_mod.{}".format), ("the names begin with `model._orig_mod.`", "strip")
    ),
    "a prefix and a loss": Case(
        lambda t: renamed("net.{}".format)(without(POSITION)(t)),
        ("the names begin with `net.`; without it, 1 missing: `core.position` 16x8",),
    ),
    "compiled within": Case(
        renamed(lambda n: n.replace("core.", "core._orig_mod.")),
        ("`_orig_mod.` is in the names; torch.compile", "take it out"),
    ),
    "one missing": Case(
        without(POSITION), ("1 missing: `core.position` 16x8\n", "name weights that")
    ),
    "one more": Case(
        lambda t: {**t, "extra.weight": torch.zeros(2)},
        ("1 not in the net: `extra.weight` 2\n", "leave them out"),
    ),
    "a name that is no text": Case(
        lambda t: {**t, "\x1b[31m" + "x" * 999: torch.zeros(2)},
        ("1 not in the net: `\\x1b[31mxxx",),
    ),
    "a part alone": Case(
        lambda t: {n.removeprefix("core."): v for n, v in t.items() if n.startswith("core.")},
        ("they are the tensors of `core` alone",),
    ),
    "nothing in common": Case(
        lambda _: {"unet.conv_in.weight": torch.zeros(3, 3)},
        ("from another net or another library",),
    ),
    "broadcast": Case(
        replaced(POSITION, lambda t: t[0]),
        ("1 of another shape: `core.position` is 8 and not 16x8 (it would be broadcast)",),
    ),
    "transposed": Case(replaced(UP, lambda t: t.T), ("is 8x32 and not 32x8 (transposed)",)),
    "flat": Case(replaced(UP, torch.flatten), ("is 256 and not 32x8 (reshaped)",)),
    "integers": Case(
        replaced(POSITION, lambda t: t.round().long()),
        ("1 not F32, F16 or BF16: `core.position` is I64", "(quantised, or indices)"),
    ),
    "truths": Case(replaced(POSITION, lambda t: t > 0), ("`core.position` is BOOL",)),
    "doubles": Case(
        lambda t: {n: v.double() for n, v in t.items()}, ("`core.position` is F64", "round them")
    ),
    "nan": Case(
        replaced(POSITION, with_value(float("nan"))),
        ("NaN or infinity is in 1 of 25 tensors: `core.position`\n",),
    ),
    "infinite halves": Case(
        lambda t: {n: v.half() for n, v in replaced(UP, with_value(1e5))(t).items()},
        (f"are not finite: NaN or infinity is in 1 of 25 tensors: `{UP}`",),
    ),
}


def sample(weights: Path) -> Run:
    return growlang("sample", weights, "-p", "", "-o", weights.with_name("grid.png"))


def run_help(told: Run) -> None:
    """Run the command that a help ends in, here: an interpreter that loads PyTorch takes long."""
    *command, code = shlex.split(told.err.split("instead: ")[1])
    assert command == ["python", "-c"]
    exec(code, {})


def refused(run: Run, case: Case) -> None:
    assert (run.status, "G901" in run.err) == (2, False), run.err
    for words in case.words:
        assert words in run.err, run.err


@pytest.mark.parametrize("name", CASES)
def test_a_file_that_does_not_fit_is_refused_on_every_path(folder: Path, name: str) -> None:
    case = CASES[name]
    file = spoilt(folder, case.change)
    refused(growlang("diff", folder / "base.grow", file), case)
    refused(growlang("diff", file, folder / "child.grow"), case)
    refused(sample(file), case)
    refused(train(folder, "base.grow", "again", "new"), case)
    spoilt(folder, case.change, original(folder))
    refused(train(folder, "child.grow", "main", "runs"), case)
    assert not (folder / "new").exists()
    assert not (folder / "grid.png").exists()
    assert not (folder / "runs/child/main").exists()


@pytest.mark.parametrize(
    "name", ["prefix", "two prefixes", "compiled within", "one more", "doubles"]
)
def test_the_command_of_the_help_makes_a_file_that_fits(folder: Path, name: str) -> None:
    file = spoilt(folder, CASES[name].change, folder / "it's given.safetensors")
    run_help(growlang("diff", folder / "base.grow", file))
    found = load(folder / "it's given_fixed.safetensors")
    assert contents_hash(found.tensors) == contents_hash(load(original(folder)).tensors)
    assert found.metadata == load(original(folder)).metadata


def test_a_checkpoints_file_away_from_its_folder_is_known(folder: Path) -> None:
    state = folder / "runs/base/main/checkpoints/step_00000002/state.safetensors"
    averages = load(state).tensors
    for name in ("given.safetensors", "state.safetensors"):
        file = Path(shutil.copy(state, folder / name))
        told = sample(file)
        refused(told, Case(dict, ("the full-state file of a checkpoint, outside its folder",)))
        run_help(told)
        found = load(file.with_name(f"{file.stem}_fixed.safetensors"))
        assert contents_hash(found.tensors) == contents_hash(averages)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened_and_said(folder: Path, dtype: torch.dtype) -> None:
    file = spoilt(folder, lambda tensors: {n: t.to(dtype) for n, t in tensors.items()})
    words = f"{file} is in {'F16' if dtype == torch.float16 else 'BF16'}, which is widened to F32"
    assert words in growlang("diff", folder / "base.grow", file).out
    run = sample(file)
    assert (run.status, f"warning: {words}" in run.err) == (0, True)
    run = train(folder, "base.grow", "again", "new")
    assert (run.status, f"warning: {words}" in run.err) == (0, True)
    begun = load(file).tensors
    for name, tensor in load_file(original(folder)).items():
        assert torch.equal(begun[name], tensor.to(dtype).float())


def test_weights_of_another_size_are_refused_with_what_differs(folder: Path) -> None:
    shutil.copy(folder / "small/runs/base/main/model.safetensors", folder / "given.safetensors")
    run = train(folder, "base.grow", "again", "new")
    refused(run, Case(dict, ("3 of another shape", f"`{UP}` is 16x8 and not 32x8")))
    shutil.copytree(folder / "small/runs", folder / "runs", dirs_exist_ok=True)
    refused(train(folder, "child.grow", "main", "runs"), Case(dict, (f"`{UP}` is 16x8",)))


def test_a_checkpoint_of_another_net_is_not_resumed(folder: Path) -> None:
    (original(folder)).unlink()
    name = "checkpoints/step_00000002"
    shutil.rmtree(folder / "runs/base/main" / name)
    shutil.copytree(folder / "small/runs/base/main" / name, folder / "runs/base/main" / name)
    run = train(folder, "base.grow", "main", "runs", "--resume")
    words = ("do not fit the net base", f"`model.{UP}` is 16x8 and not 32x8")
    refused(run, Case(dict, words))
    checkpoint = folder / "runs/base/main" / name
    assert f"help: move {checkpoint} away" in run.err
    shutil.rmtree(checkpoint)
    assert train(folder, "base.grow", "main", "runs", "--resume").status == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b"\x80\x02}q\0.", "it is a pickle"),
        (b"PK\x03\x04\0\0\0\0", "it is a zip archive"),
        (None, "it is truncated"),
    ],
)
def test_a_file_that_is_none_gets_one_message_on_every_path(
    folder: Path, content: bytes | None, words: str
) -> None:
    file = folder / "given.safetensors"
    file.write_bytes(original(folder).read_bytes()[:-1] if content is None else content)
    case = Case(dict, ("is not a valid safetensors file", words))
    refused(growlang("diff", folder / "base.grow", file), case)
    refused(sample(file), case)
    refused(train(folder, "base.grow", "again", "new"), case)


def test_a_folder_without_weights_gets_one_message_on_every_path(folder: Path) -> None:
    (folder / "given.safetensors").mkdir()
    case = Case(dict, ("no weights at",))
    refused(growlang("diff", folder / "base.grow", folder / "given.safetensors"), case)
    refused(sample(folder / "given.safetensors"), case)
    refused(train(folder, "base.grow", "again", "new"), case)


@pytest.mark.parametrize("text", ["{", "[]", '{"optimizer": 3}'])
@pytest.mark.parametrize("key", ["settings", "sample", "net"])
def test_metadata_that_cannot_be_read_are_told(folder: Path, key: str, text: str) -> None:
    with safe_open(original(folder), framework="pt") as file:
        metadata = file.metadata() | {key: text}
    save_file(load_file(original(folder)), folder / "given.safetensors", metadata)
    run = sample(folder / "given.safetensors")
    refused(run, Case(dict, (f"the {key} in the metadata of", "cannot be read")))
