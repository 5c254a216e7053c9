"""`growlang diff` with trained weights on either side: their net is read from the file's header."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from fixture_specs import Run, checked, edited, growlang
from safetensors.torch import save_file
from tiny import train, write_data

from growlang.diagnostics import GrowlangError
from growlang.planning import plan
from growlang.plans.weights_header import read

PARENT = """grow 1
model parent {
  image = image(8)
  time = fourier(8)
  stem patch(2, 8)
  core @ 4 transformer(8, heads = 2)
  head unpatch(2)
}
data shades = webdataset("data.tar", image = "png")
train { data = shades  batch = 2  phase all for 2 }
"""
CHILD = """grow 1
model child grows "parent.grow" {
  keep core, time
  drop stem, head
  image = image(16)
  stem conv(6)
  stage @ 16 residual(6)
  stage @ 8 residual(6)
  head conv(3)
}
train { phase all for 2 }
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A parent and its child, each with a run."""
    folder = write_data(tmp_path_factory.mktemp("lineage"))
    for name, text in (("parent", PARENT), ("child", CHILD)):
        (folder / f"{name}.grow").write_text(text)
        made = plan(checked(folder / f"{name}.grow"))
        train(made, folder, quiet=True)
    return folder


def diff(folder: Path, a: str, b: str, *flags: str) -> Run:
    return growlang("diff", folder / a, folder / b, *flags)


RUN = "runs/parent/main"
ONE = f"{RUN}/checkpoints/step_00000002"


@pytest.mark.parametrize("a", [RUN, f"{RUN}/model.safetensors", ONE, f"{ONE}/state.safetensors"])
def test_weights_of_the_parent_stand_for_its_spec(trained: Path, a: str) -> None:
    told = json.loads(diff(trained, "parent.grow", "child.grow", "--json").out)
    found = json.loads(diff(trained, a, "child.grow", "--json").out)
    assert found["related"]
    assert found["tensors"] == told["tensors"]
    assert found["remark"].endswith(".safetensors holds parent")
    assert found["proposals"] == found["changes"] == []


@pytest.mark.parametrize("a", [RUN, "parent.grow"])
def test_the_run_of_a_child_tells_what_it_took_over(trained: Path, a: str) -> None:
    told = json.loads(diff(trained, "parent.grow", "child.grow", "--json").out)
    found = json.loads(diff(trained, a, "runs/child/main", "--json").out)
    assert found["related"]
    assert found["tensors"] == told["tensors"]


@pytest.mark.parametrize(("a", "b"), [("parent.grow", RUN), (RUN, "parent.grow"), (RUN, ONE)])
def test_weights_of_the_spec_itself_are_equal(trained: Path, a: str, b: str) -> None:
    run = diff(trained, a, b, "--exit-code")
    assert run.status == 0
    weights = "and so are the weights" if "parent.grow" not in (a, b) else "copied"
    assert weights in run.out


def test_a_spec_that_changed_since_tells_what_does_not_fit(trained: Path, tmp_path: Path) -> None:
    path = edited(
        trained / "parent.grow",
        tmp_path / "parent.grow",
        ("transformer(8,", "transformer(8, mlp = 2,"),
    )
    run = growlang("diff", trained / RUN, path, "--exit-code")
    assert run.status == 1
    assert "core.transformer.0.mlp.up.weight is reshaped: 32x8 -> 16x8" in run.out


def test_a_file_moved_away_carries_its_net_and_no_mapping(trained: Path, tmp_path: Path) -> None:
    file = shutil.copy(trained / "runs/child/main/model.safetensors", tmp_path)
    assert read(Path(file)).plan is None
    run = growlang("diff", trained / "child.grow", file, "--exit-code")
    assert run.status == 0


def test_a_changed_objective_is_told(trained: Path, tmp_path: Path) -> None:
    shutil.copy(trained / "parent.grow", tmp_path)
    change = "train { objective = diffusion(predict = x)"
    path = edited(trained / "child.grow", tmp_path / "child.grow", ("train {", change))
    run = growlang("diff", trained / RUN, path)
    assert "the prediction changes from v to x" in run.out


def test_it_reads_the_header_without_torch(trained: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from growlang.plans.weights_header import read; "
        f"read(Path({str(trained / RUN)!r})); "
        "print([m for m in ('torch', 'safetensors', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"grow 1",
        (10).to_bytes(8, "little") + b"{",
        (2).to_bytes(8, "little") + b"[]",
        (2**60).to_bytes(8, "little"),
        b"\x80\x02}q\x00.",
    ],
)
def test_what_is_no_safetensors_file(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path / "a.safetensors", content)
    with pytest.raises(GrowlangError, match="is not a valid safetensors file"):
        read(path)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "its metadata has no `net`"),
        ({"format": "pt"}, "its metadata has no `net`"),
        ({"net": "{}"}, "the net in the metadata of .* cannot be read"),
    ],
)
def test_a_file_without_a_net(
    tmp_path: Path, metadata: dict[str, str] | None, message: str
) -> None:
    save_file({"w": torch.ones(1)}, tmp_path / "a.safetensors", metadata)
    with pytest.raises(GrowlangError, match=message):
        read(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (".", "no model.safetensors and no checkpoint"),
        ("away.safetensors", "it does not exist"),
        ("model.pt", "is not a valid safetensors file: it is a zip archive"),
    ],
)
def test_the_command_says_what_is_wrong(
    trained: Path, tmp_path: Path, name: str, words: str
) -> None:
    written(tmp_path / "model.pt", b"PK\x03\x04 pickled")
    run = growlang("diff", tmp_path / name, trained / "child.grow")
    assert (run.status, words in run.err) == (2, True)
    assert "help: name a" in run.err
