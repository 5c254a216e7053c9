"""A checkpoint on the disk becomes that of the child: the same numbers as in memory."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch
from checkpoints import NAMES, contents, read, same_bits, trained, write_index
from fixture_specs import SHIPPED, SPECS, checked, growlang
from safetensors.torch import load_file

from growlang import initial_values
from growlang.checking import Checked
from growlang.diagnostics import GrowlangError
from growlang.growth.transforms import Expand
from growlang.net import Tensor as Declared
from growlang.plans.tensor_file import read_header
from growlang.plans.tensor_index import read_index
from growlang.torch_backend import streaming
from growlang.torch_backend.initialisation import draw
from growlang.torch_backend.tensor_files import write_tensors
from growlang.transferring import drawing, expanding, jobs, writing
from growlang.transferring.copying import rounded, widened
from growlang.transferring.folder import opened
from growlang.transferring.jobs import Stopped
from growlang.transferring.layout import layout
from growlang.transferring.tensors import Copied, Drawn, Made
from growlang.transferring.transfer import transfer
from growlang.transferring.writing import Writing

OWN_LOOP = SHIPPED.parent / "examples" / "own_loop"
CHILD = OWN_LOOP / "large.grow"
GROWTH = SPECS.parent / "growth"
GROWN = sorted(
    path
    for path in (*GROWTH.glob("*.grow"), SPECS / "child.grow", SPECS / "grandchild.grow", CHILD)
    if " grows " in path.read_text()
)


def parent_file(path: Path, child: Checked, dtype: str = "F32") -> Path:
    assert child.parent is not None
    write_tensors(path, trained(child.parent.net, dtype), {})
    return path


@pytest.mark.parametrize("path", GROWN, ids=lambda path: path.stem)
@pytest.mark.parametrize("block", [16, 1 << 20])
def test_it_is_what_the_mapping_makes_in_memory(
    path: Path, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "BLOCK", block)
    monkeypatch.setattr(drawing, "BLOCK", max(1, block - 3))
    monkeypatch.setattr(expanding, "BLOCK", max(1, block - 5))
    monkeypatch.setattr(writing, "PIECE", block)
    child = checked(path)
    assert child.mapping is not None
    parent = parent_file(tmp_path / "parent.safetensors", child)
    transfer(parent, child, tmp_path / "out")
    seed = child.phases(child.recipes[0])[0].settings.seed if child.recipes else 0
    wanted = child.mapping.apply(read(tmp_path), seed=seed)
    found = read(tmp_path / "out")
    assert found.keys() == wanted.keys()
    assert [name for name in wanted if not same_bits(found[name], wanted[name])] == []


@pytest.mark.parametrize("init", ["linear", "embedding", "position", "zeros", "ones", "identity"])
@pytest.mark.parametrize("shape", [(17, 17), (16, 16, 3, 3), (5,)])
def test_new_tensors_are_those_that_are_drawn_in_memory(
    init: str, shape: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if init == "identity" and len(shape) < 2:
        pytest.skip("no map")
    monkeypatch.setattr(initial_values, "GROUP", 48)
    monkeypatch.setattr(drawing, "BLOCK", 47)
    declared = Declared("core.new.weight", shape, init)
    made = [Made(declared.name, dtype, shape, Drawn(init, 5)) for dtype in ("F32",)]
    files = layout(made, 1 << 30, {})
    with opened(tmp_path / "out", files, {}) as folder, ExitStack() as stack:
        Writing(stack, (), lambda count: None, check=False, sums=False).write(folder)
        folder.complete()
    assert same_bits(read(tmp_path / "out")[declared.name], draw(declared, 5))


def test_a_file_that_was_stopped_on_the_way_does_not_get_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later transfer would take it for whole."""
    monkeypatch.setattr(jobs.os, "cpu_count", lambda: 1)
    monkeypatch.setattr(jobs, "THREADS", 1)
    write_tensors(tmp_path / "a.safetensors", {"a": torch.ones(4), "b": torch.ones(4)}, {})
    index = read_index(tmp_path / "a.safetensors")
    works = {"a": Copied(index.tensors["b"]), "b": Copied(index.tensors["a"])}  # two runs
    files = layout([Made(name, "F32", (4,), work) for name, work in works.items()], 1 << 30, {})
    with opened(tmp_path / "out", files, {}) as folder, ExitStack() as stack:
        started = Writing(stack, index.files, lambda _: stop(), check=False, sums=False)
        stop = started._stopped.set
        started.write(folder)
        with pytest.raises(Stopped):
            started._compute(folder.temporary(files.shards[0]), files.shards[0].tensors[0])
    assert not (tmp_path / "out" / files.names[0]).exists()


