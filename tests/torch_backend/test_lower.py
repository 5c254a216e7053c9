"""Lowering a net: names, values, gradients, readable code, and errors at the line of the spec."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fixture_specs import checked
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.utils.flop_counter import FlopCounterMode

from growlang.diagnostics import GrowlangError
from growlang.net import Net
from growlang.torch_backend.initialisation import initialise
from growlang.torch_backend.lower import LoweredNet, lower
from growlang.torch_backend.verification import draws

EXACTNESS = Path(__file__).parents[1] / "fixtures" / "exactness"


def batch(size: int = 2, device: str = "cpu") -> tuple[Tensor, ...]:
    """Values of the inputs of the small net."""
    mask = torch.ones(size, 5, dtype=torch.bool, device=device)
    mask[:, 3:] = False
    return (
        torch.randn(size, 3, 16, 16, device=device),
        torch.randn(size, device=device),
        torch.randint(0, 50, (size, 5), device=device),
        mask,
    )


@pytest.fixture
def module(net: Net) -> LoweredNet:
    """The small net on CPU, initialised."""
    lowered = lower(net)
    initialise(lowered, net, seed=0)
    return lowered


def test_state_dict_is_the_table(net: Net) -> None:
    module = lower(net)
    module.graph.lint()
    assert {k: tuple(v.shape) for k, v in module.state_dict().items()} == {
        k: t.shape for k, t in net.table.items()
    }
    assert not list(module.buffers())
    assert all(p.is_meta for p in module.parameters())


def test_a_net_from_json_lowers_to_the_same_code(net: Net) -> None:
    assert lower(Net.from_json(net.to_json())).code == lower(net).code


def test_code_reads_like_a_forward(net: Net) -> None:
    module = lower(net)
    assert [n.name for n in module.graph.nodes if n.op == "placeholder"] == [
        "image",
        "log_snr",
        "text_ids",
        "text_mask",
    ]
    lines = [line.split(";")[0].strip() for line in module.code.splitlines()]
    for expected in (
        'stem_patch_0 = getattr(self.stem.patch, "0")(image)',
        "core_position = self.core.position",
        "core = core_tokens + core_position",
        'core_transformer_0 = getattr(self.core.transformer, "0")(core, time, text, text_mask)',
        "core_grid = core_grid_flat.unflatten(2, (4, 4))",
        "return head_unpatch_0",
    ):
        assert expected in lines
    assert all(
        n.meta["span"].filename == "specs/small.grow"
        for n in module.graph.nodes
        if n.op not in ("placeholder", "output")
    )


def test_flops_of_the_nodes_are_those_of_the_module(net: Net) -> None:
    with FlopCounterMode(display=False) as counter:
        lower(net)(*batch(1, "meta"))
    assert sum(n.flops for n in net.nodes) == counter.get_total_flops()


def test_every_tensor_gets_a_gradient_within_two_steps(module: LoweredNet) -> None:
    """Zero factors in series: head, gates or last convolutions; so the third pass reaches all."""
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    reached: set[str] = set()
    for _ in range(3):
        values = batch()
        optimizer.zero_grad()
        out = module(*values)
        assert out.shape == values[0].shape
        (out - torch.randn_like(out)).square().mean().backward()
        for name, parameter in module.named_parameters():
            assert parameter.grad is None or parameter.grad.isfinite().all()
            if parameter.grad is not None and parameter.grad.count_nonzero():
                reached.add(name)
        optimizer.step()
    assert reached == set(module.state_dict())


def perturbed(module: LoweredNet) -> LoweredNet:
    """The module with noise on every parameter, so that nothing is zero."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape), alpha=0.1)
    return module


def test_a_frozen_core_lets_gradients_through(module: LoweredNet) -> None:
    core = perturbed(module).get_submodule("core").requires_grad_(False)
    module(*batch()).square().mean().backward()
    gradient = module.get_parameter("stem.patch.0.proj.weight").grad
    assert gradient is not None and gradient.count_nonzero()
    assert all(p.grad is None for p in core.parameters())


def test_masked_words_do_not_matter(module: LoweredNet) -> None:
    image, log_snr, ids, mask = batch()
    out = perturbed(module)(image, log_snr, ids, mask)
    ids[:, 3:] += 1
    assert torch.equal(module(image, log_snr, ids, mask), out)
    ids[:, 0] = (ids[:, 0] + 1) % 50
    assert not torch.equal(module(image, log_snr, ids, mask), out)


