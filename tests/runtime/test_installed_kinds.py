"""Schedules, samplers and sources of data of other packages, from the declaration to tensors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from packages import Install, declare
from tiny import net
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.lsp.known import EXTENSIBLE
from growlang.net import grid
from growlang.ops import OPS
from growlang.signatures.installed import attribute
from growlang.signatures.tables import Table
from growlang.spec.data import DATA, Source
from growlang.spec.objectives import Diffusion, MinSNR
from growlang.spec.samplers import SAMPLERS, Sampler
from growlang_runtime.data.images import Images, Indexes
from growlang_runtime.diffusion.objective import denoising
from growlang_runtime.diffusion.sampling import Request, generate

PACKAGE = Path(__file__).parents[1] / "fixtures" / "package"
ENTRIES = """
[growlang.schedules]
straight = kinds_package:Straight
[growlang.samplers]
packaged_euler = kinds_package:Euler
[growlang.data]
greys = kinds_package:Greys
"""
IDS = {"text.ids": torch.zeros(2, 4, dtype=torch.int64), "text.mask": torch.ones(2, 4).bool()}


@pytest.fixture(autouse=True)
def package(install: Install, tmp_path: Path) -> None:
    """The package, installed."""
    folder = declare(
        tmp_path / "site", ENTRIES, (PACKAGE / "kinds_package.py").read_text(), "kinds"
    )
    (folder / "runtime_package.py").write_text((PACKAGE / "runtime_package.py").read_text())
    install(folder)


def _drawn(sampler: Sampler) -> Tensor:
    """Two images from a net that predicts grey ones."""

    def module(x_t: Tensor, *_: Tensor) -> Tensor:
        return torch.full_like(x_t, 0.25)

    objective = denoising(Diffusion(predict="x", weight=MinSNR()), net())
    request = Request(IDS, IDS, range(2))
    return generate(module, net(), objective, sampler, request, torch.device("cpu"))


def test_a_schedule_says_only_its_log_snr() -> None:
    said: Any = {"schedule": {"straight": {"high": 6.0}}, "weight": {"sigmoid": {}}}
    declared = Diffusion.model_validate(said)
    call = declared.model_dump(mode="json")["diffusion"]
    assert call["schedule"] == {"straight": {"high": 6.0}}
    assert Diffusion.model_validate(call) == declared
    objective = denoising(declared, net())
    t = torch.tensor([0.0, 0.5, 1.0])
    assert objective.log_snr(t).tolist() == [6.0, 0.0, -6.0]
    assert objective.embedded(t).tolist() == [6.0, 0.0, -6.0]
    assert objective.schedule.slope(t).tolist() == [12.0] * 3


def test_a_sampler_is_given_a_denoiser() -> None:
    images = _drawn(SAMPLERS.require("packaged_euler").model_validate({"steps": 4}))
    torch.testing.assert_close(images, torch.full((2, *net().image.dims), 0.25), atol=1e-2, rtol=0)


def test_the_sampler_of_the_page_draws(install: Install, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "examples" / "plugin" / "README.md").read_text("utf-8")
    declared, steps = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    entries = "[growlang.samplers]\neuler = my_samplers.euler:Euler\n"
    folder = declare(tmp_path / "page", entries, name="page")
    (folder / "my_samplers").mkdir()
    (folder / "my_samplers" / "euler.py").write_text(declared)
    (folder / "my_samplers" / "steps.py").write_text(steps)
    install(folder)
    sampler = attribute("my_samplers.euler:Euler", "euler").model_validate({"steps": 4})
    assert _drawn(sampler).shape == (2, *net().image.dims)


@pytest.mark.parametrize(
    ("code", "gave"),
    [("None", "NoneType"), ("noise[:1]", r"\(1, "), ("noise.tolist()", "list")],
)
def test_a_sampler_that_gives_no_images_is_told(
    monkeypatch: pytest.MonkeyPatch, code: str, gave: str
) -> None:
    sampler = SAMPLERS.require("packaged_euler").model_validate({"steps": 4})
    run = eval(f"lambda declared, noise, levels: {code}")
    monkeypatch.setattr("runtime_package.euler", run)
    with pytest.raises(
        GrowlangError, match=rf"`packaged_euler` \(runtime_package:euler\) gave {gave}"
    ):
        _drawn(sampler)


def test_a_source_of_data_is_drawn_filtered_and_known_again(tmp_path: Path) -> None:
    data = DATA.require("greys").model_validate({"count": 5})
    source = Source(name="greys", data=data, where=["<=", ["row", "width"], 8])
    assert Source.model_validate_json(source.model_dump_json()) == source
    indexes = Indexes(tmp_path, ["caption"])
    images = Images([source], [], grid(1, 8, 8), 0, indexes)
    assert len(images) == 1
    assert images.batch(range(2)).captions == ("grey 0", "grey 0")
    whole = Images([Source(name="all", data=data)], [], grid(1, 8, 8), 0, indexes)
    assert len(whole) == 5
    assert images.identity["greys"] == whole.identity["all"]


@pytest.mark.parametrize("table", [t for t in EXTENSIBLE if t is not OPS], ids=lambda t: t.group)
def test_what_is_built_in_names_what_computes_it(table: Table[Any]) -> None:
    assert all(callable(attribute(kind.runtime, name)) for name, kind in table.items())


def test_what_a_run_cannot_import_is_told() -> None:
    with pytest.raises(GrowlangError) as error:
        attribute("nowhere.noise:straight", "straight")
    assert error.value.message.startswith("cannot use `straight`: nowhere.noise:straight cannot")
    assert error.value.help == "fix or reinstall the package nowhere"
