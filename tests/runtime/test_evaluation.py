"""Evaluations of runs: what is measured, kept and refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from evaluations import COUNT, evaluated, small  # noqa: F401
from fixture_specs import SPECS, growlang
from packages import Install, declare
from safetensors.torch import load_file
from tiny import metrics, net, phase, plan, train

import growlang as api
from growlang.diagnostics import GrowlangError
from growlang.net import Net
from growlang.ops.conditions import Classes
from growlang.plans.plan import Plan
from growlang.resolve.metrics import metrics_of
from growlang.spec.data import Source, WebDataset
from growlang.spec.metrics import DSG, KID, FDEffLite0, HeldOutLoss, Metric, Retrieval
from growlang.spec.recipe import Validation
from growlang_runtime import sample
from growlang_runtime.evaluation import pictures
from growlang_runtime.evaluation.evaluate import Asked, evaluate, precision_on
from growlang_runtime.evaluation.extractors import Extractor
from growlang_runtime.evaluation.kept import Kept
from growlang_runtime.evaluation.reference import open_reference
from growlang_runtime.evaluation.result import Evaluation
from growlang_runtime.storage.run import recorded_plan
from growlang_runtime.train.precision import Flags, computing

CHUNKS = ("00000000-2.safetensors", "00000002-1.safetensors")


def run_of(made: Plan, folder: Path, **options: Any) -> Path:
    return train(made, folder, quiet=True, **options).run


def captions(data: Path, made: Plan | None = None, model: Net | None = None) -> tuple[str, ...]:
    """The captions of the reference, in its order."""
    made = made or plan()
    read = model or made.child_net()
    opened = open_reference(made, read, "training", data, Kept(data / "texts"))
    return opened.pictures.texts()


def measured(run: Path, data: Path, **asked: Any) -> list[Evaluation]:
    return evaluate(run, Asked(data_root=data, quiet=True, **asked))


class Counted:
    """Counts the images that are drawn, and may end the process after some."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.images, self.most = 0, 1000
        draw = sample.Drawer.draw

        def counted(drawer: sample.Drawer, *args: Any, **kwargs: Any) -> torch.Tensor:
            if self.images >= self.most:
                raise KeyboardInterrupt
            found = draw(drawer, *args, **kwargs)
            self.images += len(found)
            return found

        monkeypatch.setattr(sample.Drawer, "draw", counted)


def test_a_run_is_measured_as_its_spec_says_with_the_protocol(data: Path) -> None:
    made = evaluated(FDEffLite0(dimensions=2), HeldOutLoss(), Retrieval(), count=3)
    run = run_of(made, data)
    (found,) = measured(run, data)
    loss = [v for v in metrics(run) if v.get("event") == "validation"][-1]
    assert found["held_out_loss"] == pytest.approx(loss["averaged"], rel=1e-6)
    assert found["fd_efflite0"] > 0 and 0 <= found["retrieval"] <= 1
    assert found.file is not None
    said = json.loads(found.file.read_text())
    assert said["drawn"].items() >= {"count": 3, "seed": 0, "guidance": 1.0}.items()
    assert said["drawn"]["sampler"] == {"ddim": {"steps": 2, "eta": 0.0}}
    assert said["weights"]["ema"] and said["step"] == 4
    assert said["reference"]["there_are"] == 6 and len(said["reference"]["sha256"]) == 64
    distance = next(m for m in said["metrics"] if m["name"] == "fd_efflite0")
    assert distance["floor"] >= 0 and distance["better"] == "lower"
    expected = {"generated", "real", "floor_of", "weights_sha256", "size", "resize", "antialias"}
    assert distance["protocol"].keys() >= expected | {"dtype", "normalisation", "input"}
    assert "floor" in str(found) and "Lite0" in str(found) and "<pre" in found._repr_html_()


def test_images_are_those_of_sample(data: Path) -> None:
    run = run_of(evaluated(Retrieval(), count=3), data)
    measured(run, data)
    folder = next((run / "evaluation/images").iterdir())
    chunks = [load_file(folder / name)["tensor"] for name in CHUNKS]
    own = sample.sample(run, prompts=captions(data)[:3], batch=3)
    assert (torch.cat(chunks).int() - pictures.to_bytes(own.tensor).int()).abs().max() <= 1


