from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tiny import net, plan, train, write_data

from growlang.diagnostics import GrowlangError
from growlang.torch_backend.tensor_files import contents_hash, tensor_hash
from growlang_runtime.storage.weights import Weights, load, load_moments, parent_weights


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_data(tmp_path_factory.mktemp("data"))
    return train(plan(), folder, quiet=True).run


def test_a_run_gives_its_finished_averages_or_its_raw_weights(run: Path) -> None:
    averages, raw = load(run), load(run, ema=False)
    assert (averages.path, averages.step) == (run / "model.safetensors", None)
    assert (raw.path, raw.step) == (run / "checkpoints" / "step_00000004", 4)
    assert averages.net == raw.net == net()
    assert averages.tensors.keys() == raw.tensors.keys() == net().table.keys()
    assert contents_hash(averages.tensors) != contents_hash(raw.tensors)


def test_a_checkpoint_and_a_file_are_read_too(run: Path) -> None:
    wanted = contents_hash(load(run).tensors)
    newest = run / "checkpoints" / "step_00000004"
    for path in (run / "model.safetensors", newest, newest / "state.safetensors"):
        assert contents_hash(load(path).tensors) == wanted


@pytest.mark.parametrize("text", ["{", "{}", "[]"])
def test_a_net_that_cannot_be_read_is_told(tmp_path: Path, text: str) -> None:
    save_file({"w": torch.ones(1)}, tmp_path / "a.safetensors", {"net": text})
    with pytest.raises(GrowlangError, match=r"the net in the metadata of .* cannot be read"):
        load(tmp_path / "a.safetensors")


def test_moments_come_from_the_newest_checkpoint(run: Path) -> None:
    for path in (run, run / "model.safetensors", run / "checkpoints" / "step_00000004"):
        moments = load_moments(path, net())
        assert moments.parts["first"].keys() == moments.parts["second"].keys() == net().table.keys()
        assert set(moments.steps.values()) == {4}


def test_a_missing_parent_names_the_command_that_makes_it() -> None:
    parent = plan(model=net("child"), parent=plan()).parent
    assert parent is not None
    with pytest.raises(GrowlangError, match="the parent tiny is not trained yet") as error:
        parent_weights(parent, Path("runs/tiny/main"), "main", ema=True)
    ways = "or add --with-parents, or name its run with --parent-run"
    assert error.value.help == f"train it first: growlang train tiny.grow, {ways}"
    with pytest.raises(GrowlangError) as error:
        parent_weights(parent, Path("my runs/tiny/long"), "long", ema=True)
    assert error.value.help == (
        f"train it first: growlang train tiny.grow --recipe long --out 'my runs', {ways}"
    )


def test_a_parent_of_another_net_is_refused_with_both_hashes(run: Path) -> None:
    other = net(residuals=2)
    parent = plan(model=net("child"), parent=plan(model=other)).parent
    assert parent is not None
    with pytest.raises(GrowlangError) as error:
        parent_weights(parent, run, "main", ema=True)
    assert net().net_hash[:12] in error.value.message
    assert other.net_hash[:12] in error.value.message


def test_what_holds_no_weights_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(GrowlangError, match="does not exist"):
        load(tmp_path / "nothing")
    with pytest.raises(GrowlangError, match=r"no model\.safetensors and no valid checkpoint"):
        load(tmp_path)
    (tmp_path / "cut.safetensors").write_bytes((run / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(GrowlangError, match="not a valid safetensors file: it is truncated"):
        load(tmp_path / "cut.safetensors")
    save_file({"w": torch.ones(1)}, tmp_path / "bare.safetensors")
    with pytest.raises(GrowlangError, match="does not say which net"):
        load(tmp_path / "bare.safetensors")


def test_a_hash_covers_values_shape_and_type() -> None:
    value = torch.arange(4.0)
    variants = [value, value + 1, value.view(2, 2), value.bfloat16(), value.int()]
    assert len({tensor_hash(v) for v in variants}) == 5
    assert tensor_hash(torch.arange(8.0)[::2]) == tensor_hash(torch.tensor([0.0, 2, 4, 6]))
    assert tensor_hash(torch.tensor(1.0)) != tensor_hash(torch.tensor([1.0]))


def test_semantics_that_are_no_number_are_told() -> None:
    assert Weights(Path("a"), net(), {}).semantics == 1
    with pytest.raises(GrowlangError, match="invalid `semantics` in the metadata of a: `two`"):
        _ = Weights(Path("a"), net(), {}, {"semantics": "two"}).semantics
