"""Images of a dataset of the Hub: what is read of its columns, and what is told of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from classifier import plan_of, write_digits
from PIL import Image
from tiny import metrics, state, train

import growlang
from growlang.diagnostics import GrowlangError
from growlang.spec.data import HF, Source
from growlang.spec.labels import Labels
from growlang_runtime.data.images import Images, Indexes

FIXTURES = Path(__file__).parents[1] / "fixtures"
FOLDER = 'folder("digits", caption = none, label = "folder")'
HUB = 'hf("a/digits", image = "scan", label = "digit")'


class ImageFeature:
    """`datasets.Image`."""

    def __init__(self, decode: bool = True) -> None:
        self.decode = decode


class Rows:
    """A dataset as the package has it, of images with captions and labels."""

    _fingerprint = "abc"

    def __init__(self, rows: Sequence[dict[str, Any]], features: dict[str, Any]) -> None:
        self.rows, self.features = rows, features

    @property
    def column_names(self) -> list[str]:
        return [*self.features]

    def cast_column(self, name: str, feature: ImageFeature) -> Rows:
        assert not feature.decode
        return Rows(self.rows, {**self.features, name: feature})

    def select_columns(self, names: list[str]) -> Rows:
        rows = [{name: row[name] for name in names} for row in self.rows]
        return Rows(rows, {name: self.features[name] for name in names})

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> dict[str, Any]:
        return self.rows[row]

    def iter(self, size: int) -> Iterator[dict[str, list[Any]]]:
        for at in range(0, len(self.rows), 3):
            part = self.rows[at : at + 3]
            yield {name: [row[name] for row in part] for name in self.features}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_digits(tmp_path, 40)
    return tmp_path


@pytest.fixture
def rows(folder: Path) -> list[dict[str, Any]]:
    """The digits in the order of the folder, half of them in the table and half as files."""
    found = sorted((folder / "digits").rglob("*.png"))
    return [
        {
            "scan": {"bytes": path.read_bytes() if n % 2 else None, "path": str(path)},
            "digit": int(path.parent.name),
            "text": f"number {n}",
            "score": n / 10,
        }
        for n, path in enumerate(found)
    ]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any]]) -> Rows:
    """Puts a package datasets there, whose only dataset has the digits."""
    digit = SimpleNamespace(names=list("0123456789"))
    features = {"scan": ImageFeature(), "digit": digit, "text": object(), "score": object()}
    dataset = Rows(rows, features)
    package = SimpleNamespace(
        load_dataset=lambda *given, **options: dataset, config=SimpleNamespace(), Image=ImageFeature
    )
    monkeypatch.setitem(sys.modules, "datasets", package)
    return dataset


def opened(folder: Path, classes: Labels | None = None, **changes: Any) -> Images:
    from growlang.net import grid

    source = Source(
        name="digits",
        data=HF(name="a/digits", image="scan", caption="text", label="digit"),
        **changes,
    )
    indexes = Indexes(folder, cache=folder / "cache")
    return Images([source], [], grid(3, 8, 8), 0, indexes, classes=classes or Labels(10))


def test_a_run_is_that_of_the_same_images_in_a_folder(folder: Path, hub: Rows) -> None:
    changes = (("holdout   = 20%\n", ""), ("first for 5", "first for 3"))
    there = train(plan_of(folder, *changes), folder, out="folder")
    here = train(plan_of(folder, *changes, (FOLDER, HUB)), folder, out="hub")
    assert state(here) == state(there)
    assert [m["loss"] for m in metrics(here.run) if "loss" in m]


def test_captions_labels_and_other_columns_are_read(folder: Path, hub: Rows) -> None:
    found = [opened(folder).draw(p) for p in range(len(hub))]
    assert {e.caption for e in found} == {f"number {n}" for n in range(len(hub))}
    by_caption = {row["text"]: row["digit"] for row in hub.rows}
    assert all(by_caption[str(e.caption)] == e.label for e in found)
    kept = opened(folder, where=[">=", ["row", "json.score"], 3.0])
    assert len(kept) == 10
    assert len(opened(folder, where=["<", ["row", "width"], 9])) == 40


def test_numbers_are_those_of_a_column(folder: Path, hub: Rows) -> None:
    spec = growlang.load(FIXTURES / "hub" / "numbers.grow")
    run = growlang.train(spec, out=folder / "runs", data_root=folder, device="cpu", quiet=True).run
    assert [m["loss"] for m in metrics(run) if "loss" in m]
    hub.rows[1]["score"] = None
    with pytest.raises(GrowlangError, match=r"`train:1` in a/digits: .*`json:score`"):
        growlang.train(spec, out=folder / "again", data_root=folder, device="cpu", quiet=True)


def test_classes_have_the_order_of_the_dataset(folder: Path, hub: Rows) -> None:
    opened(folder, Labels(11, (*"0123456789", "none")))
    with pytest.raises(GrowlangError, match="number the classes 0, 1, 2") as caught:
        opened(folder, Labels(10, tuple("9876543210")))
    assert json.dumps([*"0123456789"]) in str(caught.value.help)


@pytest.mark.parametrize(
    ("data", "said", "help"),
    [
        ('hf("a/b", image = "scam")', "has no column `scam`", "did you mean `scan`?"),
        ('hf("a/b", image = "digit")', "holds SimpleNamespace, not", 'write `image = "scan"`'),
        ('hf("a/b", image = "scan", label = "kind")', "has no column `kind`", "its columns: scan"),
    ],
)
def test_columns_that_are_not_there(
    folder: Path, hub: Rows, data: str, said: str, help: str
) -> None:
    label = "" if "label" in data else ', label = "digit"'
    made = plan_of(folder, (FOLDER, data.replace(")", f"{label})")))
    with pytest.raises(GrowlangError, match=said) as caught:
        train(made, folder)
    assert help in str(caught.value.help)


def test_rows_without_an_image_or_a_label_are_unusable(
    folder: Path, hub: Rows, rows: list[dict[str, Any]]
) -> None:
    rows[3]["digit"] = None
    rows[5]["scan"] = None
    made = plan_of(folder, (FOLDER, HUB), ("holdout   = 20%\n", ""))
    with pytest.raises(GrowlangError, match="`train:3` in a/digits: it has no label"):
        train(made, folder)
    run = train(made, folder, max_corrupt=2).run
    corrupt = {m["key"] for m in metrics(run) if m.get("event") == "corrupt"}
    assert corrupt == {"train:3", "train:5"}


def test_what_is_of_texts_or_of_images(folder: Path) -> None:
    with pytest.raises(ValueError, match="`label` is of images"):
        HF(name="a", label="label")
    with pytest.raises(ValueError, match="are of texts"):
        HF(name="a", image="image", field="text")


def test_a_dataset_of_the_package(folder: Path) -> None:
    datasets = pytest.importorskip("datasets")
    names = [*"0123456789"]
    features = datasets.Features(scan=datasets.Image(), digit=datasets.ClassLabel(names=names))
    files = sorted((folder / "digits").rglob("*.png"))
    table = {"scan": [str(f) for f in files], "digit": [int(f.parent.name) for f in files]}
    datasets.Dataset.from_dict(table, features=features).save_to_disk(folder / "saved")
    changes = (("holdout   = 20%\n", ""), ("first for 5", "first for 3"))
    there = train(plan_of(folder, *changes), folder, out="folder")
    made = plan_of(folder, *changes, (FOLDER, HUB.replace("a/digits", "saved")))
    assert state(train(made, folder, out="hub")) == state(there)
    assert np.asarray(Image.open(files[0])).shape == (8, 8, 3)
