"""Samples that cannot be used: named once a run, within a budget, over a resumption too."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tiny import metrics, phase, plan, train

from growlang.diagnostics import GrowlangError
from growlang_runtime.data.corrupt import Budget, Corrupt
from growlang_runtime.report.metrics import Metrics
from growlang_runtime.train.result import TrainResult

WriteTar = Callable[[str, Mapping[str, bytes]], Path]
Encode = Callable[..., bytes]


@pytest.fixture
def data(write_tar: WriteTar, png: Encode) -> Path:
    """`data.tar`: 8 samples; 4 cannot be used, of which two only show when they are read."""
    members: dict[str, bytes] = {}
    for i in range(8):
        members |= {f"{i}.png": png(64, 64), f"{i}.txt": b"shade"}
    members |= {"1.png": members["1.png"][:150], "3.png": b"", "5.txt": b"\xff\xfe"}
    del members["7.txt"]
    return write_tar("data.tar", members).parent


SEED = 1
"""Of draws that give 1 and 5 in different batches."""
LEFT_OUT = {
    "1": "image file is truncated",
    "3": "cannot identify image file: it is empty (0 bytes)",
    "5": "its caption is not UTF-8 (invalid start byte at byte 0)",
    "7": "it has no caption `.txt`, only `.png`",
}


def train_skipping(data: Path, most: int, steps: int = 6, **options: Any) -> TrainResult:
    """Train on the data, and skip so many unusable samples at most."""
    made = plan([phase(steps=steps, seed=SEED)])
    return train(made, data, max_corrupt=most, workers=1, **options)


def named(folder: Path) -> list[tuple[str, str]]:
    return [(line["key"], line["reason"]) for line in metrics(folder) if line["event"] == "corrupt"]


def told(stderr: str) -> list[str]:
    found = (line for line in stderr.splitlines() if line.startswith("skipped image `"))
    return sorted(line.split("`")[1] for line in found)


def test_each_is_named_once_with_its_reason_and_a_total(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = train_skipping(data, 4)
    stderr = capsys.readouterr().err
    assert told(stderr) == sorted(LEFT_OUT)
    assert f"skipped image `3` in {data / 'data.tar'}: {LEFT_OUT['3']}\n" in stderr
    assert "skipped 4 unusable images (--max-corrupt 4)\n" in stderr
    found = [(line["key"], line["reason"]) for line in metrics(result.run) if "key" in line]
    assert sorted(found) == sorted(LEFT_OUT.items())
    (end,) = (line for line in metrics(result.run) if line.get("event") == "finished")
    assert end["corrupt"] == 4


def test_what_the_index_shows_is_refused_before_a_run_begins(data: Path) -> None:
    with pytest.raises(GrowlangError) as caught:
        train_skipping(data, 1)
    assert caught.value.message == (
        "2 images cannot be used, but --max-corrupt is 1:"
        + "".join(f"\n  `{key}` in {data / 'data.tar'}: {LEFT_OUT[key]}" for key in "37")
    )
    assert "--max-corrupt N" in caught.value.help
    assert not (data / "runs/tiny").exists()


def test_one_more_than_may_be_is_named_where_it_is_drawn(data: Path) -> None:
    with pytest.raises(GrowlangError) as caught:
        train_skipping(data, 3)
    first, last, before = caught.value.message.splitlines()
    assert first == "4 images cannot be used, but --max-corrupt is 3:"
    assert last.split("`")[1] in "15"
    assert before == "  and 3 that were reported before"
    found = [line["key"] for line in metrics(data / "runs/tiny/main") if "key" in line]
    assert sorted(found) == sorted(LEFT_OUT), "the metrics have the last one too"


def test_a_resumed_run_neither_forgets_nor_repeats_them(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Metrics.write

    def hit(self: Metrics, **values: Any) -> None:
        write(self, **values)
        if values["step"] == 3 and "loss" in values:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Metrics, "write", hit)
        result = train_skipping(data, 4)
    before = told(capsys.readouterr().err)
    assert before and result.signal == signal.SIGTERM
    train_skipping(data, 4, resume="must")
    stderr = capsys.readouterr().err
    assert sorted(before + told(stderr)) == sorted(LEFT_OUT)
    assert "skipped 4 unusable images (--max-corrupt 4)\n" in stderr
    found = [line["key"] for line in metrics(result.run) if "key" in line]
    assert sorted(found) == sorted(LEFT_OUT)


def test_a_resumed_run_may_not_leave_out_less(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        write = Metrics.write

        def hit(self: Metrics, **values: Any) -> None:
            write(self, **values)
            if values["step"] == 5 and "loss" in values:
                os.kill(os.getpid(), signal.SIGTERM)

        patch.setattr(Metrics, "write", hit)
        train_skipping(data, 4)
    with pytest.raises(GrowlangError) as caught:
        train_skipping(data, 3, resume="must")
    assert caught.value.message == (
        "4 images cannot be used, but --max-corrupt is 3:\n  4 that were reported before"
    )


def test_phases_share_the_budget(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    phases = [phase("one", steps=3), phase("two", steps=3)]
    train(plan(phases), data, max_corrupt=4, workers=1)
    assert told(capsys.readouterr().err) == sorted(LEFT_OUT)


def test_names_hold_where_the_data_has_moved(tmp_path: Path) -> None:
    old = Budget(2, tmp_path / "old")
    old.report([Corrupt(tmp_path / "old/a.tar", "1", "cut")])
    new = Budget(2, tmp_path / "new")
    new.restore(old.names)
    moved = Corrupt(tmp_path / "new/a.tar", "1", "cut")
    other = Corrupt(tmp_path / "new/b.tar", "1", "cut")
    assert new.report([moved, other]) == [other]
    assert len(new) == 2


def test_many_are_counted_and_some_are_listed(tmp_path: Path) -> None:
    found = [Corrupt(tmp_path / "a.tar", str(i), "cut") for i in range(11)]
    with pytest.raises(GrowlangError) as caught:
        Budget(3, tmp_path).count(found)
    first, *rest = caught.value.message.splitlines()
    assert first == "11 images cannot be used, but --max-corrupt is 3:"
    assert (len(rest), rest[-1]) == (9, "  and 3 more")


def test_no_raw_warning_of_a_library_reaches_the_user(
    write_tar: WriteTar, png: Encode, tmp_path: Path
) -> None:
    """A huge image, broken EXIF and a height of zero in `where`: Pillow and numpy would warn."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "x" * 40
    small, large = tmp_path / "small.jpg", tmp_path / "large.png"
    Image.new("RGB", (9, 9)).save(small, exif=exif.tobytes()[:-30])
    Image.new("1", (12000, 8000)).save(large)
    members = {
        "0.jpg": small.read_bytes(),
        "1.png": large.read_bytes(),
        "2.png": png(9, 9),
        "3.png": b"?",
    }
    write_tar("data.tar", members)
    spec = tmp_path / "tiny.grow"
    spec.write_text(
        "grow 1\nmodel tiny {\n  image = image(8, channels = 1)\n  time = fourier(8)\n"
        "  stem patch(2, 8) | residual(8)\n  core @ 4 transformer(8, heads = 2)\n"
        '  head residual(8) | unpatch(2)\n}\ndata all = webdataset("data.tar", '
        'image = ["jpg", "png"])\ndata d = all.where(row.width / row.height > 0.1)\n'
        "train {\n  data = d  batch = 3  transform = [resize(8, side = both)]\n"
        "  phase main for 1\n}\n"
    )
    command = [sys.executable, "-m", "growlang", "train", str(spec), "--max-corrupt", "1"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert [line.partition(" ")[0] for line in done.stderr.splitlines()] == [
        "skipped", "started", "main", "skipped", "finished:",
    ]  # fmt: skip


def test_labels_that_are_too_large_say_how_many_classes_there_are(tmp_path: Path) -> None:
    reason = "its label is out of range"
    found = [Corrupt(tmp_path / "a.tar", str(n), reason, n) for n in (12, 9)]
    with pytest.raises(GrowlangError) as caught:
        Budget(0, tmp_path).count(found)
    assert "raise the number in `classes(...)` of the model to 12 or more" in caught.value.help
    negative = [Corrupt(tmp_path / "a.tar", "0", reason)]
    with pytest.raises(GrowlangError) as caught:
        Budget(0, tmp_path).count(negative)
    assert "classes" not in caught.value.help