def test_kept_tensors_and_linear_maps_need_no_torch(tmp_path: Path) -> None:
    child = checked(SPECS / "child.grow")
    parent = parent_file(tmp_path / "parent.safetensors", child)
    code = (
        "import sys\nfrom growlang.cli import main\n"
        f"sys.argv = ['growlang', 'grow', {str(parent)!r}, {str(SPECS / 'child.grow')!r}, "
        f"'-o', {str(tmp_path / 'out')!r}]\n"
        "try:\n    main()\nexcept SystemExit as done:\n    assert not done.code\n"
        "assert 'torch' not in sys.modules, 'torch'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert (tmp_path / "out" / "model.safetensors").exists()


@pytest.mark.parametrize("given", NAMES)
@pytest.mark.parametrize("wanted", NAMES)
def test_dtypes_are_changed_as_pytorch_does(given: str, wanted: str) -> None:
    values = torch.cat(
        [
            torch.randn(10_000, generator=torch.Generator().manual_seed(1)),
            torch.tensor([0.0, -0.0, 1 + 2**-8, 1 + 3 * 2**-8, 1e-7, -6e-8, 60000.0, 2**-24]),
        ]
    ).to(NAMES[given])
    data = values.view(torch.uint8).numpy().tobytes()
    found = rounded(widened(data, given), wanted, "x").tobytes()
    assert found == values.to(NAMES[wanted]).view(torch.uint8).numpy().tobytes()


def test_grown_tensors_of_half_precision_are_computed_in_float32(tmp_path: Path) -> None:
    child = checked(CHILD)
    assert child.mapping is not None
    parent = parent_file(tmp_path / "parent.safetensors", child, "BF16")
    wide = {name: tensor.float() for name, tensor in read(tmp_path).items()}
    wanted = child.mapping.apply(wide)
    for dtype in (None, "f32", "f16"):
        transfer(parent, child, tmp_path / str(dtype), dtype=dtype)
        own = NAMES["BF16"] if dtype is None else NAMES[dtype.upper()]
        found = read(tmp_path / str(dtype))
        assert [n for n in wanted if not same_bits(found[n], wanted[n].to(own))] == []


def test_a_grown_number_that_its_dtype_cannot_hold_is_refused(tmp_path: Path) -> None:
    child = checked(CHILD)
    assert child.parent is not None
    assert child.mapping is not None
    tensors = trained(child.parent.net)
    steps = [e.transform for e in child.mapping if isinstance(e.transform, Expand)]
    grown = next(s.source for s in steps if expanding.is_expanded(s) and not s.weight)
    tensors[grown].view(-1)[0] = torch.finfo(torch.float32).max  # rounds to infinity in bf16
    write_tensors(tmp_path / "parent.safetensors", tensors, {})
    transfer(tmp_path / "parent.safetensors", child, tmp_path / "whole")
    with pytest.raises(GrowlangError, match=r"has numbers that BF16 cannot hold"):
        transfer(tmp_path / "parent.safetensors", child, tmp_path / "out", dtype="bf16")
    assert not (tmp_path / "out").exists()


def test_the_bytes_do_not_depend_on_how_the_parent_is_stored(tmp_path: Path) -> None:
    child = checked(CHILD)
    assert child.parent is not None
    tensors = trained(child.parent.net)
    write_tensors(tmp_path / "one.safetensors", tensors, {})
    first = transfer(tmp_path / "one.safetensors", child, tmp_path / "a", shard_size=100_000)
    assert len(first.files) > 3
    for files in (2, 5):
        index = write_index(tmp_path / str(files), tensors, files)
        transfer(index, child, tmp_path / f"b{files}", shard_size=100_000)
        assert contents(tmp_path / f"b{files}") == contents(tmp_path / "a")


def test_files_hold_what_the_index_says(tmp_path: Path) -> None:
    child = checked(CHILD)
    parent = parent_file(tmp_path / "parent.safetensors", child)
    done = transfer(parent, child, tmp_path / "out", shard_size=100_000)
    index = read_index(tmp_path / "out")
    assert done.files == (*index.files, index.path)
    assert list(index.tensors) != [] and index.tensors.keys() == child.net.table.keys()
    assert int(json.loads(index.path.read_text())["metadata"]["total_size"]) == index.bytes
    each = [[t.bytes for t in index.tensors.values() if t.file == f] for f in index.files]
    assert all(sum(sizes) <= 100_000 or len(sizes) == 1 for sizes in each)


def test_weights_of_a_grandparent_grow_over_two_generations(tmp_path: Path) -> None:
    grandchild = checked(SPECS / "grandchild.grow")
    child = grandchild.parent
    assert child is not None and child.parent is not None
    old = parent_file(tmp_path / "old.safetensors", child)
    transfer(old, grandchild, tmp_path / "direct")
    transfer(old, child, tmp_path / "middle")
    transfer(tmp_path / "middle", grandchild, tmp_path / "steps")
    direct, steps = read(tmp_path / "direct"), read(tmp_path / "steps")
    assert [n for n in direct if not same_bits(direct[n], steps[n])] == []


def test_what_is_written_is_read_as_weights(tmp_path: Path) -> None:
    from growlang_runtime.storage.weights import load

    child = checked(CHILD)
    parent = parent_file(tmp_path / "parent.safetensors", child)
    for limit in (1 << 30, 100_000):
        out = tmp_path / str(limit)
        transfer(parent, child, out, shard_size=limit)
        weights = load(out)
        assert weights.net.net_hash == child.net.net_hash
        found = read(out)
        assert [n for n in found if not same_bits(found[n], weights.tensors[n])] == []
    a, b = tmp_path / str(1 << 30), tmp_path / "100000"
    assert "the weights" in growlang("diff", a, b).out
    assert growlang("diff", "--exit-code", a, b).status == 0


def test_the_command_says_what_became_of_the_tensors(tmp_path: Path) -> None:
    parent = parent_file(tmp_path / "parent.safetensors", checked(CHILD))
    run = growlang("grow", parent, CHILD, "-o", tmp_path / "out", "--shard-size", "100KB")
    assert run.status == 0, run.err
    assert "7 copied (8.4 k), 32 expanded (159.8 k)" in run.out
    assert "32.81 KiB copied, 624.4 KiB computed" in run.out
    assert "files and model.safetensors.index.json" in run.out


RECORDED = SPECS.parent / "runs" / "0.1"


@pytest.mark.parametrize("place", ["runs/core_8/main", "runs/core_8/main@30", "runs/core_8/long"])
def test_a_run_is_grown_and_what_is_left_out_is_said(place: str, tmp_path: Path) -> None:
    run = growlang("grow", RECORDED / place, RECORDED / "grown_16.grow", "-o", tmp_path / "out")
    assert run.status == 0, run.err
    is_finished = place == "runs/core_8/main"
    said = "Left out: weights (31.61 KiB), moments of the optimizer (63.22 KiB); `train` takes"
    assert (said in " ".join(run.out.split())) is not is_finished
    file = RECORDED / place.partition("@")[0]
    file = file / "model.safetensors" if is_finished else next(file.rglob("state.safetensors"))
    prefix = "" if is_finished else "ema."
    given = load_file(file)
    found = read(tmp_path / "out")
    kept = [name for name in found if name.startswith("core.")]
    assert kept and all(same_bits(found[name], given[prefix + name]) for name in kept)


def test_of_several_averages_the_first_is_grown(tmp_path: Path) -> None:
    run = RECORDED / "runs" / "core_8" / "long" / "checkpoints" / "step_00000013"
    copied = shutil.copytree(run, tmp_path / run.name)
    state = copied / "state.safetensors"
    given = {name: tensor.clone() for name, tensor in load_file(state).items()}
    metadata = read_header(state).metadata
    averages = {n.replace("ema.", "ema.0."): t for n, t in given.items() if n.startswith("ema.")}
    others = {n.replace("ema.0.", "ema.1."): t + 1 for n, t in averages.items()}
    weights = {n: t for n, t in given.items() if n.startswith("model.")}
    write_tensors(state, weights | averages | others, metadata)
    record = json.loads((copied / "state.json").read_text())
    record["files"][state.name] = {
        "bytes": state.stat().st_size,
        "sha256": hashlib.sha256(state.read_bytes()).hexdigest(),
    }
    (copied / "state.json").write_text(json.dumps(record))
    done = transfer(copied, checked(RECORDED / "grown_16.grow"), tmp_path / "out")
    found = read(tmp_path / "out")
    kept = [name for name in found if name.startswith("core.")]
    assert kept and all(same_bits(found[name], given[f"ema.{name}"]) for name in kept)
    assert done.left.keys() == {"weights", "averages"}


def test_the_maps_of_a_bridge_begin_at_zero(tmp_path: Path) -> None:
    from growlang.planning import plan
    from growlang_runtime.train.bridge import bridge_of

    child = checked(SPECS.parent / "retain" / "bridged.grow")
    assert child.mapping is not None
    parent = parent_file(tmp_path / "parent.safetensors", child)
    transfer(parent, child, tmp_path / "out")
    planned = plan(child)
    zeros = bridge_of(planned).zeros
    seed = planned.phases[0].settings.seed
    wanted = dict(child.mapping.apply(read(tmp_path), seed=seed))
    assert any(wanted[name].any() for name in zeros)
    wanted |= {name: torch.zeros_like(wanted[name]) for name in zeros}
    found = read(tmp_path / "out")
    assert [name for name in wanted if not same_bits(found[name], wanted[name])] == []
