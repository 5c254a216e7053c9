"""An own training loop: a child that takes its parent's weights, trains, and is saved."""

from __future__ import annotations

import runpy
import tarfile
from io import BytesIO
from pathlib import Path

import pytest
import torch
from fixture_specs import SHIPPED, SPECS
from fixture_specs import growlang as command
from PIL import Image
from torch.nn import functional as F

import growlang
from growlang.net import Net

CHILD = SPECS / "child.grow"
EMOJI = SHIPPED.parent / "examples" / "emoji"


def images(net: Net, count: int) -> torch.Tensor:
    """Real images (N, C, H, W) in [-1, 1] of the size that a net reads."""
    channels, height, width = net.image.dims
    found: list[torch.Tensor] = []
    with tarfile.open(EMOJI / "data" / "demo-00000.tar") as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file and member.name.endswith(".webp") and len(found) < count:
                image = Image.open(BytesIO(file.read())).convert("RGB").resize((width, height))
                pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
                found.append(pixels.view(height, width, channels).permute(2, 0, 1) / 127.5 - 1)
    return torch.stack(found)


def test_an_own_loop_trains_the_child_of_a_state_dict(tmp_path: Path) -> None:
    spec = growlang.load(CHILD)
    assert spec.parent is not None and spec.mapping is not None
    child = growlang.compile(spec)
    module = child.module(seed=1)
    parent = growlang.compile(spec.parent).module(seed=0).state_dict()
    module.load_state_dict(spec.mapping.apply(parent, module.state_dict()))
    x = images(spec.net, 4)
    values = [
        x if i.role == "image" else torch.ones(4, *i.shape.dims, dtype=torch.int64)
        for i in spec.net.inputs
        if i.role in ("image", "ids")
    ]
    given = dict(zip(("image", "ids"), values, strict=True))
    given |= {"log_snr": torch.zeros(4), "mask": torch.ones(given["ids"].shape, dtype=torch.bool)}
    inputs = [given[i.role] for i in spec.net.inputs]
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-2)
    losses = []
    for _ in range(5):
        loss = F.mse_loss(module(*inputs), x)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    path = child.save(tmp_path / "own.safetensors", module)
    run = command("diff", CHILD, path, "--exit-code")
    assert (run.status, run.err) == (0, "")
    assert "are equal" in run.out


def test_the_example_of_an_own_loop_grows_without_a_step_in_its_loss(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main = runpy.run_path(str(EMOJI.parent / "own_loop" / "train.py"))["main"]
    untrained, trained, grown, on = main(steps=6).values()
    assert on < grown < untrained
    assert grown == pytest.approx(trained, rel=1e-5)
    out = capsys.readouterr().out
    assert out.startswith("large grows from small") and "promises hold." in out