@pytest.mark.parametrize("args", [{"kind": "sincos"}, {"kind": "sincos", "height": 4, "width": 4}])
def test_sincos_positions_have_no_tensor(
    args: dict[str, Any], net_with_position: Callable[[dict[str, Any]], Net]
) -> None:
    net = net_with_position(args)
    module = lower(net)
    initialise(module, net, seed=0)
    assert "core.position" not in module.state_dict()
    table = next(n for n in module.graph.nodes if n.name == "core_position")
    tokens = torch.zeros(1, 16, 24)
    positions = table.target(tokens, *table.args[1:])
    assert positions.shape == (16, 24)
    assert len(positions.unique(dim=0)) == 16
    if "height" in args:
        assert torch.equal(positions[1, :12], positions[0, :12])  # the same row
        assert torch.equal(positions[4, 12:], positions[0, 12:])  # the same column
    assert module(*batch()).isfinite().all()


def test_an_error_inside_names_the_line_of_the_spec(module: LoweredNet) -> None:
    image, log_snr, ids, mask = batch()
    with pytest.raises(
        GrowlangError, match=r"specs/small\.grow:17:3 \(core\.transformer\.0\): "
    ) as e:
        module(image, log_snr, ids, mask[:, :3])
    assert isinstance(e.value.__cause__, RuntimeError)
    with pytest.raises(GrowlangError, match=r"specs/small\.grow:16:3 \(core\): "):
        module(torch.randn(2, 3, 32, 32), log_snr, ids, mask)
    with pytest.raises(
        GrowlangError, match=r"specs/small\.grow:21:3 \(stage\.8\.decode\.concat\.0\): "
    ):
        up: Any = module.get_submodule("stage.8.decode.up")
        up.factor = 1
        module(image, log_snr, ids, mask)


def test_other_failures_pass_as_they_are(module: LoweredNet) -> None:
    with pytest.raises(TypeError, match="missing"):
        module(torch.randn(2, 3, 16, 16))

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    module.get_submodule("core.transformer.0").register_forward_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        module(*batch())


def test_a_copy_computes_and_reports_the_same(module: LoweredNet) -> None:
    twin, values = copy.deepcopy(perturbed(module)), batch()
    assert torch.equal(twin(*values), module(*values))
    with pytest.raises(GrowlangError, match=r"specs/small\.grow:17:3"):
        twin(*values[:3], values[3][:, :3])


def test_a_path_that_hides_an_attribute_of_modules_is_refused(net: Net) -> None:
    first = replace(net.nodes[0], path="forward")
    with pytest.raises(GrowlangError, match=r"small\.grow:10:3: forward is a name") as error:
        lower(replace(net, nodes=(first, *net.nodes[1:])))
    assert error.value.help


def test_compilation_in_one_graph_keeps_the_values(module: LoweredNet) -> None:
    values = batch()
    expected = perturbed(module)(*values)
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(*values), expected)


@pytest.mark.parametrize(
    "name", ["front", "joint", "numbered", "shared", "turned", "vit_classifier"]
)
def test_what_tokens_pass_compiles_in_one_graph(name: str) -> None:
    net = checked(EXACTNESS / f"{name}.grow").net
    module = lower(net, "cpu").double().eval()
    module.load_state_dict(draws.weights(net, 0))
    values = draws.batch(net, 0)
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(*values), module(*values))


@pytest.fixture
def one_process(tmp_path: Path) -> Iterator[None]:
    """A process group of this process alone."""
    distributed.init_process_group("gloo", f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.usefixtures("one_process")
@pytest.mark.parametrize("wrapper", ["ddp", "fsdp"])
def test_parallel_wrappers_keep_the_values_and_the_messages(
    module: LoweredNet, wrapper: str
) -> None:
    values = batch()
    expected = perturbed(module)(*values)
    wrapped: Any = module
    if wrapper == "ddp":
        wrapped = nn.parallel.DistributedDataParallel(module)
    else:
        mesh = init_device_mesh("cpu", (1,))
        for path in ("core.transformer.0", "core.transformer.1"):
            fully_shard(module.get_submodule(path), mesh=mesh)
        fully_shard(module, mesh=mesh)
    torch.testing.assert_close(wrapped(*values), expected)
    with pytest.raises(GrowlangError, match=r"specs/small\.grow:17:3 \(core\.transformer\.0\): "):
        wrapped(*values[:3], values[3][:, :3])


def test_double_precision_is_kept(module: LoweredNet) -> None:
    """In fp64 the net agrees with itself in fp32 to fp32's precision, and computes beyond it."""
    image, log_snr, ids, mask = batch()
    single = perturbed(module)(image, log_snr, ids, mask)
    double = module.double()(image.double(), log_snr.double(), ids, mask)
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), single, rtol=1e-4, atol=1e-5)
    nudged = module((image.double() * (1 + 1e-10)), log_snr.double(), ids, mask)
    change = (nudged - double).abs().max()
    assert 0 < change < 1e-7