def test_an_interrupted_evaluation_goes_on(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(evaluated(Retrieval()), data)
    whole = measured(run, data)[0]["retrieval"]
    again = run_of(evaluated(Retrieval()), data, name="again")
    counted = Counted(monkeypatch)
    counted.most = 4
    with pytest.raises(KeyboardInterrupt):
        measured(again, data)
    counted.most = 1000
    assert measured(again, data)[0]["retrieval"] == whole
    assert counted.images == COUNT
    assert measured(again, data)[0]["retrieval"] == whole
    assert counted.images == COUNT


def test_a_damaged_file_is_made_anew(data: Path) -> None:
    run = run_of(evaluated(Retrieval()), data)
    whole = measured(run, data)[0]["retrieval"]
    kept = [*(run / "evaluation/images").rglob("*.safetensors")]
    for path in (*kept, *(data / "cache").rglob("*.safetensors")):
        path.write_bytes(path.read_bytes()[:20])
    assert kept and measured(run, data)[0]["retrieval"] == whole


def test_features_of_references_are_kept(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(evaluated(FDEffLite0(dimensions=2), count=3), data)
    seen: list[int] = []
    compute = Extractor._of

    def counted(self: Extractor, batch: int) -> Any:
        made = compute(self, batch)
        return lambda chunk: (seen.append(len(chunk.images)), made(chunk))[1]

    monkeypatch.setattr(Extractor, "_of", counted)
    first = measured(run, data)[0]["fd_efflite0"]
    assert sum(seen) == 3 + 3 + 3  # drawn, real, and other real ones for the floor
    other = measured(run, data, seed=1)[0]["fd_efflite0"]
    assert sum(seen) == 9 + 3 and other != first


@pytest.mark.parametrize(
    ("metric", "count", "message"),
    [
        (FDEffLite0(dimensions=4), 3, "needs at least 5 generated images, but `count` is 3"),
        (FDEffLite0(dimensions=7), 8, "needs at least 8 real images, but the reference has 6"),
    ],
)
def test_too_few_images_are_refused_before_any_is_drawn(
    metric: Metric, count: int, message: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(evaluated(metric, count=count), data)
    counted = Counted(monkeypatch)
    with pytest.raises(GrowlangError, match=message):
        measured(run, data)
    assert counted.images == 0


def test_all_that_metrics_lack_is_told_before_an_image_is_drawn(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(plan(), data)
    counted = Counted(monkeypatch)
    asked = (Retrieval(), HeldOutLoss(), KID(), FDEffLite0(), DSG(questions="questions.jsonl"))
    with pytest.raises(GrowlangError, match="lacks 6 things") as refused:
        measured(run, data, metrics=asked, count=5)
    said = refused.value.message
    told = ("holds none out", "Inception network", "Salesforce/blip-vqa-base", "real images")
    assert all(text in said for text in told)
    assert "fd_efflite0(dimensions = 4)" in said and "kid(subset_size = 5)" in said
    assert counted.images == 0
    (data / "model").mkdir()
    (data / "model/model.safetensors").touch()
    questions = DSG(questions="questions.jsonl", weights="model")
    with pytest.raises(GrowlangError, match=r"cannot read the questions.*questions\.jsonl"):
        measured(run, data, metrics=(questions,), count=2)


def test_what_a_spec_does_not_say_is_asked_for(data: Path) -> None:
    run = run_of(plan(), data)
    with pytest.raises(GrowlangError, match="no `evaluate`") as refused:
        measured(run, data)
    assert refused.value.help and "--metric" in refused.value.help
    with pytest.raises(GrowlangError, match="holds none out"):
        measured(run, data, metrics=(HeldOutLoss(),))
    with pytest.raises(GrowlangError, match="holds nothing out"):
        measured(run, data, metrics=(Retrieval(),), count=2, reference="held_out")
    prompts = data / "prompts.txt"
    prompts.write_text("none of them\nshade 1\n")
    with pytest.raises(GrowlangError, match='no real image has the caption "none of them"'):
        measured(run, data, metrics=(Retrieval(),), count=2, prompts=prompts)


def test_runs_and_guidance_are_side_by_side(data: Path, tmp_path: Path) -> None:
    a = run_of(evaluated(Retrieval(), count=2), data)
    b = run_of(evaluated(Retrieval(), count=2), data, name="b")
    files = [tmp_path / "all.csv", tmp_path / "all.svg", tmp_path / "all.json"]
    options = {"data_root": data, "quiet": True}
    found = api.evaluate([a, b], output=files, guidance=[1, 2], **options)
    assert [(row.run, row.guidance) for row in found] == [
        (str(run), g) for run in (a, b) for g in (1, 2)
    ]
    rows = files[0].read_text().splitlines()
    assert rows[0].startswith("run,step,guidance,metric,value,floor") and len(rows) == 5
    picture = files[1].read_text()
    assert picture.count("<circle") == 4 and str(a) in picture and "guidance" in picture
    assert len(json.loads(files[2].read_text())["evaluations"]) == 4
    said = str(found)[str(found).index("protocol") :]
    assert said.count("different 2") == 1  # what all lines share is said once
    assert said.count(f"    {a}, guidance 1: guidance 1\n") == 1  # and what does not, of each
    assert said.count("ema True") == 1 and said.count(f"path {a}") == 2
    bars = api.evaluate([a, b], output=tmp_path / "bars.svg", **options)
    assert "<circle" not in bars.files[0].read_text()
    with pytest.raises(GrowlangError, match=r"written as \.csv"):
        api.evaluate(a, output=tmp_path / "all.txt", **options)


def test_the_command_prints_a_table_and_json(data: Path) -> None:
    run = run_of(evaluated(Retrieval(), count=2), data)
    common = ("evaluate", run, "--data-root", data, "--device", "cpu")
    shown = growlang(*common)
    assert shown.status == 0 and "retrieval" in shown.out and "protocol" in shown.out
    printed = growlang(*common, "--metric", "held_out_loss", "--json")
    (row,) = json.loads(printed.out)["evaluations"]
    assert [m["name"] for m in row["metrics"]] == ["held_out_loss"] and row["drawn"] == {}
    assert growlang(*common, "--metric", "fidd").status == 2
    assert "did you mean" in growlang(*common, "--metric", "retrival").err
    spec = (
        (SPECS / "core.grow").read_text().replace("count = 1k", "count = 3 metrics = [retrieval]")
    )
    (data / "other.grow").write_text(spec)
    other = json.loads(growlang(*common, "--spec", data / "other.grow", "--json").out)
    assert other["evaluations"][0]["drawn"]["count"] == 3


def test_metrics_are_read_as_a_spec_has_them() -> None:
    found, wrong = metrics_of(["fd_efflite0(dimensions = 8)", "held_out_loss"])
    assert found == (FDEffLite0(dimensions=8), HeldOutLoss()) and not wrong
    assert [d.code for d in metrics_of(["fd_efflite0(dimensions = 0)"])[1]] == ["G201"]


@pytest.mark.parametrize(
    "metric", [FDEffLite0(), KID(subset_size=50, subsets=3, weights="mine/inception.pt")]
)
def test_the_metric_that_does_with_fewer_images_keeps_its_other_arguments(metric: Metric) -> None:
    (found,), wrong = metrics_of([metric.fewer(10)])
    assert (found.least(), wrong) == (10, ())
    changed = {"dimensions", "subset_size"}
    assert found.model_dump(exclude=changed) == metric.model_dump(exclude=changed)
    assert metrics_of(["kid("])[1]


def test_references_are_decoded_as_the_run_decodes(data: Path) -> None:
    phases = [phase("first", 1), phase("last", 1, decoder="simplejpeg")]
    held = Validation(data=phases[0].settings.data, transform=phases[0].settings.transform)
    made = recorded_plan(run_of(plan(phases, validation=held), data))
    training, held_out = (
        open_reference(made, made.child_net(), which, data, Kept(data / "kept"))
        for which in ("training", "held_out")
    )
    assert training.said["decoder"] == "simplejpeg" and training.warnings == ()
    assert held_out.said["decoder"] == "pillow"


def test_corrected_names_of_classes_are_read_anew(
    tmp_path: Path, write_tar: Callable[..., Path], png: Callable[..., bytes]
) -> None:
    write_tar("data.tar", {"0.png": png(8, 8), "0.cls": b"1"})
    source = Source(name="data", data=WebDataset(urls="data.tar", image="png", label="cls"))

    def texts(*names: str) -> tuple[str, ...]:
        kinds = {"op": "classes", **Classes(width=8, names=[*names]).arguments()}
        model = replace(net(), encoders={"kind": kinds})
        made = plan([phase(data=[source])], model)
        return captions(tmp_path, made, model)

    assert texts("cat", "dgo") == texts("cat", "dgo") == ("dgo",)
    assert texts("cat", "dog") == ("dog",)


def test_the_protocol_says_where_products_are_rounded() -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    with computing(Flags(tf32=False, deterministic=False)):
        assert precision_on(cuda) == precision_on(cpu) == "fp32"
    with computing(Flags(tf32=True, deterministic=False)):
        assert precision_on(cuda) == "fp32, TF32 in matrix products and convolutions"
        assert precision_on(cpu) == "fp32"


# --- metrics of other packages -------------------------------------------------------------------

OWN = """
from growlang.signatures.signature import argument
from growlang.spec.metrics import Metric

class Brightness(Metric):
    \"\"\"Mean of all pixels.\"\"\"

    call = "brightness"
    runtime = "metrics_package:brightness"
    scale: float = argument("factor", 1.0)

def brightness(metric, subject):
    from growlang_runtime.evaluation.subject import Measured

    parts = [chunk.images.double().mean() for chunk in subject.generated.chunks()]
    return Measured(metric.scale * float(sum(parts)) / len(parts))
"""


def test_a_package_adds_a_metric(data: Path, tmp_path: Path, install: Install) -> None:
    entries = "[growlang.metrics]\nbrightness = metrics_package:Brightness\n"
    install(declare(tmp_path / "site", entries, OWN, "metrics"))
    run = run_of(plan(), data)
    options = {"data_root": data, "count": 2, "quiet": True}
    one = api.evaluate(run, "brightness", **options)[0]["brightness"]
    assert api.evaluate(run, ["brightness(scale = 2)"], **options)[0]["brightness"] == 2 * one


def test_prompts_are_captions_of_the_reference(data: Path) -> None:
    run = run_of(evaluated(Retrieval(), count=COUNT), data)
    (found,) = measured(run, data)
    assert found.drawn["prompts"]["from"] == "captions of the reference"
    assert found.drawn["prompts"]["different"] == COUNT
