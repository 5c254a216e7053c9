from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import net, plan, write_data

from growlang.diagnostics import GrowlangError
from growlang.net import Input, Net, Shape
from growlang.spec.recipe import Sample
from growlang.spec.samplers import Heun, Sampler
from growlang.torch_backend.lower import lower
from growlang_runtime.conditioning.conditioner import Conditioner
from growlang_runtime.data.images import Indexes
from growlang_runtime.diffusion.objective import objective_of
from growlang_runtime.diffusion.sampling import Request
from growlang_runtime.report.grids import grid
from growlang_runtime.report.previews import Previews
from growlang_runtime.report.prompts import (
    Prompts,
    chosen_prompts,
    read_prompts,
)
from growlang_runtime.train.batches import open_data


def labelled(*names: str) -> Net:
    """The tiny net's inputs beside those of a condition that reads labels, ten or by names."""
    inputs = (
        Input("kind.label", "label", Shape("ids", ()), "kind"),
        Input("kind.mask", "mask", Shape("ids", (1,)), "kind"),
    )
    classes: dict[str, dict[str, object]] = {"kind": {"op": "classes", "n": 10, "width": 8}}
    if names:
        classes["kind"] |= {"n": len(names), "names": [*names]}
    model = net()
    return Net("both", (*model.inputs, *inputs), (), (), "", {**model.encoders, **classes})


def test_prompts_are_the_first_captions_unless_the_spec_has_some(tmp_path: Path) -> None:
    write_data(tmp_path)
    (data,) = open_data(plan().phases, net(), Indexes(tmp_path))
    conditioner = Conditioner(net())

    def chosen(prompts: str | list[str] | None) -> list[str]:
        sample = Sample(prompts=prompts)
        return chosen_prompts(sample, conditioner, data.images, tmp_path).texts()

    assert sorted(chosen(None)) == [f"shade {i}" for i in range(6)]
    assert chosen(["a", "b"]) == ["a", "b"]
    (tmp_path / "prompts.txt").write_text("one\n\n  two \n")
    assert chosen("prompts.txt") == ["one", "two"]
    with pytest.raises(GrowlangError, match="`prompts` is an empty list"):
        chosen([])


def test_a_run_refuses_a_prompt_that_sampling_refuses(tmp_path: Path) -> None:
    write_data(tmp_path)
    (data,) = open_data(plan().phases, net(), Indexes(tmp_path))
    none = Net("none", net().inputs[:2], (), (), "", {})
    drawn = plan(sample=Sample(prompts=["", "cat"]))
    with pytest.raises(GrowlangError, match='cannot use the prompt "cat": the model has no cond'):
        Previews(drawn, none, Conditioner(none), data.images, tmp_path)


def test_prompts_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GrowlangError, match="cannot read the prompts file"):
        read_prompts(tmp_path / "none.txt")
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(GrowlangError, match="is empty"):
        read_prompts(tmp_path / "empty.txt")


def test_a_prompt_that_nothing_reads_is_refused() -> None:
    both = labelled()
    classes = Net("classes", both.inputs, (), (), "", {"kind": both.encoders["kind"]})
    none = Net("none", net().inputs[:2], (), (), "", {})
    for model, wrong, wanted in (
        (classes, "cat", 'give a label from 0 to 9, or "" for each unconditional image'),
        (classes, "10", 'give a label from 0 to 9, or "" for each unconditional image'),
        (both, "10", 'give a label from 0 to 9, or "" for each unconditional image'),
        (none, "cat", 'give "" for each unconditional image'),
        (none, "1", 'give "" for each unconditional image'),
    ):
        with pytest.raises(GrowlangError, match=f'cannot use the prompt "{wrong}"') as error:
            Prompts.of(["", wrong], Conditioner(model))
        assert error.value.help == wanted
        assert Prompts.of(["", " "], Conditioner(model)).labels == [None, None]
    assert Prompts.of(["3"], Conditioner(classes)).labels == [3]
    assert Prompts.of(["cat"], Conditioner(both)).captions == ["cat"]


def test_a_prompt_may_be_the_name_of_a_class() -> None:
    both = labelled("circle", "square")
    classes = Net("classes", both.inputs, (), (), "", {"kind": both.encoders["kind"]})
    conditioner = Conditioner(classes)
    found = Prompts.of(["square", "0", ""], conditioner)
    assert found.labels == [1, 0, None]
    assert found.encode(conditioner)["kind.label"].tolist() == [1, 0, 2]
    assert Prompts([None], [1], found.classes).texts() == ["square"]
    with pytest.raises(GrowlangError, match=r"no class of the model; did you mean `square`\?"):
        Prompts.of(["sqare"], conditioner)


def test_a_number_is_a_label_where_the_net_reads_labels() -> None:
    conditioner = Conditioner(labelled())
    found = Prompts.of(["7", "seven"], conditioner)
    assert found.labels == [7, None]
    encoded = found.encode(conditioner)
    assert encoded["kind.label"].tolist() == [7, 10]
    assert torch.equal(
        encoded["text.ids"][0],
        Prompts.of(["7"], Conditioner(net())).encode(Conditioner(net()))["text.ids"][0],
    )
    assert Prompts.of(["\u00b2"], conditioner).labels == [None], "a digit, but no number"
    assert Prompts.of(["9" * 5000], conditioner).labels == [None], "more digits than are read"
    assert Prompts([None], [3]).texts() == ["3"]


def test_a_grid_obeys_the_sampler_and_the_guidance_of_the_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_data(tmp_path)
    said = Sample(
        sampler=Heun(steps=3),
        guidance=4.0,
        guidance_interval=[0.2, 0.8],
        guidance_rescale=0.7,
        prompts=["red"],
    )
    (data,) = open_data(plan().phases, net(), Indexes(tmp_path))
    previews = Previews(plan(sample=said), net(), Conditioner(net()), data.images, tmp_path)
    asked: list[tuple[Sampler, Request]] = []

    def drawn(*given: Any) -> torch.Tensor:
        asked.append(given[3:5])
        return torch.zeros(1, 1, 8, 8)

    monkeypatch.setattr("growlang_runtime.report.previews.generate", drawn)
    goal = objective_of(plan().phases[0].settings.objective, net())
    previews.draw(lower(net(), "cpu"), {"a": torch.zeros(1)}, goal, tmp_path / "a.png")
    ((sampler, request),) = asked
    assert sampler == said.sampler
    assert (request.guidance, request.interval, request.rescale) == (4.0, (0.2, 0.8), 0.7)


def test_a_grid_has_the_images_above_their_captions() -> None:
    images = torch.stack([torch.full((3, 64, 64), v) for v in (-1.0, 0.0, 1.0)])
    sheet = grid(images, ["black", "a very long caption " * 9, ""])
    assert sheet.size == (2 * 136, 2 * 164)
    assert [sheet.getpixel(p) for p in ((10, 10), (150, 10), (10, 174))] == [
        (0, 0, 0),
        (128, 128, 128),
        (255, 255, 255),
    ]
    below = sheet.crop((0, 132, 136, 164)).convert("L")
    darkest, lightest = below.getextrema()
    assert darkest < 64 < lightest
