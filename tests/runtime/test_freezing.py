import pytest
import torch
from tiny import net

from growlang.diagnostics import GrowlangError
from growlang.torch_backend.initialisation import initialise
from growlang.torch_backend.lower import lower
from growlang_runtime.train.freezing import freeze, hashes, require_unchanged


def test_frozen_tensors_get_no_gradient_but_let_it_through() -> None:
    model = net()
    module = initialise(lower(model), model, 0)
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(torch.randn(weight.shape))
    frozen = {name for name in model.table if name.startswith("core")}
    freeze(module, frozen)
    ids, mask = torch.zeros(2, 4, dtype=torch.int64), torch.ones(2, 4, dtype=torch.bool)
    module(torch.randn(2, 1, 8, 8), torch.zeros(2), ids, mask).square().sum().backward()
    for name, weight in module.named_parameters():
        if name in frozen:
            assert weight.grad is None
        else:
            assert weight.grad is not None
            assert weight.grad.abs().sum() > 0, name


def test_wholly_frozen_modules_run_without_dropout() -> None:
    model = net(dropout=0.5)
    module = initialise(lower(model), model, 0)
    freeze(module, {n for n in model.table if n.startswith("stem.residual")})
    assert not module.get_submodule("stem.residual.0").training
    assert module.get_submodule("core.transformer.0").training
    freeze(module, {"stem.residual.0.conv1.weight"})
    assert module.get_submodule("stem.residual.0").training


def test_freezing_everything_is_refused() -> None:
    model = net()
    with pytest.raises(GrowlangError, match="nothing to train"):
        freeze(initialise(lower(model), model, 0), set(model.table))


def test_the_proof_names_what_changed() -> None:
    weights = {"a": torch.ones(3), "b": torch.ones(3)}
    before = hashes(weights, ["a", "b"])
    require_unchanged("first", before, hashes(weights, ["a", "b"]))
    weights["b"][0] = 2
    with pytest.raises(GrowlangError, match=r"1 of 2 frozen tensors changed in phase first: b"):
        require_unchanged("first", before, hashes(weights, ["a", "b"]))
