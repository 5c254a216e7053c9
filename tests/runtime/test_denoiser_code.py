"""Nets and modules written as plain PyTorch: they compute what they did."""

import ast
from pathlib import Path
from typing import Any

import pytest
import torch
from fixture_specs import checked
from symmetries import alone, axes_of, calls
from tiny import net
from torch import nn

from growlang.diagnostics import GrowlangError
from growlang.net import Net
from growlang.ops import BUILT_IN, Condition
from growlang.torch_backend.initialisation import initialise
from growlang.torch_backend.lower import lower
from growlang_runtime.export.denoiser_code import PART, denoiser_code
from growlang_runtime.export.diffusers_folder import pipeline_code, require_same
from growlang_runtime.export.layers_code import Layers

FIXTURES = Path(__file__).parent.parent / "fixtures"
MODULES = [
    name
    for name, op in BUILT_IN.items()
    if op.called_as != "internal" and (op.has_tensors or not issubclass(op, Condition))
]
NETS = [
    *("retain/base", "retain/large", "retain/middle", "specs/blocks", "specs/grandchild"),
    *("specs/level", "specs/wavelet", "specs/own_images", "growth/to_eps", "growth/identity"),
    *("growth/copied_u", "exactness/long", "exactness/front_u_vit"),
    *("exactness/joint", "exactness/shared_layer", "exactness/numbered"),
]
"""Between them all that the compiler puts beside the ops: joints, skips, positions, generations."""


def random(module: nn.Module) -> dict[str, torch.Tensor]:
    """Weights none of which begins at zero."""
    generator = torch.Generator().manual_seed(0)
    state = module.state_dict()
    return {n: torch.randn(t.shape, generator=generator) for n, t in state.items()}


@pytest.mark.parametrize("name", MODULES)
def test_the_module_of_every_op_can_be_written(name: str) -> None:
    for call in calls(BUILT_IN[name], 8):
        one = alone(call, axes_of(call))
        module = one.module.get_submodule("op")
        writer = Layers(net())
        text = writer.expression(module)
        code = "\n\n".join([writer.flat.header(), PART, writer.flat.body(), f"made = {text}"])
        assert "growlang" not in code
        space: dict[str, Any] = {}
        exec("from typing import Any\nimport torch\nfrom torch import Tensor, nn\n" + code, space)
        space["made"].eval()
        tables = [w for n, w in one.weights.items() if n.startswith("table_")]
        own = {n: w for n, w in one.weights.items() if not n.startswith("table_")}
        given = (*one.values, *tables)
        found = torch.func.functional_call(space["made"], own, given)
        assert space["made"].state_dict().keys() == own.keys()
        assert torch.equal(found, one())


@pytest.mark.parametrize("name", NETS)
def test_a_written_net_computes_the_same(name: str) -> None:
    own: Net = checked(FIXTURES / f"{name}.grow").net
    module = initialise(lower(own, "meta"), own, 0)
    code = denoiser_code(own, "v", "0")
    require_same(code, own, {n: t + 0.1 for n, t in module.state_dict().items()})


def test_every_kind_of_node_is_in_these_nets() -> None:
    ops = {node.op for name in NETS for node in checked(FIXTURES / f"{name}.grow").net.nodes}
    internal = {n for n, op in BUILT_IN.items() if op.called_as == "internal"} - {"fade"}
    assert internal <= ops, "fade is of a bridge, which ends with the run"


@pytest.mark.parametrize("text", [denoiser_code(net(), "v", "0"), pipeline_code()])
def test_the_files_are_flat(text: str) -> None:
    """diffusers copies one file, and looks for its imports at the start of lines."""
    tree = ast.parse(text)
    at_top = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    everywhere = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    assert at_top == everywhere
    assert not [n for n in at_top if isinstance(n, ast.ImportFrom) and n.level]
    assert "import growlang" not in text
    assert "from growlang" not in text
    assert max(map(len, text.split("\n"))) <= 100


def test_code_that_computes_something_else_is_noticed() -> None:
    code = denoiser_code(net(), "v", "0")
    weights = random(lower(net(), "cpu"))
    require_same(code, net(), weights)
    with pytest.raises(GrowlangError, match="does not compute what the net does"):
        require_same(code.replace("return skip + branch", "return skip - branch"), net(), weights)


class Buffered(nn.Module):
    """A module that cannot be written: it has a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.zeros(3))


class Holding(nn.Module):
    """A module that cannot be written: an attribute is no plain value."""

    def __init__(self) -> None:
        super().__init__()
        self.device = torch.device("cpu")


@pytest.mark.parametrize(
    ("module", "match"),
    [
        (Buffered(), "Buffered has buffers"),
        (Holding(), "its attribute `device` is a device"),
        (nn.LSTM(2, 2), "it has a layer LSTM, which the export does not know"),
    ],
)
def test_a_module_that_cannot_be_written_is_named(module: nn.Module, match: str) -> None:
    with pytest.raises(GrowlangError, match=match):
        Layers(net()).expression(module)
